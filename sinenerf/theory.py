"""What is known of W = sin(omega U V^T): its variance at the start, and its spectrum."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def target_variance(in_features: int, activation: str | float) -> float:
    """Variance of W that keeps a signal's size through a layer: a^2 / in_features (He et al. 2015).

    a is the factor itself, or that of an activation which `torch.nn.init.calculate_gain` knows.
    """
    a = nn.init.calculate_gain(activation) if isinstance(activation, str) else activation  # type: ignore[arg-type]
    return a**2 / in_features


def sine_variance(spread: float, rank: int) -> float:
    """E[sin^2 z] of a phase z = omega sum_k u v with normal factors and standard deviation `spread`."""
    return -0.5 * math.expm1(-0.5 * rank * math.log1p(4 * spread**2 / rank))


def singular_values(weight: Float[Tensor, "m n"]) -> Float[Tensor, " k"]:
    """Singular values of a matrix in falling order, computed in float64 on the CPU. (m, n) -> (min(m, n),)."""
    return torch.linalg.svdvals(weight.detach().cpu().double())


def stable_rank(weight: Float[Tensor, "m n"]) -> float:
    """||W||_F^2 / ||W||_2^2: a rank that rounding cannot change, at most rank(W). 0 for the zero matrix."""
    return stable_rank_of(singular_values(weight))


def stable_rank_of(values: Float[Tensor, " k"]) -> float:
    """The stable rank of a matrix with these singular values, in falling order."""
    return float((values**2).sum() / values[0] ** 2) if values[0] > 0 else 0.0
