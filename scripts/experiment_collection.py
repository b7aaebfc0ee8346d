"""Do shapes of a collection need fewer bytes if their networks share parameters?

    python scripts/experiment_collection.py a.ply b.ply c.ply ...
    python scripts/experiment_collection.py armadillo.ply --poses 8

One network a shape, trained together: each step draws a batch of every shape and makes one step of SOAP. What is shared
is one tensor in all networks. The width is the largest for which all parameters, shared ones counted once, fit the
bytes at 6.5 bits each; nothing is rounded. Every variant gets the same processor time.
"""

import math
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import trimesh
import tyro
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sinenerf.common.optimization import make_optimizer, warm_cosine
from sinenerf.common.settings import LayerKind
from sinenerf.factored import linear_layers
from sinenerf.networks import ScalarMLP
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.evaluate import NEAR, iou
from sinenerf.occupancy.loss import FusedLoss
from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh
from sinenerf.occupancy.sampling import SurfaceSampler
from sinenerf.occupancy.sizing import BITS_PER_PARAMETER
from sinenerf.occupancy.solid import Placement, Solid

BATCH = 2048
BEND = 0.25
"""Size of the random deformation of a pose, in units of half the cube."""


@dataclass(frozen=True)
class Variant:
    """What the networks of a collection have in common."""

    name: str
    layer: LayerKind = "dense"
    rank: int = 4
    shared: tuple[str, ...] = ()
    """Parameters whose name contains one of these are shared."""
    update: int = 0
    """Rank of a shape's own change A B^T of each shared hidden matrix."""
    pull: float = 0.0
    """Rate, relative to the learning rate, at which parameters move to their mean over the shapes."""
    learning_rate: float = 5e-3


INPUT, HIDDEN = "layers.0.", ("layers.1.weight", "layers.2.weight")
VARIANTS = (
    Variant("dense, separate"),
    Variant("sine, separate, k = 6", "sine", 6, learning_rate=7e-3),
    Variant("sine, V shared, k = 6", "sine", 6, (".V",), learning_rate=7e-3),
    Variant("sine, V and first layer shared, k = 6", "sine", 6, (".V", INPUT), learning_rate=7e-3),
    Variant("sine, V and first layer shared, k = 12", "sine", 12, (".V", INPUT), learning_rate=7e-3),
    Variant("low-rank, V and first layer shared, k = 6", "low-rank", 6, (".V", INPUT)),
    Variant("dense, hidden matrices shared", shared=HIDDEN),
    Variant("dense, hidden matrices and first layer shared", shared=(*HIDDEN, INPUT)),
    Variant("dense, hidden matrices shared, own change of rank 2", shared=HIDDEN, update=2),
    Variant("dense, hidden matrices shared, own change of rank 6", shared=HIDDEN, update=6),
    Variant("dense, separate, pulled to their mean, 0.1", pull=0.1),
    Variant("dense, separate, pulled to their mean, 1", pull=1.0),
)


@dataclass
class Options:
    meshes: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Meshes of the collection."""
    poses: int = 0
    """Fit as many random smooth deformations of the first mesh instead."""
    bytes: tuple[int, ...] = (1500, 1100)
    """Bytes a shape."""
    seconds: float = 5.0
    """Processor time a shape."""
    pool: int = 200_000
    """Labelled points a shape."""
    only: tuple[str, ...] = ()
    """Only the variants of these names."""
    seed: int = 0
    """Seed of networks, points and deformations."""


@dataclass
class Shape:
    """Labelled points of a mesh: a pool for training, and held-out ones (anywhere, near the surface)."""

    mesh: trimesh.Trimesh
    pool: int
    seed: int
    sampler: SurfaceSampler = field(init=False)
    held_out: list[tuple[np.ndarray, np.ndarray]] = field(init=False)

    def __post_init__(self) -> None:
        solid = Solid(self.mesh, Placement.of(self.mesh))
        self.sampler = SurfaceSampler(solid, self.seed, self.pool)
        random = np.random.default_rng(self.seed + 1)
        near = np.clip(solid.near_surface(self.pool // 4, NEAR, random), -1, 1)
        uniform = random.uniform(-1, 1, (self.pool, 3))
        self.held_out = [(points.astype(np.float32), solid.contains(points)) for points in (uniform, near)]


class OwnChange(nn.Module):
    """W + A B^T: a shape's own change of a shared matrix W, zero at first."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.zeros(width, rank))
        self.B = nn.Parameter(torch.randn(width, rank) / math.sqrt(width))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.A @ self.B.T


def networks(variant: Variant, count: int, width: int, seed: int) -> list[ScalarMLP]:
    """Networks of `count` shapes, equal at first if they are pulled together."""
    made: list[ScalarMLP] = []
    for index in range(count):
        torch.manual_seed(seed if variant.pull else seed + index)
        config = OccupancyConfig(layer=variant.layer, width=width, rank=min(variant.rank, width), spread=0.5)
        made.append(build_network(config))
        for name in [n for n, _ in made[0].named_parameters() if any(part in n for part in variant.shared)]:
            module, _, last = name.rpartition(".")
            setattr(made[index].get_submodule(module), last, made[0].get_parameter(name))
    if variant.update:
        for network in made:
            for layer in list(linear_layers(network).values())[1:-1]:
                parametrize.register_parametrization(layer, "weight", OwnChange(width, variant.update))
    return made


