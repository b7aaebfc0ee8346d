"""The curvature of the loss: how much each parameter of a trained network matters, and which ones are coupled.

For a loss l(z) of a network's single output z, the Gauss-Newton matrix is H = mean of l''(z) J^T J over points, where
the rows of J are the derivatives of z with respect to the parameters. l'' is large at few points, so points are drawn
in proportion to it, and H is the mean of their J^T J. One backward pass gives the derivatives d with respect to the
output of every linear layer y = W x + b; those with respect to W, its factors and b follow from d and x in closed form.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg.blas import ssyrk
from torch import Tensor, nn

from sinenerf.common.settings import Loss
from sinenerf.factored import FactoredLinear
from sinenerf.layers import SineLowRankLinear

Jacobian = Float[Tensor, "points parameters"]
POINTS = 2**13
"""At which H of 1,024 parameters is evaluated. With a quarter of them, what suits these points is worse at others."""
CANDIDATES = 8
"""Training points from which each of them is drawn."""
CHUNK = 1024
"""Points per batch: their derivatives fit into a processor's cache."""


@dataclass(frozen=True)
class Rows:
    """A range of rows of a parameter tensor."""

    layer: str
    """Name of the layer in the network."""
    leaf: str
    """Name of the parameter in the layer."""
    first: int
    stop: int


def jacobian(network: nn.Module, points: Float[Tensor, "points dims"], parts: Sequence[Rows]) -> Jacobian:
    """Derivatives of a network's output with respect to the parameters in `parts`, each flattened, in order.

    Args:
        network: consists of linear layers, dense or factored, that are called as modules; has one output per point.
    """
    layers = {part.layer: network.get_submodule(part.layer) for part in parts}
    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def watch(name: str):
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            seen[name] = inputs[0].detach(), output
            return output.clone()  # relu works in place

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
        columns = [_columns(layers[part.layer], part, seen[part.layer][0], by_output[part.layer]) for part in parts]
        return torch.cat(columns, dim=1)


def _columns(layer: nn.Module, part: Rows, x: Float[Tensor, "points in"], d: Float[Tensor, "points out"]) -> Jacobian:
    """The columns of J for some rows of a parameter, from the layer's input x and the derivatives d for its output."""
    rows = slice(part.first, part.stop)
    if part.leaf == "bias":
        return d[:, rows]
    if isinstance(layer, nn.Linear):
        return (d[:, rows, None] * x[:, None, :]).flatten(1)
    assert isinstance(layer, FactoredLinear)
    (U, V), C = layer.factors, layer.slope()
    if part.leaf == "U":  # d_i sum_j x_j C_ij V_jr
        by_row = x @ (C.T[:, rows, None] * V[:, None, :]).flatten(1)
        return (by_row.view(len(x), -1, layer.rank) * d[:, rows, None]).flatten(1)
    if part.leaf == "V":  # x_j sum_i d_i C_ij U_ir
        rows = slice(part.first + layer.anchored, part.stop + layer.anchored)
        by_row = d @ (C[:, rows, None] * U[:, None, :]).flatten(1)
        return (by_row.view(len(x), -1, layer.rank) * x[:, rows, None]).flatten(1)
    assert isinstance(layer, SineLowRankLinear)
    # dW / d omega = U V^T C / omega, dW / d gain = -W / gain
    slope = U @ V.T * C / layer.omega if part.leaf == "omega" else -layer.build() / layer.gain
    return ((x @ slope.T) * d).sum(1, keepdim=True)


def draw_points(
    network: nn.Module, points: Float[Tensor, "candidates dims"], count: int, loss: Loss
) -> Float[Tensor, "count dims"]:
    """Draw `count` of these points in proportion to the second derivative of the loss; a point may be drawn twice."""
    with torch.no_grad():
        p = torch.sigmoid(network(points))[:, 0].cpu().double()  # Apple's GPUs have no float64
    # l'' is p (1 - p) for the cross-entropy, and about 2 (p (1 - p))^2 for the squared error
    weight = p * (1 - p) if loss == "cross-entropy" else (p * (1 - p)).square()
    shares = weight.cumsum(0) / weight.sum().clamp_min(1e-300)
    places = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return points[torch.searchsorted(shares, places).clamp_max(len(points) - 1).to(points.device)]


def gauss_newton(
    network: nn.Module, points: Float[Tensor, "points dims"], start: int, stop: int, outputs: Float[Tensor, "points 1"]
) -> tuple[Float[Tensor, "parameters parameters"], Float[Tensor, " parameters"]]:
    """J^T J / points and J^T (z - z_0) / points for the parameters from `start` to `stop`, in the order of
    `network.parameters()`, on the CPU.

    For points from `draw_points` the first is H up to a factor, and the second is to it what a gradient is.

    Args:
        outputs: z_0, which the network's outputs z should be.
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
    count = stop - start
    total = np.zeros((count, count), np.float32, order="F")
    pull = np.zeros(count, np.float32)
    for some, wanted in zip(points.split(CHUNK), outputs.split(CHUNK), strict=True):
        J = jacobian(network, some, parts)[:, skipped : skipped + count].float().cpu().numpy()
        total = ssyrk(1 / len(points), J.T, beta=1.0, c=total, overwrite_c=True)  # half of J^T J, which is symmetric
        pull += J.T @ (network(some) - wanted)[:, 0].detach().float().cpu().numpy() / len(points)
    return torch.from_numpy(np.triu(total) + np.triu(total, 1).T), torch.from_numpy(pull)


class Deviation:
    """How far a network that is being rounded is from what it was at first, as `CurvatureRounding` needs it.

    Args:
        points: gives that many training points, others at each call.
        loss: of the network's output against a label.
    """

    def __init__(self, network: nn.Module, points: Callable[[int], Float[Tensor, "n dims"]], loss: Loss) -> None:
        self.network, self.points, self.loss = network, points, loss
        self.trained = copy.deepcopy(network)

    def __call__(
        self, start: int, stop: int
    ) -> tuple[Float[Tensor, "parameters parameters"], Float[Tensor, " parameters"]]:
        """H and J^T (z - z_0) for the parameters from `start` to `stop`, at new points."""
        points = draw_points(self.network, self.points(CANDIDATES * POINTS), POINTS, self.loss)
        with torch.no_grad():
            outputs = self.trained(points)
        return gauss_newton(self.network, points, start, stop, outputs)
