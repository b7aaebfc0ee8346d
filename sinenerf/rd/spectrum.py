"""Singular values and stable rank of sin(omega U V^T), as in the paper's figures 2 and 3, and a rule for its spread.

What matters is the spread of the phase omega U V^T, its standard deviation in radians, and not omega alone: it is
omega s^2 sqrt(k) with factors of standard deviation s, and omega / (3 sqrt(k)) with the paper's factors, uniform in
+-1/sqrt(k).

The form of the rule is derived. Rows of W that share V have inner products E[sin(a.v) sin(b.v)], the odd part of a
Gaussian kernel, where a and b are normal with standard deviation t = spread / sqrt(k) in each of k dimensions. Its
largest eigenvalue is q (1 - q)^k with q / (1 - q)^2 = t^2 (Mehler). The stable rank, the trace over the largest
eigenvalue, is thus about (1 - q)^-k / 2 q; setting it to a share of the width n gives, with p = 1 - q:

    p = (n / c)^(-1/k),     spread = a sqrt(k (1 - p)) / p.

c and a are fitted to measurements: matrices are finite, and their largest singular value lies above the limit's.
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
from sinenerf.theory import singular_values, stable_rank, stable_rank_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREADS = np.geomspace(0.1, 1000, 33)
SEEDS = 3
TARGET_SHARE = 0.5
"""Share of a dense random matrix's stable rank that the rule aims at."""
LARGEST_RANK = 1 / 8
"""Largest rank that the rule holds for, as a share of the width: beyond it U V^T itself comes near the target."""


def random_weight(width: int, rank: int, omega: float, seed: int = 0) -> Float[Tensor, "width width"]:
    """The weight of a new `SineLowRankLinear` with the paper's initialisation, in float64."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return SineLowRankLinear(width, width, rank, omega, init="paper").double().weight


def numerical_rank(values: Float[Tensor, " k"]) -> int:
    """How many singular values, in descending order, are above 1 % of the largest."""
    return int((values > 0.01 * values[0]).sum())


def omega_of(spread: float, rank: int) -> float:
    """The omega that gives the paper's factors this spread in radians."""
    return 3 * math.sqrt(rank) * spread


def dense_stable_rank(width: int, seed: int = 0) -> float:
    """Stable rank of a normal random matrix, an upper bound in practice."""
    random = torch.Generator().manual_seed(seed)
    return stable_rank(torch.randn(width, width, generator=random, dtype=torch.float64))


def initial_stable_rank(width: int, rank: int, spread: float, seed: int = 0) -> float:
    """Stable rank of a `SineLowRankLinear` as it is initialised."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return stable_rank(SineLowRankLinear(width, width, rank, spread=spread).weight)


def stable_ranks(width: int, rank: int) -> Float[np.ndarray, " spreads"]:
    """Mean stable rank at each of SPREADS, over SEEDS seeds."""
    return np.mean([[initial_stable_rank(width, rank, s, seed) for s in SPREADS] for seed in range(SEEDS)], axis=0)


@dataclass(frozen=True)
class Rule:
    """The spread at which the stable rank is half of a dense matrix's: a sqrt(k (1 - p)) / p, p = (n / c)^(-1/k)."""

    a: float
    c: float
    spreads: dict[tuple[int, int], float]
    """Measured spreads in radians, by (width, rank)."""

    def spread(self, width: int, rank: int) -> float:
        """The predicted spread, in radians."""
        p = (width / self.c) ** (-1 / rank)
        return self.a * math.sqrt(rank * (1 - p)) / p

    @property
    def errors(self) -> Float[np.ndarray, " measured"]:
        """Logarithms of predicted over measured spread."""
        return np.log([self.spread(*shape) / spread for shape, spread in self.spreads.items()])


