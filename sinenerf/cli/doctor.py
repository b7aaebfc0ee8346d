"""The command that checks an installation: what is installed, what is missing, and the command that installs it."""

import ctypes.util
import importlib.util
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from sinenerf.compat import matching_torchvision, torchvision_lacks_operators

SYSTEM_LIBRARIES = [
    ("usb-1.0", "open3d", "libusb-1.0-0"),
    ("GL", "open3d", "libgl1"),
    ("gomp", "open3d, torch", "libgomp1"),
    ("X11", "open3d", "libx11-6"),
]
"""(library, packages that need it, package that provides it on Debian and Ubuntu)"""
OF_NERFSTUDIO = ["torchvision", "viser"]
"""Packages that come with nerfstudio, and that its training and its viewer need."""


def doctor() -> None:
    """Check this machine: Python packages, system libraries, GPU, video. Prints what is missing and how to install it.

    The exit code is 1 if a package or a system library is missing.
    """
    complete = _report_packages() & _report_libraries()
    if shutil.which("ffmpeg") is None:
        print("! ffmpeg is not on the PATH: ns-render writes pictures but no mp4. sinenerf scene does not need it")
    print(f"  {_processor()}")
    sys.exit(0 if complete else 1)


def _report_packages() -> bool:
    """Print the version of each package. Returns whether all are installed and torchvision's build matches torch's."""
    complete = True
    needed = [re.split(r"[^\w.-]", line)[0] for line in requires("sinenerf") or [] if "extra ==" not in line]
    for package in (*needed, *OF_NERFSTUDIO):
        try:
            print(f"  {package:19} {version(package)}")
        except PackageNotFoundError:
            complete = False
            print(f"! {package:19} is not installed: run pip install . in sinenerf's folder")
    if importlib.util.find_spec("torch") and torchvision_lacks_operators():
        complete = False
        print("! torchvision was built for CUDA and torch for the CPU: ns-viewer does not start. The matching build:")
        print(f"  {matching_torchvision()}")
    return complete


def _report_libraries() -> bool:
    """Print the missing system libraries. Returns whether all are present."""
    missing = missing_libraries()
    for name, user, package in missing:
        print(f"! lib{name} is missing ({user} needs it): apt-get install {package}")
    if missing:
        print(f"  all of them: sudo apt-get install -y {' '.join(package for _, _, package in missing)}")
        print("  without them training, rendering and sinenerf mesh still work; ns-export does not")
    return not missing


def missing_libraries() -> list[tuple[str, str, str]]:
    """The rows of SYSTEM_LIBRARIES that cannot be loaded. Systems other than Linux ship their own."""
    if sys.platform != "linux":
        return []
    return [row for row in SYSTEM_LIBRARIES if not _can_load(row[0])]


def _can_load(name: str) -> bool:
    found = ctypes.util.find_library(name)
    if found is None:
        return False
    try:
        ctypes.CDLL(found)
    except OSError:
        return False
    return True


def _processor() -> str:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return "torch cannot be imported"
    from sinenerf.common.hardware import best_device, multiplies_bfloat16

    device = best_device()
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    return f"trains on {device} ({name}), in {'bfloat16' if multiplies_bfloat16(device) else 'float32'}"
