"""Which device to use."""

from typing import Literal


def best_device() -> Literal["cuda", "mps", "cpu"]:
    """CUDA where there is a GPU that torch can use, then Apple's, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
