"""From which asymmetry on does it cost more than it gains to fit one half of a shape and mirror it?

    python scripts/experiment_mirror.py spot.obj homer.obj --bumps 0 0.02 --sizes 1000 3000 12000

Each mesh is bent on one side of its plane of symmetry (`--bumps`, in units of half the cube), which makes it as
asymmetric as one likes, and fitted whole and as one half at equal bytes and equal steps. A short training of both, not
rounded, tells what could be known beforehand.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import trimesh
import tyro

from sinenerf.occupancy.evaluate import Truth
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.mirror_trial import folding_cost
from sinenerf.occupancy.sampling import SurfaceSampler
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.symmetry import find_mirror

HELD_OUT = 2**16
BUMPS, WIDTH = 12, 0.15
"""Number of the bumps on one side, and their standard deviation in units of half the cube."""


@dataclass
class Options:
    meshes: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Meshes, nearly symmetric ones."""
    bumps: tuple[float, ...] = (0.0,)
    """Heights of the bumps, in units of half the cube."""
    sizes: tuple[int, ...] = (1000, 3000, 12000)
    """Bytes of a file."""
    steps: int = 5000
    """Steps of each fit."""
    trial: int = 500
    """Steps of the short training."""
    pool: int = 500_000
    """Labelled points a shape."""
    seed: int = 0
    """Seed of points and networks."""


def bent(mesh: trimesh.Trimesh, mirror: Mirror, height: float) -> trimesh.Trimesh:
    """The mesh with bumps and dents on the side of the plane that is fitted."""
    placement, (normal, offset) = Placement.of(mesh), mirror.plane()
    points = placement.to_cube(mesh.vertices)
    random = np.random.default_rng(0)
    side = points @ normal - offset
    centres = points[random.choice(np.flatnonzero(side > WIDTH), BUMPS)]
    waves = np.exp(-((points[:, None] - centres) ** 2).sum(-1) / (2 * WIDTH**2)) @ random.choice([-1, 1], BUMPS)
    waves *= np.clip(side / WIDTH, 0, 1)  # the other side and the seam stay
    moved = points + height * waves[:, None] * mesh.vertex_normals
    return prepare_mesh(trimesh.Trimesh(moved, mesh.faces, process=False))[0]


@torch.no_grad()
def excess(field: OccupancyField, points: torch.Tensor, inside: torch.Tensor) -> float:
    """Cross-entropy on held-out points, less the least that their labels allow."""
    least = F.binary_cross_entropy(inside, inside)
    return float(F.binary_cross_entropy_with_logits(field.logits(points)[:, None], inside) - least)


def main(options: Options) -> None:
    for path in options.meshes:
        whole = read_mesh(path)[0]
        mirror = find_mirror(Solid(whole, Placement.of(whole)))[0]
        for height in options.bumps:
            mesh = bent(whole, mirror, height) if height else whole
            compare(f"{path.stem} {height:g}", mesh, options)


def compare(name: str, mesh: trimesh.Trimesh, options: Options) -> None:
    """Fit a mesh whole and as one half, for each size, and print a row."""
    solid = Solid(mesh, Placement.of(mesh))
    mirror, difference = find_mirror(solid)
    truth = Truth(mesh, solid.placement, seed=5)
    points, inside = SurfaceSampler(solid, options.seed + 1, HELD_OUT).batch(0, HELD_OUT)
    cost = folding_cost(solid, mirror, points.double().numpy())
    for size in options.sizes:
        row = [name, f"{size} bytes", f"asymmetry {difference:.4f}", f"cost {cost:.5f}"]
        for plane in (None, mirror):
            solid.placement = replace(solid.placement, mirror=plane)
            settings = {"bytes": size, "seed": options.seed, "pool": options.pool, "mirror": "never"}
            architecture, config = split_settings(settings | {"steps": options.steps})
            field = fit(mesh, architecture, config, solid=solid)
            score = truth.evaluate_field(field, len(field.to_bytes()), None)
            short = replace(config, steps=options.trial, bytes=None, bits=32)
            trial = excess(fit(mesh, architecture, short, solid=solid), points, inside)
            loss = excess(field, points, inside)
            row += [f"{score.iou:.4f} {score.iou_near:.4f} loss {loss:.5f} trial {trial:.5f}"]
        print("  ".join(row), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
