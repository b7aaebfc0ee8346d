"""Rounding by curvature: each parameter makes up for the errors of those that were rounded before it.

After training, the loss is approximately quadratic in a change e of the parameters, L + e^T H e / 2. Rounding each to
its nearest multiple of a step s costs s^2 / 24 times the sum of H_ii. Rounding them one after the other, and moving the
others each time to the minimum, costs s^2 / 24 times the sum of the d_i, the curvatures that remain once all later
parameters have adjusted. The entries of a matrix's factors are strongly coupled, so the d_i are far smaller than the
H_ii. The steps, one for each tensor, follow from the d_i and from the size of the file; `lattice_search` finds the
integers.

H is too large to be kept whole, so this goes window by window, from the network's input to its output. What rounding
has changed so far is measured: the outputs z at some points are no longer those of the trained network, z_0. A window's
parameters first move by -H^-1 J^T (z - z_0), to where a least-squares fit brings z nearest to z_0, and are rounded from
there.
"""

import math
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.codec.entropy import LARGEST
from sinenerf.codec.neuron_symmetry import sort_neurons
from sinenerf.codec.tensors import GAUSSIAN_WIDTH, QuantisedTensor, nearest_step
from sinenerf.rounding.base import FileLength, Rounding
from sinenerf.rounding.lattice_search import cholesky, closest_point, curvature_root, sorted_root

Curvature = Callable[[int, int], tuple[Float[Tensor, "parameters parameters"], Float[Tensor, " parameters"]]]
"""H of the parameters from one index to another, in the order of the module's flattened parameters, and the gradient
J^T (z - z_0) of what rounding has cost so far."""

WINDOW = 1024
"""Number of parameters whose curvature is considered together."""
HEADROOM = 0.002
"""Fraction of the bytes held back: the parameters grow a little while they are rounded."""
RIDGES = (0.01, 0.1, 1.0)
"""Multiples of the mean of H_ii that may be added to each H_ii when parameters move towards z_0. What suits some points
must suit others: of two halves of the points each chooses what is best for the other."""


def _log_steps(root: Float[Tensor, "n n"], sizes: list[int]) -> list[float]:
    """Logarithms of the steps, up to a common one, with which tensors of these sizes cost equally.

    They are 1 / sqrt(mean d_i). The d_i depend on the order of the parameters, and the order on the steps: the steps
    for the given order decide.
    """

    def equal_costs(remaining: Float[Tensor, " n"]) -> Float[Tensor, " tensors"]:
        return torch.stack([-0.5 * part.mean().log() for part in remaining.split(sizes)])

    steps = equal_costs(root.diagonal().square()).exp().repeat_interleave(torch.tensor(sizes))
    order, ordered = sorted_root(root, steps)
    return equal_costs(torch.empty_like(steps).scatter_(0, order, ordered.diagonal().square())).tolist()


def _move(halves: list[tuple[Tensor, Tensor]]) -> Float[Tensor, " n"]:
    """The move of parameters that lowers the deviation, by (H, J^T (z - z_0)) of two halves of the points."""

    def moves(H: Tensor, pull: Tensor) -> list[Tensor]:
        return [-torch.cholesky_solve(pull[:, None], cholesky(H, ridge))[:, 0] for ridge in RIDGES]

    gains = torch.zeros(len(RIDGES), dtype=torch.float64)
    for (H, pull), (other_H, other_pull) in (halves, halves[::-1]):
        gains += torch.stack([move @ other_pull + 0.5 * move @ other_H @ move for move in moves(H, pull)])
    best = int(gains.argmin())
    (H, pull), (other_H, other_pull) = halves
    return moves(H + other_H, pull + other_pull)[best] if gains[best] < 0 else torch.zeros_like(pull)


