"""The theory made visible: singular values and stable rank of sin(omega U V^T), beside the paper's figures 2 and 3.

What matters is the spread of the phase omega U V^T, its standard deviation in radians, and not omega alone: it is
omega s^2 sqrt(k) with factors of standard deviation s, and omega / (3 sqrt(k)) with the paper's, uniform in
+-1/sqrt(k).

The rule has its form from theory. Rows of W that share V have inner products E[sin(a.v) sin(b.v)], the odd part of a
Gaussian kernel, where a and b are normal with standard deviation t = spread / sqrt(k) in each of k dimensions. Its
largest eigenvalue is q (1 - q)^k with q / (1 - q)^2 = t^2 (Mehler). The stable rank, trace over largest, is thus about
(1 - q)^-k / 2 q, and is to be a share of the width n. So with p = 1 - q:

    p = (n / c)^(-1/k),     spread = a sqrt(k (1 - p)) / p.

c and a are measured: matrices are finite, and their largest singular value lies above the limit's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import least_squares
from torch import Tensor

from sinenerf.common.files import replacing
from sinenerf.factored import FactoredLinear
from sinenerf.layers import SineLowRankLinear
from sinenerf.theory import singular_values, stable_rank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREADS = np.geomspace(0.1, 1000, 33)
SEEDS = 3
ENOUGH = 0.5
"""Share of a dense random matrix's stable rank that counts as reached."""
LARGEST_RANK = 1 / 8
"""Share of the width up to which the rule holds: with more columns U V^T itself comes near to enough."""


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


def initial_stable_rank(width: int, rank: int, spread: float, seed: int = 0) -> float:
    """Of a `SineLowRankLinear` as it is initialised."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return stable_rank(SineLowRankLinear(width, width, rank, spread=spread).weight)


def stable_ranks(width: int, rank: int) -> Float[np.ndarray, " spreads"]:
    """Mean stable rank at each of SPREADS."""
    return np.mean([[initial_stable_rank(width, rank, s, seed) for s in SPREADS] for seed in range(SEEDS)], axis=0)


@dataclass(frozen=True)
class Rule:
    """The spread at which the stable rank is half of a dense matrix's: a sqrt(k (1 - p)) / p, p = (n / c)^(-1/k)."""

    a: float
    c: float
    spreads: dict[tuple[int, int], float]
    """Measured, by (width, rank)."""

    def spread(self, width: int, rank: int) -> float:
        """Predicted, in radians."""
        p = (width / self.c) ** (-1 / rank)
        return self.a * math.sqrt(rank * (1 - p)) / p

    @property
    def errors(self) -> Float[np.ndarray, " measured"]:
        """Of the prediction, as the logarithm of its ratio to what was measured."""
        return np.log([self.spread(*place) / spread for place, spread in self.spreads.items()])


def measure_rule(widths: Sequence[int], ranks: Sequence[int]) -> Rule:
    """Measure the spread whose stable rank is half of a dense matrix's, and fit the rule's two numbers to it.

    Raises:
        ValueError: fewer than three of the combinations reach it, which carries no rule.
    """
    found = {}
    for width in widths:
        wanted = ENOUGH * dense_stable_rank(width)
        for rank in (rank for rank in ranks if rank <= LARGEST_RANK * width):
            reached = stable_ranks(width, rank)
            after = int(np.argmax(reached >= wanted))
            if after:  # else it is never reached, or always
                around = slice(after - 1, after + 1)
                found[width, rank] = float(np.exp(np.interp(wanted, reached[around], np.log(SPREADS[around]))))
    if len(found) < 3:
        raise ValueError(f"only {len(found)} of the widths and ranks carry a rule: give larger widths, or more ranks")
    # c stays below the smallest width, where p would be 1
    bounds = ([-3.0, -3.0], [3.0, math.log(min(widths)) - 0.1])
    fitted = least_squares(lambda x: Rule(math.exp(x[0]), math.exp(x[1]), found).errors, [0.0, 0.0], bounds=bounds)
    a, c = map(math.exp, fitted.x)
    return Rule(a, c, found)


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
    dense_rank = dense_stable_rank(width)
    right.axhline(dense_rank, color="black", linestyle=":", label="dense, normal")
    right.axhline(ENOUGH * dense_rank, color="grey", linestyle="--", label="half of it: the rule")
    right.set(xscale="log", xlabel="spread of the phase (radians)", ylabel="stable rank of sin(omega U V^T)")
    right.legend(frameon=False, fontsize=8, loc="lower right")
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
