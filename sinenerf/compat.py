"""A CUDA build of torchvision beside a CPU build of torch, as package registries hand them out.

torchvision's compiled part then cannot load, and its import dies with "operator torchvision::nms does not exist",
taking nerfstudio along, though neither nerfstudio nor we call those operators. torch runs `declare_operators` at the
end of `import torch`, through its documented `torch.backends` entry points, wherever sinenerf is installed.
"""

from importlib.util import find_spec
from pathlib import Path

NON_MAXIMUM_SUPPRESSION = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def declare_operators() -> None:
    """Declare the operators whose absence stops the import. Does nothing where torchvision can load its own."""
    import torch

    if torch.version.cuda is None and torchvision_needs_cuda():
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", NON_MAXIMUM_SUPPRESSION)


def torchvision_needs_cuda() -> bool:
    """Whether the torchvision that is installed was built for CUDA; read from its version, without importing it."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    try:
        return "+cu" in (Path(spec.origin).parent / "version.py").read_text()
    except OSError:
        return False
