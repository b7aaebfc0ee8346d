"""How much each number of a network matters, and together with which others: the curvature of a training's loss.

For a loss l(z) of a network's one output z, the Gauss-Newton matrix is H = mean of l''(z) J^T J over points, where J
holds the derivatives of z by the parameters, point by point. l'' is large at few points, so these are drawn by it, and
H is J^T J of them. One backward pass gives the derivatives d by what every linear layer y = W x + b puts out, and from
them and x those by W, its factors and b follow in closed form.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.common.settings import Loss
from sinenerf.factored import FactoredLinear
from sinenerf.layers import SineLowRankLinear

Jacobian = Float[Tensor, "points numbers"]
CHUNK = 1024
"""Points at once: their derivatives stay within a cache."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a parameter."""

    layer: str
    leaf: str
    """Of the layer's parameters."""
    first: int
    stop: int


def jacobian(network: nn.Module, points: Float[Tensor, "points dims"], parts: Sequence[Rows]) -> Jacobian:
    """Derivatives of a network's output by the numbers of `parts`, flattened one after the other.

    Args:
        network: of linear layers, dense or factored, that are called as modules; one output for a point.
    """
    layers = {part.layer: network.get_submodule(part.layer) for part in parts}
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def watch(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            seen[name] = inputs[0].detach(), output
            return output.clone()  # relu overwrites what it is given

        return hook

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    try:
        with torch.enable_grad():
            gradients = torch.autograd.grad(network(points).sum(), [seen[name][1] for name in layers])
    finally:
        for handle in hooks:
            handle.remove()
    by_output = dict(zip(layers, gradients, strict=True))
    with torch.no_grad():
        columns = [_of_rows(layers[part.layer], part, seen[part.layer][0], by_output[part.layer]) for part in parts]
        return torch.cat(columns, dim=1)


def _of_rows(layer: nn.Module, part: Rows, x: Float[Tensor, "points in"], d: Float[Tensor, "points out"]) -> Jacobian:
    """From d, the derivatives by a layer's output."""
    rows = slice(part.first, part.stop)
    if part.leaf == "bias":
        return d[:, rows]
    if isinstance(layer, nn.Linear):
        return (d[:, rows, None] * x[:, None, :]).flatten(1)
    assert isinstance(layer, FactoredLinear)
    (U, V), C = layer.factors, layer.slope()
    if part.leaf == "U":  # d_i sum_j x_j C_ij V_jr
        of_row = x @ (C.T[:, rows, None] * V[:, None, :]).flatten(1)
        return (of_row.view(len(x), -1, layer.rank) * d[:, rows, None]).flatten(1)
    if part.leaf == "V":  # x_j sum_i d_i C_ij U_ir
        rows = slice(part.first + layer.anchored, part.stop + layer.anchored)
        of_row = d @ (C[:, rows, None] * U[:, None, :]).flatten(1)
        return (of_row.view(len(x), -1, layer.rank) * x[:, rows, None]).flatten(1)
    assert isinstance(layer, SineLowRankLinear)
    # omega and gain move all of W at once: by U V^T C / omega, and by -W / gain
    of_all = U @ V.T * C / layer.omega if part.leaf == "omega" else -layer.build() / layer.gain
    return ((x @ of_all.T) * d).sum(1, keepdim=True)


def important(
    network: nn.Module, points: Float[Tensor, "many dims"], count: int, loss: Loss
) -> Float[Tensor, "points dims"]:
    """Of many points so many, those that the loss's second derivative weighs more the more often."""
    with torch.no_grad():
        p = torch.sigmoid(network(points))[:, 0].cpu().double()  # Apple's GPUs have no float64
    # by the output: p (1 - p) of the cross-entropy, about 2 (p (1 - p))^2 of the squared error
    weight = p * (1 - p) if loss == "cross-entropy" else (p * (1 - p)).square()
    shares = weight.cumsum(0) / weight.sum().clamp_min(1e-300)
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return points[torch.searchsorted(shares, places).clamp_max(len(points) - 1).to(points.device)]


def gauss_newton(
    network: nn.Module, points: Float[Tensor, "points dims"], start: int, stop: int
) -> Float[Tensor, "numbers numbers"]:
    """J^T J / points, of the numbers from `start` to `stop` in the order of `network.named_parameters()`, on the CPU.

    Of `important` points it is H, up to a factor.
    """
    parts: list[Rows] = []
    skipped = offset = 0
    for name, parameter in network.named_parameters():
        width = parameter.shape[-1] if parameter.ndim == 2 else 1
        first, end = max(0, start - offset) // width, min(parameter.numel(), stop - offset)
        if end > first * width:
            if not parts:
                skipped = start - offset - first * width
            layer, _, leaf = name.rpartition(".")
            parts.append(Rows(layer, leaf, first, -(-end // width)))
        offset += parameter.numel()
    total = torch.zeros(stop - start, stop - start)
    for some in points.split(CHUNK):
        J = jacobian(network, some, parts)[:, skipped : skipped + stop - start]
        total += (J.T @ J).cpu()
    return total / len(points)
