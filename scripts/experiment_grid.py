"""Does a grid of features near the surface need fewer bytes, or less time, than one network?

    python scripts/experiment_grid.py dragon.ply

The cube is divided into cells. Those with a piece of the surface hold the field; the others are inside or outside, and
an octree tells which. Each vertex of those cells has a few features, at several resolutions (Mueller et al. 2022,
"Instant Neural Graphics Primitives", with dense indices in place of hashes). Interpolated, they are the inputs of a
small network whose output is the logit of the occupancy; without a network ("--hidden 0") their sum is.

Late in the training features are rounded to multiples of a step (straight through), and a penalty on their size, in
proportion to the bits that it costs, leaves most of the fine ones at zero. The bytes are the entropy of the integers of
each feature and level, the octree's, and 8 bits for each parameter of the network. Time is the processor time of the
training, on one core.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import trimesh
import tyro
from numba import njit
from torch import Tensor, nn

from sinenerf.common.matrix_kernels import COMPILED
from sinenerf.occupancy.evaluate import Truth, iou, surface_distance
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sampling import SurfaceSampler
from sinenerf.occupancy.solid import Placement, Solid

NEAR, DISTANCE = 0.9, 0.0025
"""Training points, as in `sinenerf.occupancy.sizing` for large files."""
SURFACE_SAMPLES = 4_000_000
"""Points of the surface that mark the cells."""


@dataclass
class Options:
    mesh: Annotated[Path, tyro.conf.Positional]
    """Mesh to fit."""
    sides: tuple[int, ...] = (16, 32, 64, 128)
    """Cells along a side of the cube at each level, powers of two."""
    features: int = 4
    """Features of a vertex at each level."""
    mask: int = 64
    """Cells along a side of the octree."""
    hidden: int = 32
    """Neurons of each of the network's two layers; 0: the logit is the sum of the features."""
    bits: tuple[float, ...] = (1e-8,)
    """Penalties a bit, relative to the mean loss of a point: the larger, the fewer bytes."""
    step: float = 0.05
    """Step of the features."""
    seconds: float = 60.0
    """Processor time of a training."""
    batch: int = 8192
    """Points a step."""
    learning_rate: float = 5e-3
    """Peak learning rate."""
    pool: int = 2_000_000
    """Labelled points, of which those outside of the cells with surface are dropped."""
    points: int = 400_000
    """Points for the IoU; a fifth as many lie near the surface."""
    resolution: int = 256
    """Cells along a side of marching cubes; 0: without the distances between the surfaces."""
    seed: int = 0
    """Seed of points and network."""