def measure_rule(widths: Sequence[int], ranks: Sequence[int]) -> Rule:
    """Measure the spread whose stable rank is half of a dense matrix's, and fit the rule's constants a and c to it.

    Raises:
        ValueError: fewer than three of the combinations reach it, too few for a fit.
    """
    spreads = {}
    for width in widths:
        target = TARGET_SHARE * dense_stable_rank(width)
        for rank in (rank for rank in ranks if rank <= LARGEST_RANK * width):
            reached = stable_ranks(width, rank)
            after = int(np.argmax(reached >= target))
            if after:  # else it is reached never or at every spread
                around = slice(after - 1, after + 1)
                spreads[width, rank] = float(np.exp(np.interp(target, reached[around], np.log(SPREADS[around]))))
    if len(spreads) < 3:
        raise ValueError(
            f"only {len(spreads)} combinations of width and rank reach the rule's target: "
            "give larger widths, or more ranks"
        )
    # keep c below the smallest width, where p would be 1
    bounds = ([-3.0, -3.0], [3.0, math.log(min(widths)) - 0.1])
    fitted = least_squares(lambda x: Rule(math.exp(x[0]), math.exp(x[1]), spreads).errors, [0.0, 0.0], bounds=bounds)
    a, c = map(math.exp, fitted.x)
    return Rule(a, c, spreads)


def draw_random(
    output: Path, width: int, ranks: Sequence[int], omegas: Sequence[float]
) -> dict[float, tuple[int, float]]:
    """Draw singular values of rank-1 factors at several omegas, and stable rank against spread for several ranks.

    Returns:
        numerical and stable rank of the layers with rank-1 factors, by omega.
    """
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9.5, 3.8), layout="constrained")
    left, right = drawn.subplots(1, 2)
    dense = torch.randn(width, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = {omega: random_weight(width, 1, omega) for omega in omegas}
    curves = {f"omega {omega:g}": weight for omega, weight in weights.items()}
    _plot_spectra(left, {**curves, "dense, normal": dense}, f"{width} x {width}, k = 1")
    for rank in ranks:
        right.plot(SPREADS, stable_ranks(width, rank), label=f"k = {rank}")
    dense_rank = dense_stable_rank(width)
    right.axhline(dense_rank, color="black", linestyle=":", label="dense, normal")
    right.axhline(TARGET_SHARE * dense_rank, color="grey", linestyle="--", label="half of it")
    right.set(xscale="log", xlabel="spread of the phase (radians)", ylabel="stable rank of sin(omega U V^T)")
    right.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(0, 0.67))
    right.grid(alpha=0.3)
    _save(drawn, output)
    spectra = {omega: singular_values(weight) for omega, weight in weights.items()}
    return {omega: (numerical_rank(values), stable_rank_of(values)) for omega, values in spectra.items()}


def draw_layers(layers: dict[str, FactoredLinear], output: Path) -> dict[str, float]:
    """Draw the singular values of every factored layer of a trained field. Returns their stable ranks by name."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6.4, 4.2), layout="constrained")
    with torch.no_grad():
        weights = {name: layer.weight.double() for name, layer in layers.items()}
    ranks = {name: stable_rank(weight) for name, weight in weights.items()}
    labelled = {f"{name}: k = {layers[name].rank}, stable rank {ranks[name]:.1f}": w for name, w in weights.items()}
    _plot_spectra(drawn.subplots(), labelled, "trained layers")
    _save(drawn, output)
    return ranks


def _plot_spectra(panel: "Axes", weights: dict[str, Tensor], title: str) -> None:
    for name, weight in weights.items():
        values = singular_values(weight)
        panel.plot(np.arange(1, len(values) + 1), values / values[0], label=name)
    panel.set(title=title, xlabel="index", ylabel="singular value, largest = 1", ylim=(0, 1.05))
    panel.legend(frameon=False, fontsize=8)
    panel.grid(alpha=0.3)


def _save(drawn, output: Path) -> None:
    with replacing(output) as partial:
        drawn.savefig(partial, dpi=150)
