"""Do small networks in the cells of a grid that share V need fewer bytes, or less time, than one network?

    python scripts/experiment_cells.py dragon.ply

Each cell with a piece of the surface has a network of its own, W = sin(omega U V^T) / g, U V^T or W itself in its
hidden layers; the cells can share each layer's V. Points are drawn as for one network, as many in each cell, and enter
in the cell's own coordinates. All cells are trained together, by Adam, or SOAP as in `sinenerf.common.soap`. Nothing is
rounded: the bytes are those of 6.5 bits a parameter. Time is the processor time of the training, on one core. Each cell
is trained on its own points alone, so the surface may have cracks between cells.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from torch import Tensor, nn

from sinenerf.common.optimization import BASIS_STEPS, BETAS, SHAMPOO_BETA
from sinenerf.common.settings import LayerKind, OptimizerKind
from sinenerf.factored import FactoredLinear, linear_layers
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.evaluate import Truth, iou
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sampling import SurfaceSampler
from sinenerf.occupancy.sizing import BITS_PER_PARAMETER
from sinenerf.occupancy.solid import Placement

NEAR, DISTANCE = 0.9, 0.0025
"""Training points, as in `sinenerf.occupancy.sizing` for large files."""


@dataclass
class Options:
    mesh: Annotated[Path, tyro.conf.Positional]
    """Mesh to fit."""
    layer: LayerKind = "sine"
    """Kind of the hidden layers."""
    shared: bool = True
    """The cells share V."""
    side: int = 4
    """Cells along a side of the cube."""
    width: int = 56
    """Neurons of a hidden layer."""
    bytes: int = 56_000
    """Size of all networks: the rank is the largest that fits; a dense network's width, if it is smaller."""
    spread: float = 0.5
    """Standard deviation, in radians, of a sine's phase at the start."""
    bandwidth: float = 5.0
    """b of the Gaussian activations, in a cell's coordinates."""
    optimizer: OptimizerKind = "soap"
    """soap is Adam in the eigenbasis of the gradients."""
    learning_rate: float = 5e-3
    """Peak learning rate."""
    seconds: float = 60.0
    """Processor time of a training."""
    batch: int = 8192
    """Points a step, in all cells together."""
    pool: int = 1_500_000
    """Labelled points."""
    points: int = 400_000
    """Points for the IoU; a fifth as many lie near the surface."""
    seed: int = 0
    """Seed of points and networks."""


class CellNetworks(nn.Module):
    """The networks of all cells, whose parameters are stacked: (cells, ...) or, if shared, (1, ...)."""

    def __init__(self, cells: int, config: OccupancyConfig, shared: bool) -> None:
        super().__init__()
        self.depth, self.bandwidth = config.depth, config.bandwidth
        networks = [linear_layers(build_network(config)) for _ in range(cells)]
        names = list(networks[0])
        self.layers = [networks[0][name] for name in names]
        self.values = nn.ParameterDict()
        for index, name in enumerate(names):
            for leaf, parameter in networks[0][name].named_parameters():
                own = [parameter] if shared and leaf == "V" else [n[name].get_parameter(leaf) for n in networks]
                self.values[f"{leaf}{index}"] = nn.Parameter(torch.stack([p.detach() for p in own]))

    def weight(self, index: int) -> Tensor:
        """(cells, out, in)."""
        layer = self.layers[index]
        if not isinstance(layer, FactoredLinear):
            return self.values[f"weight{index}"]
        U, V = self.values[f"U{index}"], self.values[f"V{index}"]
        if layer.anchored:
            fixed = layer.anchor * torch.eye(layer.rank).expand(len(V), -1, -1)
            V = torch.cat([fixed, V], 1)
        product = U @ V.transpose(1, 2)
        return torch.sin(layer.omega * product) / layer.gain if hasattr(layer, "omega") else product

    def forward(self, points: Tensor) -> Tensor:
        """Logits (cells, n) of points (cells, n, 3) in the cells' coordinates."""
        h = points
        for index in range(self.depth + 1):
            h = torch.baddbmm(self.values[f"bias{index}"][:, None], h, self.weight(index).transpose(1, 2))
            if index < self.depth:
                h = torch.exp(-0.5 * (self.bandwidth * h).square())
        return h[..., 0]


