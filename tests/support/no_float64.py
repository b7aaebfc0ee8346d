"""A mode in which creating a float64 tensor fails."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class NoFloat64(TorchDispatchMode):
    """Apple's GPUs have no float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        assert not isinstance(made, torch.Tensor) or made.dtype != torch.float64, func
        return made
