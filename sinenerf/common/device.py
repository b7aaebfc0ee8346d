"""Which device to use, and what it is good at."""

from functools import cache
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
"""Number format of products; auto is what `multiplies_bfloat16` says."""


def best_device() -> Literal["cuda", "mps", "cpu"]:
    """CUDA where there is a GPU that torch can use, then Apple's, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@cache
def multiplies_bfloat16(device: str) -> bool:
    """Whether a kind of device ("cuda", "mps", "cpu") multiplies bfloat16 matrices faster than float32 ones."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:  # not Linux: such processors are rare there, and emulation would be several times slower
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