class CurvatureRounding(Rounding):
    """Rounds the parameters of a trained network.

    Args:
        curvature: gives H and J^T (z - z_0) at the current parameters.
    """

    def __init__(self, module: nn.Module, size: int, file_length: FileLength, curvature: Curvature) -> None:
        super().__init__(module, size, file_length)
        self.curvature = curvature
        self.sizes = [p.numel() for p in self.parameters.values()]
        self.starts = list(accumulate(self.sizes, initial=0))[:-1]
        self.rounded = 0  # number of fixed parameters, counted from the first
        self.integers = torch.zeros(self.count, dtype=torch.float64)
        self.log_steps = torch.empty(0, dtype=torch.float64)  # one for each tensor

    def run(self) -> Iterator[float]:
        """Round all parameters, window by window. Yields the fraction that is rounded."""
        self._choose_steps()
        for start in range(0, self.count, WINDOW):
            self._round_window(start, min(start + WINDOW, self.count))
            if any(start <= first < self.rounded for first in self.starts):  # else the same steps are free as before
                self._fit_steps(turns=1)
            yield self.rounded / self.count
        self._fit_size()

    @torch.no_grad()
    def _choose_steps(self) -> None:
        """Steps that make all tensors cost equally, 1 / sqrt(mean d_i), and together fill the file."""
        logs: list[float] = []
        while len(logs) < len(self.sizes):  # each window decides for the tensors that begin in it
            start = self.starts[len(logs)]
            stop = min(start + WINDOW, self.count)
            firsts = [first for first in self.starts if start <= first < stop]
            sizes = [end - first for first, end in pairwise([*firsts, stop])]
            logs += _log_steps(curvature_root(self.curvature(start, stop)[0]), sizes)
        self.log_steps = torch.tensor(logs, dtype=torch.float64)
        spread = self._values().square().mean().sqrt().log()
        # a first guess, as for Gaussian parameters, which the real length then corrects
        bits = 8 * self.size / self.count
        self.log_steps += spread - self.log_steps.mean() + math.log(GAUSSIAN_WIDTH) - math.log(2) * bits
        self._fit_steps(turns=8)

    def tensors(self) -> dict[str, QuantisedTensor]:
        """Free parameters are rounded to their nearest multiple."""
        integers = (self._values() / self._each_step()).round().clamp(-LARGEST, LARGEST)
        integers[: self.rounded] = self.integers[: self.rounded]
        parts = integers.long().split(self.sizes)
        named = zip(self.parameters.items(), parts, self._steps().tolist(), strict=True)
        tensors = {name: QuantisedTensor(q.view(p.shape).numpy(), step) for (name, p), q, step in named}
        return sort_neurons(tensors, self.layers)

    @torch.no_grad()
    def _fit_size(self) -> None:
        """Enlarge all steps if the file exceeds its size: rare and by little."""
        while (excess := self.length() - self.size) > 0:
            values = self._values()
            self.log_steps += max(0.005, math.log(2) * 8 * excess / self.count)
            self.integers = (values / self._each_step()).round().clamp(-LARGEST, LARGEST)
        self._write(0, self.integers * self._each_step())

    def _values(self) -> Float[Tensor, " n"]:
        return torch.cat([p.detach().flatten().cpu().double() for p in self.parameters.values()])

    def _steps(self) -> Float[Tensor, " tensors"]:
        """Those that files hold."""
        return nearest_step(self.log_steps.exp())

    def _each_step(self) -> Float[Tensor, " n"]:
        """The step of each parameter."""
        return self._steps().repeat_interleave(torch.tensor(self.sizes))

    @torch.no_grad()
    def _fit_steps(self, turns: int) -> None:
        """Scale the steps of tensors without any fixed parameter towards the file's size."""
        free = torch.tensor(self.starts) >= self.rounded
        count = int(torch.tensor(self.sizes)[free].sum())
        largest = torch.tensor([float(p.abs().max()) for p in self.parameters.values()], dtype=torch.float64)
        smallest = (largest * 2 / LARGEST).clamp_min(1e-30).log()  # leaves room for the parameters to grow
        for _ in range(turns if count else 0):
            excess = 8 * (self.length() - self.size * (1 - HEADROOM))
            change = max(-0.7, min(0.7, math.log(2) * excess / count))
            self.log_steps[free] = torch.maximum(self.log_steps + change, smallest)[free]

    @torch.no_grad()
    def _round_window(self, start: int, stop: int) -> None:
        halves = [(H.double(), pull.double()) for H, pull in (self.curvature(start, stop) for _ in range(2))]
        steps = self._each_step()[start:stop]
        target = self._values()[start:stop] + _move(halves)
        self.integers[start:stop] = closest_point(target, steps, curvature_root(halves[0][0] + halves[1][0]))
        self.rounded = stop
        self._write(start, self.integers[start:stop] * steps)

    def _write(self, start: int, values: Float[Tensor, " n"]) -> None:
        """Set the module's parameters from an index on."""
        for parameter, first in zip(self.parameters.values(), self.starts, strict=True):
            begin, end = max(first, start), min(first + parameter.numel(), start + len(values))
            if begin < end:
                parameter.view(-1)[begin - first : end - first] = values[begin - start : end - start].to(parameter)
