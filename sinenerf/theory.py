"""Theory of W = sin(omega U V^T): its initial variance, and its spectrum.

The stable rank measures how many singular values matter. The paper's result is that the sine raises the rank of U V^T;
`stable_rank` shows by how much (Ji et al., ICLR 2025).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def target_variance(in_features: int, activation: str | float) -> float:
    """Variance of W that preserves the variance of a signal through a layer: a^2 / in_features (He et al. 2015).

    a is `activation` itself if it is a number, else `torch.nn.init.calculate_gain` of its name.
    """
    a = nn.init.calculate_gain(activation) if isinstance(activation, str) else activation  # type: ignore[arg-type]
    return a**2 / in_features


def sine_variance(spread: float, rank: int) -> float:
    """E[sin^2 z] = (1 - (1 + 4 spread^2 / rank)^(-rank / 2)) / 2 of a phase z = omega sum_k u_k v_k.

    The factors are normal, and `spread` is the standard deviation of z: see `sinenerf.layers.SineLowRankLinear`.
    """
    return -0.5 * math.expm1(-0.5 * rank * math.log1p(4 * spread**2 / rank))


def singular_values(weight: Float[Tensor, "m n"]) -> Float[Tensor, " k"]:
    """Singular values of a matrix in descending order, computed in float64 on the CPU. (m, n) -> (min(m, n),)."""
    return torch.linalg.svdvals(weight.detach().cpu().double())


def stable_rank(weight: Float[Tensor, "m n"]) -> float:
    """||W||_F^2 / ||W||_2^2: at most rank(W), and insensitive to rounding. 0 for the zero matrix."""
    return stable_rank_of(singular_values(weight))


def stable_rank_of(values: Float[Tensor, " k"]) -> float:
    """The stable rank of a matrix with these singular values, in descending order."""
    return float((values**2).sum() / values[0] ** 2) if values[0] > 0 else 0.0