class Cells:
    """The cells with surface, the labels of the others, and the vertices at each level.

    tables: (level, vertices of the whole cube), flattened: the row of a vertex's features, 0 where it has none.
    """

    def __init__(self, solid: Solid, mask: int, sides: tuple[int, ...]) -> None:
        samples = np.asarray(trimesh.sample.sample_surface(solid.mesh, SURFACE_SAMPLES, seed=0)[0])
        self.side = mask
        self.states = np.zeros((mask,) * 3, np.int8)  # 0 outside, 1 inside, 2 surface
        centres = (np.stack(np.meshgrid(*[np.arange(mask)] * 3, indexing="ij"), -1).reshape(-1, 3) + 0.5) / mask * 2 - 1
        self.states.flat = solid.contains(centres)
        cells = np.unique(np.clip(((samples + 1) / 2 * mask).astype(int), 0, mask - 1), axis=0)
        self.states[tuple(cells.T)] = 2
        self.sides, tables, self.counts = np.array(sides), [], []
        rows = 1  # row 0 is that of the vertices without features
        for side in sides:
            table = np.zeros((side + 1,) * 3, np.int32)
            if side <= mask:
                here = np.unique(cells // (mask // side), axis=0)
            else:
                finer = np.stack(np.meshgrid(*[np.arange(side // mask)] * 3, indexing="ij"), -1).reshape(-1, 3)
                here = (cells[:, None] * (side // mask) + finer).reshape(-1, 3)
            for corner in np.ndindex(2, 2, 2):
                table[tuple((here + corner).T)] = 1
            count = int(table.sum())
            table[table > 0] = np.arange(rows, rows + count)
            rows += count
            self.counts.append(count)
            tables.append(table.reshape(-1))
        self.starts = np.cumsum([0, *map(len, tables)])[:-1]
        self.table, self.rows = np.concatenate(tables), rows

    def state(self, points: np.ndarray) -> np.ndarray:
        """State of the cell of each point."""
        return self.states[tuple(np.clip(((points + 1) / 2 * self.side).astype(int), 0, self.side - 1).T)]

    def bits(self) -> float:
        """Entropy of the octree: the state of each child, by those of the children before it in its parent."""
        bits, states = 0.0, self.states
        while len(states) > 1:
            half = len(states) // 2
            blocks = states.reshape(half, 2, half, 2, half, 2).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 8)
            mixed = (blocks != blocks[:, :1]).any(1) | (blocks[:, 0] == 2)
            pasts = np.zeros(int(mixed.sum()), np.int64)
            for child in range(8):
                pasts = pasts * 3 + blocks[mixed, child] if child < 4 else pasts
                bits += entropy(blocks[mixed, child], pasts * 8 + child)
            states = np.where(mixed, 2, blocks[:, 0]).reshape(half, half, half)
        return bits


def entropy(symbols: np.ndarray, contexts: np.ndarray) -> float:
    """Bits of all symbols, each coded by its frequency among those of its context; half a bit of log n a frequency."""
    bits = 0.0
    for context in np.unique(contexts):
        counts = np.unique(symbols[contexts == context], return_counts=True)[1]
        bits -= (counts * np.log2(counts / counts.sum())).sum() - 0.5 * (len(counts) - 1) * np.log2(counts.sum())
    return float(bits)


@njit(inline="always", **COMPILED)
def _place(coordinate, side):
    return min(max((coordinate + np.float32(1)) * np.float32(0.5) * side, 0.0), float(side))


@njit(**COMPILED)
def _gather(points, sides, starts, table, features, rows, shares, result):
    count = features.shape[1]
    for p in range(len(points)):
        for level in range(len(sides)):
            side = sides[level]
            x, y, z = _place(points[p, 0], side), _place(points[p, 1], side), _place(points[p, 2], side)
            i, j, k = min(np.int64(x), side - 1), min(np.int64(y), side - 1), min(np.int64(z), side - 1)
            u, v, w = x - i, y - j, z - k
            for f in range(count):
                result[p, level * count + f] = 0
            for corner in range(8):
                a, b, c = corner >> 2, (corner >> 1) & 1, corner & 1
                share = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                row = table[starts[level] + ((i + a) * (side + 1) + j + b) * (side + 1) + k + c]
                rows[p, level, corner], shares[p, level, corner] = row, share
                for f in range(count):
                    result[p, level * count + f] += np.float32(share) * features[row, f]


@njit(**COMPILED)
def _scatter(rows, shares, slopes, gradients):
    count = gradients.shape[1]
    for p in range(len(rows)):
        for level in range(rows.shape[1]):
            for corner in range(8):
                for f in range(count):
                    gradients[rows[p, level, corner], f] += shares[p, level, corner] * slopes[p, level * count + f]


class Interpolate(torch.autograd.Function):
    """Features at points, (points, levels * features)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, points: Tensor, cells: Cells) -> Tensor:
        levels = len(cells.sides)
        rows, shares = np.empty((len(points), levels, 8), np.int32), np.empty((len(points), levels, 8), np.float32)
        result = np.empty((len(points), levels * features.shape[1]), np.float32)
        values = features.detach().numpy()
        _gather(points.numpy(), cells.sides, cells.starts, cells.table, values, rows, shares, result)
        ctx.saved, ctx.shape = (rows, shares), features.shape
        return torch.from_numpy(result)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        gradients = np.zeros(ctx.shape, np.float32)
        _scatter(*ctx.saved, slopes.contiguous().numpy(), gradients)
        gradients[0] = 0
        return torch.from_numpy(gradients), None, None


class GridField(nn.Module):
    """Logits of points in cells with surface."""

    def __init__(self, cells: Cells, options: Options) -> None:
        super().__init__()
        self.cells, self.step = cells, options.step
        self.features = nn.Parameter(1e-2 * torch.randn(cells.rows, options.features))
        self.features.data[0] = 0
        self.levels = torch.repeat_interleave(torch.arange(len(cells.counts)), torch.tensor(cells.counts))
        self.rounded = False
        inputs, n = len(cells.sides) * options.features, options.hidden
        layers = (nn.Linear(inputs + 3, n), nn.ReLU(), nn.Linear(n, n), nn.ReLU(), nn.Linear(n, 1)) if n else ()
        self.network = nn.Sequential(*layers) if n else None

    def forward(self, points: Tensor) -> Tensor:
        features = self.features
        if self.rounded:  # straight through
            features = features + (self.step * (features / self.step).round() - features).detach()
        values = Interpolate.apply(features, points, self.cells)
        return values.sum(1) if self.network is None else self.network(torch.cat([values, points], 1))[:, 0]

    def integers(self) -> Tensor:
        return (self.features.detach()[1:] / self.step).round().long()

    def bits(self) -> tuple[float, float, float]:
        """(features, octree, network)."""
        integers = self.integers().numpy()
        contexts = self.levels.numpy()
        of_features = sum(entropy(column, contexts) for column in integers.T)
        return of_features, self.cells.bits(), 8.0 * sum(p.numel() for p in self.parameters() if p is not self.features)

    @torch.no_grad()
    def penalty_slope(self) -> Tensor:
        """Derivative of the features' bits by the features, for Laplace distributions a level and feature."""
        size = self.features[1:].abs()
        mean = torch.zeros(len(self.cells.counts), size.shape[1]).index_add_(0, self.levels, size)
        mean = mean / torch.tensor(self.cells.counts)[:, None] + 0.3 * self.step
        return F.pad(self.features[1:].sign() / (mean[self.levels] * math.log(2)), (0, 0, 1, 0))

    @torch.no_grad()
    def occupied(self, points: np.ndarray) -> np.ndarray:
        """Whether points of the cube are inside."""
        states = self.cells.state(points)
        inside, mixed = states == 1, states == 2
        parts = torch.from_numpy(points[mixed].astype(np.float32)).split(2**16)
        inside[mixed] = torch.cat([self(part) for part in parts]).numpy() > 0
        return inside


def train(field: GridField, sampler: SurfaceSampler, penalty: float, options: Options) -> int:
    """Train for the options' processor time; returns the number of steps."""
    network = [p for p in field.parameters() if p is not field.features]
    groups = [{"params": [field.features]}, {"params": network}] if network else [{"params": [field.features]}]
    optimizer = torch.optim.Adam(groups, options.learning_rate, (0.9, 0.99), fused=True)
    start, step, done = time.process_time(), 0, 0.0
    while done < 1:
        rate = options.learning_rate * min(1.0, 0.01 + done / 0.02)
        rate *= 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * done - 1)))
        field.rounded = done > 0.6
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 if group["params"][0] is field.features else 0.5)
        points, labels = sampler.batch(step, options.batch)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(field(points), labels[:, 0]).backward()
        if done > 0.1:
            field.features.grad += penalty * field.penalty_slope()
        optimizer.step()
        step, done = step + 1, (time.process_time() - start) / options.seconds
    field.rounded = True
    return step


def main(options: Options) -> None:
    mesh = read_mesh(options.mesh)[0]
    placement = Placement.of(mesh)
    truth = Truth(mesh, placement, options.points)
    cells = Cells(truth.solid, options.mask, options.sides)
    sampler = SurfaceSampler(truth.solid, options.seed, options.pool, NEAR, DISTANCE)
    kept = torch.from_numpy(cells.state(sampler.points.numpy()) == 2)
    sampler.points, sampler.inside = sampler.points[kept], sampler.inside[kept]
    print(f"{(cells.states == 2).sum():,} cells, {cells.counts} vertices, {int(kept.sum()):,} points", flush=True)
    for penalty in options.bits:
        torch.manual_seed(options.seed)
        field = GridField(cells, options)
        field(sampler.points[:8]).sum().backward()  # compiles the kernels
        steps = train(field, sampler, penalty, options)
        parts = [bits / 8 for bits in field.bits()]
        anywhere, near = (iou(field.occupied(points), inside) for points, inside in truth.samples)
        line = f"{penalty:g} a bit  {steps:,} steps  {' + '.join(f'{p:,.0f}' for p in parts)} = {sum(parts):,.0f} bytes"
        print(f"{line}  IoU {anywhere:.5f}  near {near:.5f}  {chamfer(field, truth, options.resolution)}", flush=True)


def chamfer(field: GridField, truth: Truth, side: int) -> str:
    """Chamfer-L1 and normals of the surface by marching cubes."""
    if side == 0:
        return ""
    from skimage.measure import marching_cubes

    axis = np.linspace(-1, 1, side + 1)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    states = field.cells.state(points)
    logits, mixed = np.where(states == 1, 3.0, -3.0).astype(np.float32), states == 2
    with torch.no_grad():
        parts = torch.from_numpy(points[mixed].astype(np.float32)).split(2**16)
        logits[mixed] = torch.cat([field(part) for part in parts]).clamp(-3, 3).numpy()
    vertices, faces, _, _ = marching_cubes(logits.reshape((side + 1,) * 3), 0.0)
    surface = trimesh.Trimesh(truth.placement.from_cube(vertices * 2 / side - 1), faces[:, ::-1], process=False)
    distance = surface_distance(surface, truth.mesh)
    return f"Chamfer {100 * distance.chamfer_l1:.5f} %  normals {distance.normal_consistency:.4f}"


if __name__ == "__main__":
    main(tyro.cli(Options))
