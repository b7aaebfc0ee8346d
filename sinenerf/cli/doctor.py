"""What this machine has, what it lacks, and the command that installs it."""

import ctypes.util
import importlib.util
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

from sinenerf.compat import matching_torchvision, torchvision_lacks_operators

# library, what wants it, the package that has it on Debian and Ubuntu
SYSTEM_LIBRARIES = [
    ("usb-1.0", "open3d", "libusb-1.0-0"),
    ("GL", "open3d", "libgl1"),
    ("gomp", "open3d, torch", "libgomp1"),
    ("X11", "open3d", "libx11-6"),
]
PACKAGES = ["torch", "torchvision", "nerfstudio", "pytorch-optimizer", "open3d", "trimesh", "tyro", "viser"]


def missing_libraries() -> list[tuple[str, str, str]]:
    """The rows of SYSTEM_LIBRARIES that the loader does not find. Other systems than Linux bring their own."""
    if sys.platform != "linux":
        return []
    return [row for row in SYSTEM_LIBRARIES if not _loads(row[0])]


def _loads(name: str) -> bool:
    found = ctypes.util.find_library(name)
    if found is None:
        return False
    try:
        ctypes.CDLL(found)
    except OSError:
        return False
    return True


def report() -> int:
    """Print a table; 0 if all that is tested here can run, else 1."""
    good = True
    for package in PACKAGES:
        try:
            print(f"  {package:12} {version(package)}")
        except PackageNotFoundError:
            good = False
            print(f"! {package:12} is not installed: pip install . in the folder of sinenerf")
    if importlib.util.find_spec("torch") and torchvision_lacks_operators():
        good = False
        print("! torchvision was built for CUDA and torch for the CPU: ns-viewer does not start. The matching build:")
        print(f"  {matching_torchvision()}")
    lost = missing_libraries()
    for name, user, package in lost:
        print(f"! lib{name} is missing ({user} needs it): apt-get install {package}")
    if lost:
        print(f"  all at once: sudo apt-get install -y {' '.join(package for _, _, package in lost)}")
        print("  without them training, rendering and sinenerf export-mesh still run; ns-export does not")
    if shutil.which("ffmpeg") is None:
        print("! ffmpeg is not on the PATH: ns-render writes pictures, but no mp4. sinenerf demo brings its own")
    print(f"  {_processor()}")
    return 0 if good and not lost else 1


def _processor() -> str:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return "torch cannot be imported"
    from sinenerf.common.hardware import best_device, multiplies_bfloat16

    device = best_device()
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    return f"trains on {device} ({name}), in {'bfloat16' if multiplies_bfloat16(device) else 'float32'}"
