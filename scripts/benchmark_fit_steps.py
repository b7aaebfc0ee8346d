"""Steps a second of fitting a shape: the compiled loss and SOAP, against autograd and pytorch_optimizer's SOAP.

    python scripts/benchmark_fit_steps.py

Both train the same network on the same points, a few steps in turn in one process, with the settings that `sinenerf
fit` chooses for the size. The loss and the optimiser are compared whole, and autograd uses bfloat16 where the processor
multiplies it. The last column is the time that rounding by curvature takes.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from pytorch_optimizer import SOAP

from sinenerf.common import hardware
from sinenerf.common.optimization import BETAS, SHAMPOO_BETA
from sinenerf.common.progress import TaskProgress
from sinenerf.datasets.knot import knot_mesh
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.loss import AutogradLoss
from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training

TURN = 20


@dataclass
class Options:
    sizes: tuple[int, ...] = (1000, 3000, 12000, 28000)
    """Bytes of the files whose networks are trained."""
    layers: tuple[str, ...] = ("sine", "dense")
    """Kinds of layer."""
    rounds: int = 10
    """Turns of each, of 20 steps, after three that warm up."""
    output: Path = Path("scripts/results/fit_steps.json")
    """Result file."""


def main(options: Options) -> None:
    mesh = prepare_mesh(knot_mesh())[0]
    solid = Solid(mesh, Placement.of(mesh))
    rows = [compare(solid, layer, size, options.rounds) for layer in options.layers for size in options.sizes]
    hardware.write_figures(options.output, {"networks": rows})
    for row in rows:
        print(row)


def compare(solid: Solid, layer: str, size: int, rounds: int) -> dict[str, float | str]:
    """Median milliseconds of a step, of both, and seconds of rounding."""
    architecture, config = split_settings({"layer": layer, "bytes": size, "steps": 10**6, "pool": 200_000})
    trainings = {
        name: Training(OccupancyField(architecture, solid.placement), solid, config, TaskProgress("Fitting", False))
        for name in ("compiled", "autograd")
    }
    peer = trainings["autograd"]
    network = peer.field.network
    peer.gradients = AutogradLoss(network, config.loss, peer.device, hardware.multiplies_bfloat16("cpu"))
    peer.optimizer = SOAP(network.parameters(), config.learning_rate, BETAS, SHAMPOO_BETA, weight_decay=0.0)
    seconds: dict[str, list[float]] = {name: [] for name in trainings}
    for _ in range(rounds + 3):
        for name, training in trainings.items():
            start = time.perf_counter()
            for _ in range(TURN):
                training._train_step()
            seconds[name].append((time.perf_counter() - start) / TURN)
    trainings["compiled"].finish()
    rounding = trainings["compiled"].rounding_seconds
    compiled, autograd = (1000 * float(np.median(seconds[name][3:])) for name in ("compiled", "autograd"))
    return {
        "layer": layer,
        "bytes": size,
        "width": architecture.width,
        "batch": config.batch,
        "threads": torch.get_num_threads(),
        "compiled_ms": round(compiled, 2),
        "autograd_ms": round(autograd, 2),
        "ratio": round(autograd / compiled, 2),
        "rounding_s": round(rounding, 2),
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
