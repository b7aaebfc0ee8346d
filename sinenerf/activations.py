"""Activations of a coordinate network.

    relu        max(0, z)
    gaussian    exp(-(b z)^2 / 2)      Ramasinghe and Lucey 2022, "Beyond Periodicity", with b = 1 / sigma
    sine        sin(b z)               Sitzmann et al. 2020, SIREN, with b = omega_0

b, the bandwidth, determines the finest detail that one layer can represent. The backward passes are written by hand,
since these functions run on every sample of every layer: two passes over memory each way instead of autograd's four or
five.
"""

import math
from typing import Any, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from sinenerf.common.settings import Activation

PHASE = {"gaussian": 3.0, "sine": 1.0}
"""Initial standard deviation of b z between two layers."""


class _Gaussian(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, bandwidth: float) -> Tensor:
        h = torch.addcmul(z.new_zeros(()), z, z, value=-0.5 * bandwidth**2).exp_()
        ctx.save_for_backward(z, h)
        ctx.bandwidth = bandwidth
        return h

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        z, h = ctx.saved_tensors
        return torch.addcmul(z.new_zeros(()), gradients[0] * h, z, value=-(ctx.bandwidth**2)), None


class _Sine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, bandwidth: float) -> Tensor:
        ctx.save_for_backward(z)  # an input: second derivatives pass through it
        ctx.bandwidth = bandwidth
        return torch.sin(z * bandwidth)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        slope = torch.cos(z * ctx.bandwidth)
        return torch.addcmul(z.new_zeros(()), slope, gradients[0], value=ctx.bandwidth), None


def activate(
    z: Float[Tensor, "*batch width"], activation: Activation, bandwidth: float = 1.0
) -> Float[Tensor, "*batch width"]:
    """Apply an activation to z. relu works in place.

    Raises:
        ValueError: unknown activation.
    """
    if activation == "relu":
        return F.relu_(z)
    if activation == "gaussian":
        return _Gaussian.apply(z, bandwidth)
    if activation == "sine":
        return _Sine.apply(z, bandwidth)
    raise ValueError(f"no activation is called {activation!r}: choose {', '.join(get_args(Activation))}")


def hidden_gain(activation: Activation, bandwidth: float = 1.0) -> float:
    """The gain a in Var W = a^2 / in_features of a hidden layer, such that b z keeps its standard deviation t.

    relu: sqrt 2, for any t (He et al. 2015). The others: a = t / (b sqrt E[h^2]), where h is the activation of z:
    E[h^2] = E[exp(-z^2)] = (1 + 2 t^2)^(-1/2) for the Gaussian, E[sin^2 z] = (1 - exp(-2 t^2)) / 2 for the sine. t is 1
    for the sine, as in SIREN, and 3 for the Gaussian: measured, see docs/experiments.md.
    """
    if activation == "relu":
        return math.sqrt(2)
    t = PHASE[activation]
    power = (1 + 2 * t**2) ** -0.5 if activation == "gaussian" else -math.expm1(-2 * t**2) / 2
    return t / (bandwidth * math.sqrt(power))