def parameters_of(made: list[ScalarMLP]) -> list[nn.Parameter]:
    """The parameters of all networks, each once."""
    return list({id(p): p for network in made for p in network.parameters()}.values())


def largest_width(variant: Variant, count: int, limit: float) -> int:
    """The largest even width whose networks have at most `limit` parameters."""
    width = 8
    while sum(p.numel() for p in parameters_of(networks(variant, count, width + 2, 0))) <= limit:
        width += 2
    return width


def train(variant: Variant, shapes: list[Shape], size: int, options: Options) -> dict[str, float | str]:
    """Train the networks of a variant; the mean IoU over the shapes, and what else a row of the table needs."""
    width = largest_width(variant, len(shapes), len(shapes) * 8 * size / BITS_PER_PARAMETER)
    made = networks(variant, len(shapes), width, options.seed)
    parameters = parameters_of(made)
    losses = [FusedLoss(network, "cross-entropy") for network in made]
    optimizer = make_optimizer("soap", parameters, variant.learning_rate, compiled=True)
    budget, start, step, done = options.seconds * len(shapes), time.process_time(), 0, 0.0
    while done < 1 or step < 2:
        rate = variant.learning_rate * warm_cosine(min(done, 1.0))
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        with FusedLoss.around_step():
            for loss, shape in zip(losses, shapes, strict=True):
                loss.backward(*shape.sampler.batch(step, BATCH))
            optimizer.step()
        if variant.pull:
            move_to_mean(made, variant.pull * rate)
        step, done = step + 1, (time.process_time() - start) / budget
    scores = np.array([score(network, shape) for network, shape in zip(made, shapes, strict=True)])
    return {
        "variant": variant.name,
        "bytes": size,
        "width": width,
        "parameters": sum(p.numel() for p in parameters) / len(shapes),
        "steps": step,
        "iou": float(scores[:, 0].mean()),
        "near": float(scores[:, 1].mean()),
        "saved_bits": saved_bits(made) if variant.pull else 0.0,
    }


@torch.no_grad()
def move_to_mean(made: list[ScalarMLP], rate: float) -> None:
    """Move the parameters of all networks to their mean by a fraction `rate` of the way."""
    for group in zip(*(network.parameters() for network in made), strict=True):
        mean = torch.stack(group).mean(0)
        for parameter in group:
            parameter.lerp_(mean, min(1.0, rate))


@torch.no_grad()
def saved_bits(made: list[ScalarMLP]) -> float:
    """Bits a parameter that a difference from the mean needs less than the parameter, at the same step; the mean's own
    bits are subtracted. A normal variable's entropy at a step is log2 of its standard deviation, but for a constant."""
    saved, count = 0.0, 0
    for group in zip(*(network.parameters() for network in made), strict=True):
        values = torch.stack(group)
        if values[0].numel() > 1:
            saved += values[0].numel() * float(torch.log2(values.std() / (values - values.mean(0)).std()))
        count += values[0].numel()
    return saved / count - BITS_PER_PARAMETER / len(made)


@torch.no_grad()
def score(network: ScalarMLP, shape: Shape) -> list[float]:
    """IoU on points anywhere and near the surface."""
    return [iou((network(torch.from_numpy(points))[:, 0] > 0).numpy(), inside) for points, inside in shape.held_out]


def pose(mesh: trimesh.Trimesh, random: np.random.Generator) -> trimesh.Trimesh:
    """The mesh after a random smooth deformation: sums of waves about as long as the shape."""
    placement = Placement.of(mesh)
    points = placement.to_cube(mesh.vertices)
    waves, phases = random.normal(0, 1, (4, 3)), random.uniform(0, 2 * np.pi, 4)
    offsets = np.sin(points @ waves.T + phases) @ random.normal(0, BEND, (4, 3))
    return trimesh.Trimesh(points + offsets, mesh.faces, process=False)


def main(options: Options) -> None:
    meshes = [read_mesh(path)[0] for path in options.meshes]
    if options.poses:
        random = np.random.default_rng(options.seed)
        meshes = [prepare_mesh(pose(meshes[0], random))[0] for _ in range(options.poses)]
    shapes = [Shape(mesh, options.pool, options.seed) for mesh in meshes]
    train(VARIANTS[0], shapes, options.bytes[0], replace(options, seconds=1e-3))  # compiles the kernels
    for size in options.bytes:
        for variant in VARIANTS:
            if not options.only or variant.name in options.only:
                row = train(variant, shapes, size, options)
                print("  ".join(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row.values()), flush=True)


if __name__ == "__main__":
    main(tyro.cli(Options))
