"""Rounding by curvature: after each number that is rounded, those that are still free make up for its error.

Late in a training the loss is a parabola over the numbers, L + e^T H e / 2. To round each to its nearest multiple of a
step s costs s^2 / 24 times the sum of H_ii. Rounded one after the other, with the free ones moved each time to where
the parabola is least, they cost the sum of d_i, the curvatures that are left when all later numbers may follow:

    H^-1 = R^T R, R upper triangular:    d_i = 1 / R_ii^2,    theta_j <- theta_j - e_i R_ij / R_ii  for j > i

(Babai's nearest plane, 1986; optimal brain surgeon, Hassibi and Stork 1993; GPTQ, Frantar et al. 2023, which does so
layer by layer.) Factors of a matrix hang together closely, so the d_i are far smaller than the H_ii.

All of it happens in rounds in the last third of a training: some numbers are rounded and stay, from the input of the
network to its output, and training goes on with the others. The steps follow from the d_i, one for a tensor, and from
the bytes that the file may have.
"""

import math
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.codec.entropy import LARGEST
from sinenerf.codec.neuron_order import arrange
from sinenerf.codec.neuron_symmetry import hidden_layers
from sinenerf.codec.tensor_table import Coded, Stored

Curvature = Callable[[int, int], Float[Tensor, "numbers numbers"]]
"""H of the numbers from one place to another, in the order of the module's parameters."""

SPAN = (0.7, 0.97)
"""Shares of a training between which numbers are rounded."""
ROUNDS = 10
"""In about so many rounds."""
WINDOW = 1024
"""So many numbers are looked at together."""
DAMPING = 1e-3
"""Times the mean of H_ii, added to each: what H says of directions that hardly matter is not to be relied on."""
HEADROOM = 0.002
"""Share of the bytes kept back: the numbers grow a little on the way."""


def rounded_share(done: float) -> float:
    """Share of the numbers that are rounded at a point of a training, from 0 to 1."""
    begin, end = SPAN
    return min(1.0, max(0.0, (done - begin) / (end - begin)))


def inverse_root(curvature: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """R of H^-1 = R^T R, upper triangular, of the damped H."""
    H = curvature.double()
    H = H + (DAMPING * H.diagonal().mean() + 1e-12) * torch.eye(len(H), dtype=torch.float64)
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(H)), upper=True)


def nearest_plane(
    values: Float[Tensor, " n"], steps: Float[Tensor, " n"], root: Float[Tensor, "n n"], count: int
) -> tuple[Float[Tensor, " count"], Float[Tensor, " n"]]:
    """The integers of the first `count` values, rounded one after the other; and all values after it, moved along."""
    moved, integers = values.clone(), torch.empty(count, dtype=values.dtype)
    for i in range(count):
        integers[i] = (moved[i] / steps[i]).round().clamp(-LARGEST, LARGEST)
        moved[i:] -= (moved[i] - integers[i] * steps[i]) / root[i, i] * root[i, i:]
    return integers, moved