class BatchedSoap:
    """SOAP (`sinenerf.common.soap`) for stacks of matrices: (cells, m, n)."""

    def __init__(self, parameters: list[nn.Parameter], rotate: bool) -> None:
        self.parameters, self.rotate, self.step_count = parameters, rotate, 0
        self.states: list[dict[str, Tensor]] = [{} for _ in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        b1, b2 = BETAS
        corrected = rate * math.sqrt(1 - b2 ** max(1, self.step_count)) / (1 - b1 ** max(1, self.step_count))
        for parameter, state in zip(self.parameters, self.states, strict=True):
            G, matrix = parameter.grad, parameter.ndim == 3 and self.rotate
            assert G is not None
            if not state:
                state["mean"], state["square"] = torch.zeros_like(G), torch.zeros_like(G)
                if matrix:
                    new = (1 - SHAMPOO_BETA) * G
                    state["rows"], state["columns"] = new @ G.mT, new.mT @ G
                    state["left"], state["right"] = (torch.linalg.eigh(state[n])[1] for n in ("rows", "columns"))
                if self.rotate:
                    continue
            turned = state["left"].mT @ G @ state["right"] if matrix else G
            state["mean"].lerp_(G, 1 - b1)
            state["square"].lerp_(turned.square(), 1 - b2)
            if matrix:
                mean = state["left"].mT @ state["mean"] @ state["right"]
                change = state["left"] @ (mean / (state["square"].sqrt() + 1e-8)) @ state["right"].mT
                state["rows"].lerp_(G @ G.mT, 1 - SHAMPOO_BETA)
                state["columns"].lerp_(G.mT @ G, 1 - SHAMPOO_BETA)
                if self.step_count % BASIS_STEPS == 0:
                    self._improve(state)
            else:
                change = state["mean"] / (state["square"].sqrt() + 1e-8)
            parameter -= corrected * change
        self.step_count += 1

    def _improve(self, state: dict[str, Tensor]) -> None:
        for side, average, dimension in (("left", "rows", 1), ("right", "columns", 2)):
            product = state[average] @ state[side]
            order = (state[side] * product).sum(1).argsort(1, descending=True)
            product = torch.gather(product, 2, order[:, None].expand_as(product))
            state[side] = torch.linalg.qr(product)[0]
            index = order[:, :, None] if dimension == 1 else order[:, None]
            state["square"] = torch.gather(state["square"], dimension, index.expand_as(state["square"]))


class Grid:
    """The cells that hold training points near the surface, and the labels of the others."""

    def __init__(self, sampler: SurfaceSampler, side: int) -> None:
        self.side = side
        place = self.place(sampler.points)
        undecided = (sampler.inside[:, 0] - 0.5).abs() < 0.49
        self.number = torch.full((side**3,), -1)
        mixed = place[undecided].unique()
        self.number[mixed] = torch.arange(len(mixed))
        inside = torch.zeros(side**3).index_add_(0, place, sampler.inside[:, 0] - 0.5)
        self.full = inside > 0
        self.corners = torch.stack([mixed // side**2, mixed // side % side, mixed % side], 1)
        self.pools = [(place == cell).nonzero()[:, 0] for cell in mixed]

    def place(self, points: Tensor) -> Tensor:
        i, j, k = ((points + 1) / 2 * self.side).long().clamp(0, self.side - 1).unbind(1)
        return (i * self.side + j) * self.side + k

    def local(self, points: Tensor, cells: Tensor) -> Tensor:
        """Points in the coordinates, from -1 to 1, of their cells."""
        return (points + 1) * self.side - 2 * self.corners[cells] - 1

    def batch(self, sampler: SurfaceSampler, step: int, each: int) -> tuple[Tensor, Tensor]:
        index = torch.stack([pool[torch.arange(step * each, (step + 1) * each) % len(pool)] for pool in self.pools])
        cells = torch.arange(len(self.pools))[:, None].expand_as(index)
        points = self.local(sampler.points[index.view(-1)], cells.reshape(-1))
        return points.view(*index.shape, 3), sampler.inside[index, 0]

    @torch.no_grad()
    def occupied(self, networks: CellNetworks, points: np.ndarray) -> np.ndarray:
        points = torch.from_numpy(points).float()
        place = self.place(points)
        inside, cells = self.full[place], self.number[place]
        order = cells.argsort()
        order = order[cells[order] >= 0]
        counts = torch.bincount(cells[order], minlength=len(self.pools))
        starts = counts.cumsum(0) - counts
        rank = torch.arange(len(order)) - starts[cells[order]]
        for first in range(0, int(counts.max()), 1024):
            part = order[(rank >= first) & (rank < first + 1024)]
            padded = torch.zeros(len(self.pools), 1024, 3)
            column = rank[(rank >= first) & (rank < first + 1024)] - first
            padded[cells[part], column] = self.local(points[part], cells[part])
            inside[part] = networks(padded)[cells[part], column] > 0
        return inside.numpy()


def fitting(options: Options, cells: int) -> tuple[CellNetworks, OccupancyConfig]:
    """The networks with the largest rank (dense: width) whose parameters fit the bytes."""
    limit, best = 8 * options.bytes / BITS_PER_PARAMETER, None
    values = range(8, options.width + 1, 4) if options.layer == "dense" else range(1, options.width)
    for value in values:
        width, rank = (value, 1) if options.layer == "dense" else (options.width, value)
        config = OccupancyConfig(
            options.layer, rank, width, spread=options.spread, bandwidth=options.bandwidth, anchored=not options.shared
        )
        made = CellNetworks(2, config, options.shared)
        own = sum(p.numel() // len(p) for p in made.parameters() if len(p) == 2)
        common = sum(p.numel() for p in made.parameters() if len(p) == 1)
        if cells * own + common <= limit:
            best = config
    if best is None:
        raise SystemExit(f"{options.bytes} bytes are too few for {cells} cells: fewer neurons, --width")
    return CellNetworks(cells, best, options.shared), best


def main(options: Options) -> None:
    torch.manual_seed(options.seed)
    mesh = read_mesh(options.mesh)[0]
    truth = Truth(mesh, Placement.of(mesh), options.points)
    sampler = SurfaceSampler(truth.solid, options.seed, options.pool, NEAR, DISTANCE)
    grid = Grid(sampler, options.side)
    networks, config = fitting(options, len(grid.pools))
    parameters = list(networks.parameters())
    optimizer = BatchedSoap(parameters, options.optimizer == "soap")
    start, step, done, each = time.process_time(), 0, 0.0, max(16, options.batch // len(grid.pools))
    while done < 1:
        rate = min(1.0, 0.01 + done / 0.02) * 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * done - 1)))
        points, labels = grid.batch(sampler, step, each)
        for parameter in parameters:
            parameter.grad = None
        # a sum over cells: the rate of one cell does not depend on their number
        loss = len(grid.pools) * F.binary_cross_entropy_with_logits(networks(points), labels)
        loss.backward()
        optimizer.step(options.learning_rate * rate)
        step, done = step + 1, (time.process_time() - start) / options.seconds
    count = sum(p.numel() for p in parameters)
    anywhere, near = (iou(grid.occupied(networks, points), inside) for points, inside in truth.samples)
    kind = options.layer + (", V shared" if options.shared else "")
    size = f"{config.width} x {config.rank}, {count:,} parameters = {BITS_PER_PARAMETER * count / 8:,.0f} bytes"
    steps = f"{step:,} steps of {each} points a cell, {1000 * options.seconds / step:.1f} ms"
    print(f"{kind}  {len(grid.pools)} cells  {size}  {steps}  IoU {anywhere:.5f}  near {near:.5f}")


if __name__ == "__main__":
    main(tyro.cli(Options))
