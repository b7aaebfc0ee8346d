"""Rounding by curvature: after each parameter is rounded, those that are still free compensate for its error.

Late in training the loss is approximately quadratic in an error e of the parameters, L + e^T H e / 2. Rounding each to
its nearest multiple of a step s costs s^2 / 24 times the sum of H_ii. Rounding them one after the other, and moving the
free ones each time to the minimum, costs s^2 / 24 times the sum of the d_i, the curvatures that remain once all later
parameters have adjusted. The entries of a matrix's factors are strongly coupled, so the d_i are far smaller than the
H_ii. `lattice_search` finds the integers.

This takes place in rounds during the last third of training: in each round some parameters are rounded and fixed,
from the network's input to its output, and training continues with the others. The steps, one for each tensor, follow
from the d_i and from the size of the file.
"""

import math
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.codec.entropy import LARGEST
from sinenerf.codec.neuron_symmetry import sort_neurons
from sinenerf.codec.tensors import QuantisedTensor, nearest_step
from sinenerf.rounding.base import FileLength, Rounding
from sinenerf.rounding.lattice_search import closest_point, curvature_root, sorted_root

Curvature = Callable[[int, int], Float[Tensor, "parameters parameters"]]
"""H of the parameters from one index to another, in the order of the module's flattened parameters."""

SPAN = (0.7, 0.97)
"""Fractions of the training between which parameters are rounded."""
ROUNDS = 10
"""Approximate number of rounds."""
WINDOW = 1024
"""Number of parameters whose curvature is considered together."""
HEADROOM = 0.002
"""Fraction of the bytes held back: the parameters grow a little while they are rounded."""


def rounded_fraction(done: float) -> float:
    """Fraction of the parameters that are rounded when the fraction `done` of the training is over."""
    begin, end = SPAN
    return min(1.0, max(0.0, (done - begin) / (end - begin)))


def _log_steps(root: Float[Tensor, "n n"], sizes: list[int]) -> list[float]:
    """Logarithms of the steps, up to a common one, with which tensors of these sizes cost equally.

    They are 1 / sqrt(mean d_i). The d_i depend on the order of the parameters, and the order on the steps: the steps
    for the given order decide.
    """

    def equal_costs(remaining: Float[Tensor, " n"]) -> Float[Tensor, " tensors"]:
        return torch.stack([-0.5 * part.mean().log() for part in remaining.split(sizes)])

    steps = equal_costs(root.diagonal().square()).exp().repeat_interleave(torch.tensor(sizes))
    order, ordered = sorted_root(root, steps, len(root))
    return equal_costs(torch.empty_like(steps).scatter_(0, order, ordered.diagonal().square())).tolist()