class PlaneRounding:
    """Rounds the trainable numbers of a module in the course of a training, to make a file of at most `size` bytes.

    Call `round_until` before and `hold` after every step of the optimiser; `finish` at the end.

    Args:
        pack: the file that these tensors make.
    """

    def __init__(
        self, module: nn.Module, size: int, pack: Callable[[list[Stored]], bytes], curvature: Curvature
    ) -> None:
        self.parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.layers, self.size, self.pack, self.curvature = hidden_layers(module), size, pack, curvature
        self.sizes = [p.numel() for p in self.parameters.values()]
        *self.starts, self.count = accumulate(self.sizes, initial=0)
        self.rounded = 0  # so many numbers, the first, have their integers
        self.integers = torch.zeros(self.count, dtype=torch.float64)
        self.log_steps = torch.empty(0, dtype=torch.float64)  # one for each tensor, once rounding has begun

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs beside the module's own state."""
        return {"rounded": self.rounded, "integers": self.integers, "log_steps": self.log_steps}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.rounded, self.integers, self.log_steps = (state[name] for name in ("rounded", "integers", "log_steps"))
        self.integers, self.log_steps = self.integers.cpu(), self.log_steps.cpu()

    @torch.no_grad()
    def round_until(self, done: float) -> None:
        """Round as many numbers as should be at this point of a training, from 0 to 1."""
        share = rounded_share(done)
        if share <= 0:
            return
        goal = math.ceil(self.count * min(1.0, (math.floor(share * ROUNDS) + 1) / ROUNDS))
        if self.rounded >= goal:
            return
        if not len(self.log_steps):
            self._choose_steps()
        while self.rounded < goal:
            self._round_window(goal)
        self._fit_steps(turns=1)

    @torch.no_grad()
    def hold(self) -> None:
        """Give the numbers that are rounded their values again: an optimiser has moved them."""
        if not self.rounded:
            return
        for parameter, start, step in zip(self.parameters.values(), self.starts, self._steps().tolist(), strict=True):
            fixed = self.integers[start : min(self.rounded, start + parameter.numel())]
            parameter.view(-1)[: len(fixed)] = (fixed * step).to(parameter)

    @torch.no_grad()
    def finish(self) -> dict[str, Coded]:
        """Round what is left. Every tensor's integers in the file's order of neurons; the module keeps its own."""
        self.round_until(1.0)
        while (excess := self._length() - self.size) > 0:  # rarely, and by little: larger steps for all
            values = self._values()
            self.log_steps += max(0.005, math.log(2) * 8 * excess / self.count)
            self.integers = (values / self._each_step()).round().clamp(-LARGEST, LARGEST)
        self.hold()
        return self._tensors()

    def _values(self) -> Float[Tensor, " n"]:
        return torch.cat([p.detach().flatten().cpu().double() for p in self.parameters.values()])

    def _steps(self) -> Float[Tensor, " tensors"]:
        """As a file keeps them: bfloat16."""
        return self.log_steps.exp().bfloat16().double()

    def _each_step(self) -> Float[Tensor, " n"]:
        return self._steps().repeat_interleave(torch.tensor(self.sizes))

    def _tensors(self) -> dict[str, Coded]:
        """In the order of neurons that the file has; numbers that are still free are rounded to their nearest."""
        integers = (self._values() / self._each_step()).round().clamp(-LARGEST, LARGEST)
        integers[: self.rounded] = self.integers[: self.rounded]
        parts = integers.long().split(self.sizes)
        named = zip(self.parameters.items(), parts, self._steps().tolist(), strict=True)
        tensors = {name: Coded(q.view(p.shape).numpy(), step) for (name, p), q, step in named}
        return arrange(tensors, self.layers)

    def _length(self) -> int:
        return len(self.pack(list(self._tensors().values())))

    def _choose_steps(self) -> None:
        """Steps that make all tensors cost alike, 1 / sqrt(mean d_i), and together the file's bytes."""
        logs: list[float] = []
        while len(logs) < len(self.sizes):  # each window speaks for the tensors that it reaches into
            start = self.starts[len(logs)]
            stop = min(start + WINDOW, self.count)
            left = inverse_root(self.curvature(start, stop)).diagonal().pow(-2)
            for first, size in zip(self.starts[len(logs) :], self.sizes[len(logs) :], strict=True):
                if first < stop:
                    logs.append(-0.5 * math.log(float(left[first - start :][:size].mean())))
        self.log_steps = torch.tensor(logs, dtype=torch.float64)
        spread = self._values().square().mean().sqrt().log()
        # a Gaussian of deviation t steps takes log2(t sqrt(2 pi e)) bits: a first guess, bettered by the real length
        gaussian = 0.5 * math.log(2 * math.pi * math.e)
        self.log_steps += spread - self.log_steps.mean() + gaussian - math.log(2) * 8 * self.size / self.count
        self._fit_steps(turns=8)

    def _fit_steps(self, turns: int) -> None:
        """Change the steps of tensors that are free as a whole by what the length of the file asks for."""
        free = torch.tensor(self.starts) >= self.rounded
        numbers = int(torch.tensor(self.sizes)[free].sum())
        largest = torch.tensor([float(p.abs().max()) for p in self.parameters.values()], dtype=torch.float64)
        smallest = (largest * 2 / LARGEST).clamp_min(1e-30).log()  # with room to grow
        for _ in range(turns if numbers else 0):
            excess = 8 * (self._length() - self.size * (1 - HEADROOM))
            change = max(-0.7, min(0.7, math.log(2) * excess / numbers))
            self.log_steps[free] = torch.maximum(self.log_steps + change, smallest)[free]

    def _round_window(self, goal: int) -> None:
        start, stop = self.rounded, min(self.rounded + WINDOW, self.count)
        count = min(stop, goal) - start
        values = self._values()
        root = inverse_root(self.curvature(start, stop))
        integers, moved = nearest_plane(values[start:stop], self._each_step()[start:stop], root, count)
        self.integers[start : start + count] = integers
        values[start:stop] = moved
        self.rounded += count
        for parameter, part in zip(self.parameters.values(), values.split(self.sizes), strict=True):
            parameter.copy_(part.view(parameter.shape))
