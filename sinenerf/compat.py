"""A CUDA build of torchvision beside a CPU build of torch: PyPI offers no other torchvision for Linux on x86-64.

The compiled part of that torchvision cannot load, and its import fails with "operator torchvision::nms does not exist".
nerfstudio imports torchvision, though neither it nor sinenerf calls the operators, so declaring them is enough.

`sinenerf.plugin` declares them when it is imported. nerfstudio imports it while it looks for data parsers, which all of
its commands do before they import torchvision, except ns-viewer. `sinenerf doctor` names the command that installs the
matching torchvision; where none can be downloaded, scripts/setup.sh lets torch call `declare_operators` at its start in
the project's own .venv.
"""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

NON_MAXIMUM_SUPPRESSION = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_operators() -> None:
    """Declare the operators without which torchvision cannot be imported, unless they exist."""
    import torch

    if torchvision_lacks_operators():
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", NON_MAXIMUM_SUPPRESSION)


def torchvision_lacks_operators() -> bool:
    """Whether importing torchvision would fail in this process: it was built for CUDA, torch was not, and nobody has
    declared its operators. torchvision itself is not imported."""
    import torch

    return torch.version.cuda is None and _torchvision_needs_cuda() and not hasattr(torch.ops.torchvision, "nms")


def _torchvision_needs_cuda() -> bool:
    """Whether the installed torchvision was built for CUDA, by its version file: the metadata omits the build."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    try:
        return "+cu" in (Path(spec.origin).parent / "version.py").read_text()
    except OSError:
        return False


def matching_torchvision() -> str:
    """The command that replaces a CUDA build of torchvision with the same release for the CPU."""
    release = version("torchvision").partition("+")[0]
    index = "https://download.pytorch.org/whl/cpu"
    return f"pip install --force-reinstall --no-deps torchvision=={release}+cpu --index-url {index}"
