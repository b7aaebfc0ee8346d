"""The theory made visible: singular values and stable rank of sin(omega U V^T), beside the paper's figures 2 and 3.

What matters is the spread of the phase omega U V^T, its standard deviation in radians, and not omega alone: with the
paper's factors, uniform in +-1/sqrt(k), it is omega / (3 sqrt(k)).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf.files import replacing
from sinenerf.layers import FactoredLinear
from sinenerf.theory import singular_values, stable_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREADS = np.geomspace(0.1, 1000, 33)
SEEDS = 3
ENOUGH = 0.9
"""Share of a dense random matrix's stable rank that counts as reached."""


def random_weight(width: int, rank: int, omega: float, seed: int = 0) -> Float[Tensor, "width width"]:
    """sin(omega U V^T) of the paper's random factors (Kaiming-uniform: +-1/sqrt(k))."""
    random = torch.Generator().manual_seed(seed)
    U, V = ((2 * torch.rand(width, rank, generator=random, dtype=torch.float64) - 1) / math.sqrt(rank) for _ in "UV")
    return torch.sin(omega * U @ V.T)


def omega_of(spread: float, rank: int) -> float:
    """The omega that gives the paper's factors this spread."""
    return 3 * math.sqrt(rank) * spread


def dense_stable_rank(width: int, seed: int = 0) -> float:
    """Of a normal matrix: the most that can be hoped for."""
    random = torch.Generator().manual_seed(seed)
    return stable_rank(torch.randn(width, width, generator=random, dtype=torch.float64))


def stable_ranks(width: int, rank: int) -> Float[np.ndarray, " spreads"]:
    """Mean stable rank at each of SPREADS."""
    return np.mean(
        [[stable_rank(random_weight(width, rank, omega_of(s, rank), seed)) for s in SPREADS] for seed in range(SEEDS)],
        axis=0,
    )


@dataclass(frozen=True)
class Rule:
    """Where the stable rank has nearly reached a dense matrix's: spread = factor * width^a * rank^b."""

    factor: float
    of_width: float
    of_rank: float
    spreads: dict[tuple[int, int], float]
    """Measured, by (width, rank)."""

    def spread(self, width: int, rank: int) -> float:
        """Predicted, in radians."""
        return self.factor * width**self.of_width * rank**self.of_rank


def measure_rule(widths: Sequence[int], ranks: Sequence[int]) -> Rule:
    """Measure the least spread whose stable rank is 90 % of a dense matrix's, and fit a power law to it.

    Raises:
        ValueError: fewer than three of the combinations reach it, which carries no rule.
    """
    found = {}
    for width in widths:
        wanted = ENOUGH * dense_stable_rank(width)
        for rank in ranks:
            reached = np.flatnonzero(stable_ranks(width, rank) >= wanted)
            if len(reached):
                found[width, rank] = float(SPREADS[reached[0]])
    if len(found) < 3:
        raise ValueError(f"only {len(found)} of the widths and ranks reach a dense stable rank: give larger widths")
    rows = np.array([[1, math.log(width), math.log(rank)] for width, rank in found])
    (factor, a, b), *_ = np.linalg.lstsq(rows, np.log(list(found.values())), rcond=None)
    return Rule(math.exp(factor), float(a), float(b), found)


def draw(output: Path, width: int, ranks: Sequence[int], omegas: Sequence[float]) -> None:
    """Singular values of rank-1 factors at several omegas, and stable rank against spread for several ranks."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(9.5, 3.8), layout="constrained")
    left, right = made.subplots(1, 2)
    dense = torch.randn(width, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    curves = {f"omega {omega:g}": random_weight(width, 1, omega) for omega in omegas}
    _spectra(left, {**curves, "dense, normal": dense}, f"{width} x {width}, k = 1")
    for rank in ranks:
        right.plot(SPREADS, stable_ranks(width, rank), label=f"k = {rank}")
    right.axhline(dense_stable_rank(width), color="black", linestyle=":", label="dense, normal")
    right.set(xscale="log", xlabel="spread of the phase (radians)", ylabel="stable rank of sin(omega U V^T)")
    right.legend(frameon=False)
    right.grid(alpha=0.3)
    _save(made, output)


def draw_layers(layers: dict[str, FactoredLinear], output: Path) -> dict[str, float]:
    """Singular values of every factored layer of a trained field; returns their stable ranks."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(6.4, 4.2), layout="constrained")
    with torch.no_grad():
        weights = {name: layer.weight.double() for name, layer in layers.items()}
    ranks = {name: stable_rank(weight) for name, weight in weights.items()}
    labelled = {f"{name}: k = {layers[name].rank}, stable rank {ranks[name]:.1f}": w for name, w in weights.items()}
    _spectra(made.subplots(), labelled, "trained layers")
    _save(made, output)
    return ranks


def _spectra(panel: "Axes", weights: dict[str, Tensor], title: str) -> None:
    for name, weight in weights.items():
        values = singular_values(weight)
        panel.plot(np.arange(1, len(values) + 1), values / values[0], label=name)
    panel.set(title=title, xlabel="index", ylabel="singular value, largest = 1", ylim=(0, 1.05))
    panel.legend(frameon=False, fontsize=8)
    panel.grid(alpha=0.3)


def _save(made, output: Path) -> None:
    with replacing(output) as partial:
        made.savefig(partial, dpi=150, format=output.suffix.lstrip(".") or "png")
