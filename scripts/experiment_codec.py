"""Where are the bytes of finished shapes, and what would better models, or a better search for the integers, save?

    python scripts/experiment_codec.py dragon.sine armadillo.sine

For each tensor: bits a value, those of a Gaussian, and what a known scale of each row or column would save (from their
mean squares, without the bias of small samples and before any scale is paid for). For windows of parameters: the cost
e^T H e of rounding with the file's steps, in the order of the file or sorted, and the bits a parameter that it saves
(a step of twice the size costs four times as much and saves one bit).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from scipy.special import digamma

from sinenerf.codec.container import Container
from sinenerf.codec.tensor_table import TableEntry
from sinenerf.codec.tensors import QuantisedTensor
from sinenerf.occupancy.field import OccupancyField
from sinenerf.rounding.by_curvature import WINDOW
from sinenerf.rounding.curvature import draw_points, gauss_newton
from sinenerf.rounding.lattice_search import curvature_root, search, sorted_root

POINTS = 2**12


@dataclass
class Options:
    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """.sine files of shapes, all their parameters rounded."""
    windows: int = 4
    """Windows of parameters, spread over the network."""
    survivors: tuple[int, ...] = (1, 32, 128)
    """Beginnings that the search keeps; 1 is the nearest plane algorithm."""
    seed: int = 0
    """Seed of the points, and of the errors of the parameters."""


def known_scales(q: np.ndarray, axis: int) -> float:
    """Bits a value that a known scale along an axis saves."""
    squares, n = q.astype(float) ** 2 + 1 / 12, q.shape[axis]
    bias = (digamma(n / 2) - math.log(n / 2)) / (2 * math.log(2))
    return 0.5 * (math.log2(squares.mean()) - float(np.log2(squares.mean(axis)).mean())) + bias


def describe(path: Path) -> None:
    """Print where the bytes are, tensor by tensor."""
    container, field = Container.open(path), OccupancyField.load(path)
    config, total, table = field.config, 0.0, 0
    print(f"{path}: {container.size:,} bytes, {config.layer}, {config.width} x {config.rank}")
    for name, tensor in field.coded.items():
        entry, symbols = TableEntry.of(tensor)
        assert entry.model is not None
        bits, size, q = entry.model.bits(symbols), len(entry.to_bytes()), tensor.integers
        total, table = total + bits, table + size
        gaussian = 0.5 * math.log2(2 * math.pi * math.e * float((q.astype(float) ** 2).mean() + 1 / 12))
        row = f"  {name:24} {q.shape!s:10} {bits / q.size:6.3f} bits, Gaussian {gaussian:6.3f}"
        if q.ndim == 2 and min(q.shape) > 1:
            row += f", rows {known_scales(q, 1):+.3f}, columns {known_scales(q, 0):+.3f}"
        print(row)
    header, body = len(container.header), len(container.body)
    print(f"  integers {total / 8:.0f} bytes, table {table}, header {header}, frame {container.size - header - body}")


def compare_searches(path: Path, options: Options) -> None:
    """Print the cost of rounding in several windows."""
    field = OccupancyField.load(path)
    network, steps = field.network.train(), steps_of(field)
    random = torch.Generator().manual_seed(options.seed)
    points = draw_points(network, torch.rand(300_000, 3, generator=random) * 2 - 1, POINTS, "cross-entropy")
    count = len(steps)
    values = torch.cat([p.detach().flatten().double() for p in network.parameters()])
    values += (torch.rand(count, generator=random, dtype=torch.float64) - 0.5) * steps
    length = min(WINDOW, count)
    gains: dict[str, list[float]] = {}
    for start in np.linspace(0, count - length, options.windows).astype(int).tolist():
        H, _ = gauss_newton(network, points, start, start + length, torch.zeros(len(points), 1))
        root = curvature_root(H)
        part, s = values[start : start + length], steps[start : start + length]
        order, ordered = sorted_root(root, s)
        costs: dict[str, float] = {}
        for survivors in options.survivors:
            for name, places, R in (("given", torch.arange(length), root), ("sorted", order, ordered)):
                found = search(part[places].numpy(), s[places].numpy(), R.numpy(), survivors)
                errors = R.T @ (torch.from_numpy(found) * s[places] - part[places])
                costs[f"{name} order, {survivors} survivors"] = float(errors.square().sum())
        base = next(iter(costs.values()))
        for name, cost in costs.items():
            gains.setdefault(name, []).append(0.5 * math.log2(base / cost))
    for name, bits in gains.items():
        print(f"  {name:28} saves {np.mean(bits):.3f} bits a parameter ({', '.join(f'{b:.3f}' for b in bits)})")


def steps_of(field: OccupancyField) -> torch.Tensor:
    """The step of each parameter."""
    coded: dict[str, QuantisedTensor] = field.coded
    named = field.network.named_parameters()
    return torch.cat([torch.full((p.numel(),), coded[name].step, dtype=torch.float64) for name, p in named])


def main(options: Options) -> None:
    for path in options.files:
        describe(path)
        compare_searches(path, options)


if __name__ == "__main__":
    main(tyro.cli(Options))
