"""Rounding by learned steps: each tensor is rounded to multiples of a step, and training adjusts both.

Radiance fields are rounded in this way; occupancy fields by curvature, see `sinenerf.rounding.by_curvature`.

    theta -> s round(theta / s)

Gradients pass through the rounding unchanged, and also reach the step s (LSQ, Esser et al. 2020). The rate, in bits, is
that of the file's own entropy model, whose two coefficients are learned as well:

    R = -log2 p(q),  log p(q) = -a |q| - c q^2 / 2 - log Z

The loss is D + lambda R. lambda rises while R is above the budget, and falls while it is below.

Rounding all parameters at once costs more than necessary, as none is left to compensate for the errors of the others.
So at the end of training the parameters settle (incremental network quantisation, Zhou et al. 2017): the steps no
longer change, and the parameters, free again, are fixed to multiples of their step in portions, those that lie nearest
to one first.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sinenerf.codec.neuron_symmetry import saved_bits, sort_neurons
from sinenerf.codec.tensor_table import coded_bits
from sinenerf.codec.tensors import QuantisedTensor
from sinenerf.rounding.base import FileLength, Rounding
from sinenerf.rounding.learned_step import LearnedStep

START_BITS = 1.5
"""Bits per parameter above the budget at which a tensor starts; the rate term then removes them."""

REOPEN = 0.05
"""Settled parameters become free again if training resumes at least this fraction before the point at which they began
to settle. The estimated end of a training limited by time moves by less."""

SETTLE_ROUNDS = 75
"""Approximate number of portions in which parameters settle."""

HEADROOM = 0.02
"""Fraction of the budget held back when parameters begin to settle: they grow a little meanwhile."""


def rounded_from(bits: float) -> float:
    """Fraction of the training after which parameters of this many bits are rounded. The fewer bits, the more errors
    there are to compensate for; but rounded parameters learn more slowly. The best of 0.5, 0.75 and 0.85 at 3, 4, 6 and
    8 bits (docs/experiments.md)."""
    return min(0.85, max(0.5, bits / 8))


def settling_from(begin: float) -> float:
    """Fraction of the training after which parameters settle, if they are rounded from the fraction `begin` on."""
    return max(0.75, (1 + begin) / 2)


def settled_fraction(done: float, first: float) -> float:
    """Fraction of the parameters that are fixed when the fraction `done` of the training is over: none before `first`,
    then many quickly, the last ones slowly, and all of them shortly before the end."""
    end = 1 - 0.12 * (1 - first)
    return 1 - (1 - min(1.0, max(0.0, (done - first) / (end - first)))) ** 1.5


class LearnedStepRounding(Rounding):
    """Rounds all parameters from one point of the training on, and keeps their rate within a budget.

    Training minimises the loss plus `penalty()` over `parameter_groups()`, calls `before_step` with the fraction of it
    that is over, and `finish` at its end.

    Args:
        overhead: bytes of the file besides the coded integers. The bits that sorting the neurons saves are added to the
            budget of the integers.
        begin: fraction of the training after which parameters are rounded. Default: `rounded_from` their bits.

    Raises:
        ValueError: `size` leaves less than one bit per parameter, besides what sorting the neurons saves.
    """

    def __init__(
        self, module: nn.Module, size: int, file_length: FileLength, overhead: float, begin: float | None = None
    ) -> None:
        super().__init__(module, size, file_length)
        # what sorting saves does not count here: of few parameters it can be more bits than they have
        if 8 * (size - overhead) < self.count:
            raise ValueError(
                f"too few for {self.count:,} parameters: less than one bit each. Give at least "
                f"{math.ceil(overhead + self.count / 8):,} bytes, or use fewer parameters"
            )
        self.order_saving = saved_bits(self.layers)
        self.budget = 8 * (size - overhead) + self.order_saving
        self._locations = []
        for name, parameter in self.parameters.items():
            path, _, leaf = name.rpartition(".")
            owner = module.get_submodule(path)
            parametrize.register_parametrization(owner, leaf, LearnedStep(parameter))
            self._locations.append((name, owner, leaf))
        self.begin = rounded_from(self.budget / self.count) if begin is None else begin
        self.log_multiplier = math.log(1e-3)
        self.last_rate = math.inf

    @property
    def active(self) -> bool:
        """Whether rounding has started."""
        return all(step.active for _, step, _ in self._each())

    @property
    def settling(self) -> bool:
        """Whether the steps no longer change, and parameters are being fixed."""
        return all(step.settling for _, step, _ in self._each())

    def start(self) -> None:
        """Choose the steps and round from now on. `before_step` calls this when it is due."""
        bits = max(1.5, self.budget / self.count + START_BITS)
        for _, step, original in self._each():
            step.start(original, bits)

    def _each(self) -> Iterator[tuple[str, LearnedStep, Tensor]]:
        """(name, step, unrounded values) of each tensor."""
        for name, owner, leaf in self._locations:
            parametrizations: Any = owner.get_submodule("parametrizations")
            yield name, parametrizations[leaf][0], parametrizations[leaf].original

    @torch.no_grad()
    def before_step(self, done: float) -> None:
        """Start rounding if it is due, and fix as many parameters as are due."""
        if done >= self.begin and not self.active:
            self.start()
        first = settling_from(self.begin)
        if self.settling and done < first - REOPEN:
            self._reopen()
        fraction = settled_fraction(done, first)
        fixed = sum(int(step.fixed.isfinite().sum()) for _, step, _ in self._each()) if fraction > 0 else 0
        more = round(fraction * self.count) - fixed
        if not self.active or more <= 0 or (fraction < 1 and more < self.count / SETTLE_ROUNDS):
            return
        if not self.settling:
            self._begin_settling()
        distances = torch.cat([step.distance(original).flatten() for _, step, original in self._each()])
        within = float(distances.cpu().kthvalue(more).values)  # older torch lacks kthvalue on Apple's GPUs
        for _, step, original in self._each():
            step.fix(original, within)

    def _begin_settling(self) -> None:
        taken = sum(map(coded_bits, self.tensors().values()))
        excess = (taken - (self.budget - self.order_saving) * (1 - HEADROOM)) / self.count
        for _, step, original in self._each():  # bounded: after few optimiser steps the rate may be far off
            step.coarsen(original, math.log(2) * min(excess, START_BITS))
            step.settling = True

    def _reopen(self) -> None:
        """Free all parameters, because a training that had nearly or entirely ended is extended by a lot."""
        for _, step, original in self._each():
            step.coarsen(original, 0.0)

    def state(self) -> dict[str, Any]:
        """The state that a checkpoint needs besides the module's own."""
        return {"multiplier": self.log_multiplier, "rate": self.last_rate}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from the `state()` of a checkpoint."""
        self.log_multiplier, self.last_rate = state["multiplier"], state["rate"]

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For an optimiser: the tensors; then their steps and models, logarithms that need their own learning rate."""
        values = [original for _, _, original in self._each()]
        models = [p for _, step, _ in self._each() for p in step.parameters()]
        return [{"params": values}, {"params": models, "scale": 1.0}]

    def rate(self) -> Float[Tensor, ""]:
        """R of all parameters, in bits, by their models."""
        return torch.stack([step.bits(original) for _, step, original in self._each()]).sum()

    def penalty(self) -> Float[Tensor, ""]:
        """lambda R / n for n parameters; 0 once they settle."""
        if self.settling:
            return torch.zeros(())
        rate = self.rate()
        self.last_rate = float(rate.detach())
        excess = self.last_rate / self.budget - 1
        self.log_multiplier += 0.02 * max(-1.0, min(1.0, 10 * excess))
        return math.exp(self.log_multiplier) * rate / self.count

    @torch.no_grad()
    def tensors(self) -> dict[str, QuantisedTensor]:
        tensors = {
            name: QuantisedTensor(step.integers(original).round().long().cpu().numpy(), float(step.step))
            for name, step, original in self._each()
        }
        return sort_neurons(tensors, self.layers)

    @torch.no_grad()
    def finish(self) -> dict[str, QuantisedTensor]:
        """Round all parameters that are still free, with larger steps if the file would exceed `size` bytes.

        Returns the tensors, neurons in a file's order; the module has the same values, neurons in its own order.
        """
        for _, step, original in self._each():
            if step.settling:
                step.fix(original, within=1.0)
        while (excess := self.length() - self.size) > 0:  # a short training may end above the size
            for _, step, original in self._each():
                step.coarsen(original, max(0.01, math.log(2) * 8 * excess / self.count))
        return self.tensors()

    def remove(self) -> None:
        """Make the values as rounded now plain parameters of the module again."""
        for _, owner, leaf in self._locations:
            parametrize.remove_parametrizations(owner, leaf, leave_parametrized=True)
