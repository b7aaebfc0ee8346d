"""Fitting the factors of a layer to a given weight, such as a pretrained one, in the Frobenius norm."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.factored import FactoredLinear
from sinenerf.layers import SineLowRankLinear


def fit_weight(layer: FactoredLinear, weight: Float[Tensor, "out in"], steps: int = 60) -> float:
    """Fit a layer's factors, and a sine layer's gain, to a weight.

    Low rank: the truncated singular value decomposition, which is optimal (Eckart, Young 1936), computed by
    power iteration (Halko, Martinsson, Tropp 2011). Sine: the same decomposition, at phases of the layer's `spread`
    where sin z is nearly z, then L-BFGS on ||sin(omega U V^T) / g - W||^2 over U, V and g. So it starts about as close
    as low rank, and any further decrease is due to the sine.

    Args:
        steps: iterations of L-BFGS, each of which builds W a few times. Low rank needs none.

    Returns:
        The residual ||W_layer - W|| / ||W||. 0 for a weight of zeros, for which U becomes zero and V is kept, as in
        LoRA: were both zero, neither would have a gradient.

    Raises:
        ValueError: the layer is anchored: a fit moves all rows of V.
    """
    if layer.anchored:
        raise ValueError("an anchored layer cannot be fitted: a fit moves all rows of V, some of which are fixed here")
    target = weight.detach().to(layer.U)
    exact = target.float()
    size = float(exact.norm())
    if size == 0:
        nn.init.zeros_(layer.U)
        return 0.0
    u, v = _truncated(exact, layer.rank)
    with torch.no_grad():
        if isinstance(layer, SineLowRankLinear):
            u, v, gain = _fit_sine(u, v, exact, layer.spread, steps)
            scale = math.sqrt(float(layer.omega))
            u, v = u / scale, v / scale
            layer.gain.fill_(gain)
        layer.U.copy_(u)
        layer.V.copy_(v)
        return float((layer.build().float() - exact).norm()) / size


def _truncated(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factors of the nearest matrix of a given rank, each scaled by the square roots of the singular values."""
    u, s, v = torch.svd_lowrank(weight, q=min(rank + 16, *weight.shape), niter=8)
    root = s[:rank].sqrt()
    return u[:, :rank] * root, v[:, :rank] * root


@torch.enable_grad()
def _fit_sine(u: Tensor, v: Tensor, weight: Tensor, spread: float, steps: int) -> tuple[Tensor, Tensor, float]:
    """(u, v, g) for sin(u v^T) / g, from factors of a plain low-rank matrix."""
    low = (u @ v.T).detach()
    # even the largest entries must start on the first rising part of the sine
    gain = min(spread / float(low.square().mean().sqrt()), 1 / float(low.abs().max()))
    u, v = (factor.mul(math.sqrt(gain)).requires_grad_() for factor in (u, v))
    log_gain = torch.tensor(math.log(gain), device=u.device, requires_grad=True)
    power = weight.square().sum()
    optimizer = torch.optim.LBFGS([u, v, log_gain], max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (torch.sin(u @ v.T) / log_gain.exp() - weight).square().sum() / power
        loss.backward()
        return loss

    optimizer.step(closure)
    return u.detach(), v.detach(), math.exp(float(log_gain.detach()))