class CurvatureRounding(Rounding):
    """Rounds parameters in the order of the network, from its input to its output.

    Args:
        curvature: gives H of the training loss at the current parameters.
    """

    def __init__(self, module: nn.Module, size: int, file_length: FileLength, curvature: Curvature) -> None:
        super().__init__(module, size, file_length)
        self.curvature = curvature
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.sizes = [p.numel() for p in self.parameters.values()]
        self.starts = list(accumulate(self.sizes, initial=0))[:-1]
        self.rounded = 0  # number of fixed parameters, counted from the first
        self.integers = torch.zeros(self.count, dtype=torch.float64)
        self.log_steps = torch.empty(0, dtype=torch.float64)  # one for each tensor, once rounding has started

    @property
    def active(self) -> bool:
        return len(self.log_steps) > 0

    @torch.no_grad()
    def start(self) -> None:
        """Choose steps that make all tensors cost equally, 1 / sqrt(mean d_i), and together fill the file."""
        logs: list[float] = []
        while len(logs) < len(self.sizes):  # each window decides for the tensors that begin in it
            start = self.starts[len(logs)]
            stop = min(start + WINDOW, self.count)
            firsts = [first for first in self.starts if start <= first < stop]
            sizes = [end - first for first, end in pairwise([*firsts, stop])]
            logs += _log_steps(curvature_root(self.curvature(start, stop)), sizes)
        self.log_steps = torch.tensor(logs, dtype=torch.float64)
        spread = self._values().square().mean().sqrt().log()
        # a Gaussian with a standard deviation of t steps takes log2(t sqrt(2 pi e)) bits: a first guess, which the real
        # length then corrects
        gaussian = 0.5 * math.log(2 * math.pi * math.e)
        self.log_steps += spread - self.log_steps.mean() + gaussian - math.log(2) * 8 * self.size / self.count
        self._fit_steps(turns=8)

    @torch.no_grad()
    def before_step(self, done: float) -> None:
        fraction = rounded_fraction(done)
        if fraction <= 0:
            return
        due = math.ceil(self.count * min(1.0, (math.floor(fraction * ROUNDS) + 1) / ROUNDS))
        if self.count > ROUNDS * WINDOW:  # a window costs the same however few of its parameters are rounded
            due = min(self.count, WINDOW * math.ceil(due / WINDOW))
        if self.rounded >= due:
            return
        if not self.active:
            self.start()
        while self.rounded < due:
            self._round_window(due)
        self._fit_steps(turns=1)

    @torch.no_grad()
    def after_step(self) -> None:
        """Restore the fixed parameters, which the optimiser has moved."""
        if not self.rounded:
            return
        for parameter, start, step in zip(self.parameters.values(), self.starts, self._steps().tolist(), strict=True):
            fixed = self.integers[start : min(self.rounded, start + parameter.numel())]
            parameter.view(-1)[: len(fixed)] = (fixed * step).to(parameter)

    def state(self) -> dict[str, Any]:
        return {"rounded": self.rounded, "integers": self.integers, "log_steps": self.log_steps}

    def load_state(self, state: dict[str, Any]) -> None:
        self.rounded = state["rounded"]
        self.integers, self.log_steps = state["integers"].cpu(), state["log_steps"].cpu()

    def tensors(self) -> dict[str, QuantisedTensor]:
        """Free parameters are rounded to their nearest multiple."""
        integers = (self._values() / self._each_step()).round().clamp(-LARGEST, LARGEST)
        integers[: self.rounded] = self.integers[: self.rounded]
        parts = integers.long().split(self.sizes)
        named = zip(self.parameters.items(), parts, self._steps().tolist(), strict=True)
        tensors = {name: QuantisedTensor(q.view(p.shape).numpy(), step) for (name, p), q, step in named}
        return sort_neurons(tensors, self.layers)

    @torch.no_grad()
    def finish(self) -> dict[str, QuantisedTensor]:
        self.before_step(1.0)
        while (excess := self.length() - self.size) > 0:  # rare and small: larger steps for all
            values = self._values()
            self.log_steps += max(0.005, math.log(2) * 8 * excess / self.count)
            self.integers = (values / self._each_step()).round().clamp(-LARGEST, LARGEST)
        self.after_step()
        return self.tensors()

    def _values(self) -> Float[Tensor, " n"]:
        return torch.cat([p.detach().flatten().cpu().double() for p in self.parameters.values()])

    def _steps(self) -> Float[Tensor, " tensors"]:
        """Those that files hold."""
        return nearest_step(self.log_steps.exp())

    def _each_step(self) -> Float[Tensor, " n"]:
        """The step of each parameter."""
        return self._steps().repeat_interleave(torch.tensor(self.sizes))

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

    def _round_window(self, due: int) -> None:
        start, stop = self.rounded, min(self.rounded + WINDOW, self.count)
        count = min(stop, due) - start
        values = self._values()
        root = curvature_root(self.curvature(start, stop))
        integers, moved = closest_point(values[start:stop], self._each_step()[start:stop], root, count)
        self.integers[start : start + count] = integers
        values[start:stop] = moved
        self.rounded += count
        for parameter, part in zip(self.parameters.values(), values.split(self.sizes), strict=True):
            parameter.copy_(part.view(parameter.shape))
