"""What a better search for the integers saves: a trained network, rounded at once by both ways, at several sizes.

    python scripts/experiment_rounding.py dragon.ply --layer sine --bytes 1000

Nearest plane in the order of the network, which `sinenerf fit` used before, against the sorted order with 32 survivors
(`sinenerf/rounding/lattice_search.py`). Printed is the held-out cross-entropy less the least that the labels allow,
without any training after the rounding.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import tyro
from torch import Tensor

from sinenerf.common.console import Stop
from sinenerf.common.progress import TaskProgress
from sinenerf.common.settings import LayerKind
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sampling import SurfaceSampler
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training
from sinenerf.rounding import by_curvature, lattice_search
from sinenerf.rounding.lattice_search import sorted_root

HELD_OUT = 100_000


@dataclass
class Options:
    mesh: Annotated[Path, tyro.conf.Positional]
    """Mesh to fit."""
    layer: tuple[LayerKind, ...] = ("sine", "dense")
    """Kinds of the hidden layers."""
    bytes: tuple[int, ...] = (1000, 3000)
    """Bytes for which the network is chosen."""
    shares: tuple[float, ...] = (0.85, 0.9, 0.95, 1.0, 1.05)
    """Sizes of the rounded file, relative to these bytes."""
    steps: int = 3000
    """Steps of the training."""
    pool: int = 500_000
    """Labelled points."""
    seed: int = 0
    """Seed of points and networks."""


def given_order(root: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
    """In place of `sorted_root`."""
    return torch.arange(len(root)), root


def search_as(name: str) -> None:
    """Choose the search for the integers."""
    chosen = sorted_root if name == "sorted, 32" else given_order
    by_curvature.sorted_root = lattice_search.sorted_root = chosen  # type: ignore[attr-defined]
    lattice_search.SURVIVORS = 32 if name == "sorted, 32" else 1


def main(options: Options) -> None:
    mesh = read_mesh(options.mesh)[0]
    solid = Solid(mesh, Placement.of(mesh))
    points, inside = SurfaceSampler(solid, options.seed + 1, HELD_OUT).batch(0, HELD_OUT)
    least = F.binary_cross_entropy(inside, inside)

    @torch.no_grad()
    def excess(field: OccupancyField) -> float:
        return float(F.binary_cross_entropy_with_logits(field.logits(points)[:, None], inside) - least)

    for size in options.bytes:
        for layer in options.layer:
            settings = {"layer": layer, "bytes": size, "pool": options.pool, "seed": options.seed}
            architecture, config = split_settings(settings)
            torch.manual_seed(options.seed)
            field = OccupancyField(architecture, solid.placement)
            free = replace(config, bytes=None, bits=32, steps=options.steps)
            training = Training(field, solid, free, TaskProgress("Fitting", False))
            for _ in training.run(Stop()):
                pass
            trained = {name: value.clone() for name, value in field.state_dict().items()}
            print(f"{layer}, {size} bytes, {field.parameters_count} parameters, not rounded: {excess(field):.5f}")
            for share in options.shares:
                row = [f"{round(share * size)} bytes"]
                for name in ("nearest plane", "sorted, 32"):
                    search_as(name)
                    field.load_state_dict(trained)
                    for _ in training.rounding(round(share * size)).run():
                        pass
                    row.append(f"{name} {excess(field):.5f}")
                print("  " + ", ".join(row), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
