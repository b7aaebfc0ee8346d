"""Does Muon, on the factors or on their product, train a sine or a low-rank network further than SOAP?

    python scripts/experiment_muon.py dragon.ply --bytes 3000 --steps 6000

Muon steps along the orthogonal factor of the momentum (Jordan et al. 2024). *On the factors*, each of U and V has its
own. *On the product*, O is that of the momentum of the gradient of Z = U V^T, and U and V take the steps that realise
it, O V (V^T V)^-1 and O^T U (U^T U)^-1, half of it each. All other parameters are trained by SOAP, nothing is rounded.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch import Tensor, nn

from sinenerf.common.console import interruptible
from sinenerf.common.optimization import make_optimizer
from sinenerf.common.progress import TaskProgress
from sinenerf.factored import FactoredLinear, factored_layers
from sinenerf.occupancy.evaluate import Truth
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training

MOMENTUM = 0.95
NEWTON_SCHULZ = 3.4445, -4.7750, 2.0315
"""Coefficients of the iteration."""
DAMPING = 1e-2
"""Multiple of their mean eigenvalue that is added to V^T V and U^T U."""
Way = Literal["soap", "factors", "product"]


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal factor of a matrix, by five Newton-Schulz steps, with entries of mean square 1."""
    tall = matrix.shape[0] > matrix.shape[1]
    X = matrix.T if tall else matrix
    X = X / (X.norm() + 1e-12)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        A = X @ X.T
        X = a * X + (b * A + c * A @ A) @ X
    return (X.T if tall else X) * max(matrix.shape) ** 0.5


class ProductSteps:
    """Muon for the factors of a field's layers, SOAP for its other parameters.

    Args:
        scale: learning rate of the factors, relative to SOAP's.
    """

    def __init__(self, field: OccupancyField, way: Way, rate: float, scale: float) -> None:
        self.way, self.scale, self.layers = way, scale, list(factored_layers(field))
        self.factors = [p for layer in self.layers for p in (layer.U, layer.V)]
        mine = {id(p) for p in self.factors} if way != "soap" else set()
        self.soap = make_optimizer("soap", [p for p in field.parameters() if id(p) not in mine], rate, compiled=True)
        self.param_groups, self.parameters = self.soap.param_groups, list(field.parameters())
        self.momentum: dict[int, Tensor] = {}

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        self.soap.step()
        rate = self.param_groups[0]["lr"] * self.scale
        for layer in self.layers if self.way == "product" else []:
            self._product_step(layer, rate)
        for factor in self.factors if self.way == "factors" else []:
            assert factor.grad is not None
            factor -= rate * factor.std() * orthogonal(self._averaged(factor, factor.grad))

    def _product_step(self, layer: FactoredLinear, rate: float) -> None:
        U, V = layer.factors
        assert layer.U.grad is not None and layer.V.grad is not None
        # the gradient of Z is known where it acts on U and V only: its least-squares reconstruction from both
        inverse_u, inverse_v = (inverse_square(factor) for factor in (U, V))
        from_u = layer.U.grad @ inverse_v @ V.T
        rest = layer.V.grad - from_u.T[layer.anchored :] @ U
        whole = torch.cat([torch.zeros(layer.anchored, layer.rank), rest])
        G = from_u + U @ inverse_u @ whole.T
        target = orthogonal(self._averaged(layer.U, G)) * (U @ V.T).std()
        layer.U -= rate / 2 * target @ V @ inverse_v
        layer.V -= rate / 2 * (target.T @ U @ inverse_u)[layer.anchored :]

    def _averaged(self, key: nn.Parameter, gradient: Tensor) -> Tensor:
        """Nesterov's momentum."""
        mean = self.momentum.setdefault(id(key), torch.zeros_like(gradient))
        mean.lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(mean, MOMENTUM)


def inverse_square(factor: Tensor) -> Tensor:
    """(F^T F)^-1, damped."""
    square = factor.T @ factor
    square.diagonal().add_(DAMPING * square.diagonal().mean())
    return torch.linalg.inv(square)


@dataclass
class Options:
    mesh: Annotated[Path, tyro.conf.Positional]
    """Mesh to fit."""
    bytes: int = 3000
    """Bytes of a file."""
    layers: tuple[Literal["sine", "low-rank"], ...] = ("sine",)
    """Kinds of the hidden layers."""
    steps: int = 6000
    """Steps of a training."""
    scales: tuple[float, ...] = (1.0, 3.0, 10.0)
    """Learning rates of the factors relative to SOAP's, which is the one of `sinenerf fit`."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the networks."""
    pool: int = 500_000
    """Labelled points."""


def main(options: Options) -> None:
    mesh = read_mesh(options.mesh)[0]
    solid = Solid(mesh, Placement.of(mesh))
    truth = Truth(mesh, solid.placement, seed=5)
    ways: list[tuple[Way, float]] = [("soap", 1.0)]
    ways += [(way, scale) for way in ("factors", "product") for scale in options.scales]  # type: ignore[misc]
    for layer in options.layers:
        architecture, config = split_settings({"bytes": options.bytes, "layer": layer, "pool": options.pool})
        for way, scale in ways:
            for seed in options.seeds:
                torch.manual_seed(seed)
                field = OccupancyField(architecture, solid.placement)
                settings = replace(config, bytes=None, bits=32, steps=options.steps)
                training = Training(field, solid, settings, TaskProgress("Fitting", False))
                training.optimizer = ProductSteps(field, way, config.learning_rate, scale)  # type: ignore[assignment]
                start = time.process_time()
                with interruptible() as stop:
                    for _ in training.run(stop):
                        pass
                seconds = time.process_time() - start
                training.finish()
                score = truth.evaluate_field(field, 0, None)
                row = [layer, way, f"x {scale:g}", f"seed {seed}", f"{score.iou:.4f}", f"{score.iou_near:.4f}"]
                print(" | ".join([*row, f"{seconds:.0f} s"]), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
