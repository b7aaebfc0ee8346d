"""The tensors of a .sine file, quantised or in float32, and how they relate to a module's parameters."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

GAUSSIAN_WIDTH = math.sqrt(2 * math.pi * math.e)
"""Numbers with a Gaussian distribution, whose standard deviation is t steps, take log2(t GAUSSIAN_WIDTH) bits each: a
uniform distribution of this width has the differential entropy of the Gaussian of standard deviation 1."""
SMALLEST_STEP, LARGEST_STEP = 2.0**-44, 2.0**19
"""Steps are bfloat16 numbers from the first to the second."""


@dataclass
class QuantisedTensor:
    """A tensor of integers and their step: values = integers * step."""

    integers: Int[np.ndarray, "*shape"]
    """At most 2^14 in absolute value."""
    step: float
    """A bfloat16 from 2^-44 to 2^19: `nearest_step`."""

    def values(self) -> Float[np.ndarray, "*shape"]:
        """The tensor in float32."""
        with np.errstate(over="ignore"):  # a damaged file's step may overflow: the reader checks
            return np.asarray(self.integers.astype(np.float32) * np.float32(self.step))


def nearest_step(step: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Steps as a file holds them."""
    return step.clamp(SMALLEST_STEP, LARGEST_STEP).bfloat16().to(step)


StoredTensor = QuantisedTensor | np.ndarray
"""A tensor of a file: quantised, or an array in float32."""


def values_of(tensor: StoredTensor) -> Float[np.ndarray, "*shape"]:
    """The values of a stored tensor in float32."""
    return tensor.values() if isinstance(tensor, QuantisedTensor) else tensor


def size_of(tensor: StoredTensor) -> int:
    """The number of values in a stored tensor."""
    return tensor.integers.size if isinstance(tensor, QuantisedTensor) else tensor.size


def stored_tensors(
    module: nn.Module, names: Iterable[str], quantised: Mapping[str, QuantisedTensor]
) -> list[StoredTensor]:
    """The named parameters of a module as a file stores them.

    Args:
        quantised: by name. A parameter is stored quantised where it still equals this tensor, else in float32.
    """
    parameters, stored = dict(module.named_parameters()), []
    for name in names:
        exact, candidate = parameters[name].detach().cpu().float().numpy(), quantised.get(name)
        stored.append(candidate if candidate is not None and np.array_equal(candidate.values(), exact) else exact)
    return stored


@torch.no_grad()
def load_tensors(module: nn.Module, tensors: Mapping[str, StoredTensor]) -> dict[str, QuantisedTensor]:
    """Copy the values of stored tensors into the parameters of the same names. Returns the quantised ones."""
    for name, parameter in module.named_parameters():
        parameter.copy_(torch.from_numpy(values_of(tensors[name])))
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, QuantisedTensor)}
