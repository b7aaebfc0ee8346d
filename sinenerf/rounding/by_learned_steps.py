"""Quantisation in training: every tensor is rounded to multiples of a step of its own, and both learn from it.

Scenes are rounded so; occupancy fields by curvature, see `sinenerf.rounding.by_curvature`.

    theta -> s round(theta / s)

Gradients pass the rounding as if it were not there, and reach the step s too (LSQ, Esser et al. 2020). The rate, in
bits, is that of the very model that the file's entropy coder uses, with its two numbers learned along:

    R = -log2 p(q),  log p(q) = -a |q| - c q^2 / 2 - log Z

The loss to minimise is D + lambda R. lambda rises while R is above the budget, and falls while it is below.

Rounding everything at once costs more than it must: no number is left to make up for the others' errors. So at the end
of a training the numbers settle (incremental network quantisation, Zhou et al. 2017): the steps stay as they are, and
the numbers, free again, are fixed to their grids one part after the other, those that lie nearest first.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sinenerf.codec.neuron_order import arrange, saving
from sinenerf.codec.neuron_symmetry import hidden_layers
from sinenerf.codec.tensor_table import Coded, Stored
from sinenerf.rounding.learned_step import LearnedStep

START_BITS = 1.5
"""A tensor starts with so many bits a number more than the budget; the rate then takes them."""

AGAIN = 0.05
"""A training that goes on is so much before that point or more, where numbers that have settled become free again: the
end that a training within seconds expects moves by less."""

SETTLE_ROUNDS = 75
"""In about so many rounds."""

HEADROOM = 0.02
"""Share of a budget that is kept back when numbers begin to settle: they grow a little on the way."""


def rounded_from(bits: float) -> float:
    """Share of a training before which numbers of so many bits are free. The fewer bits, the more there is to mend; but
    rounded numbers learn more slowly. Best of 0.5, 0.75 and 0.85 at 3, 4, 6 and 8 bits (docs/experiments.md)."""
    return min(0.85, max(0.5, bits / 8))


def settling_from(begin: float) -> float:
    """Share of a training at which numbers that are rounded from `begin` on begin to settle."""
    return max(0.75, (1 + begin) / 2)


def settled_share(done: float, first: float) -> float:
    """Share of the numbers that are fixed at a point of a training, from 0 to 1: none before `first`, many then, the
    last slowly. All are a little before the end."""
    end = 1 - 0.12 * (1 - first)
    return 1 - (1 - min(1.0, max(0.0, (done - first) / (end - first)))) ** 1.5


class Quantiser:
    """Rounds every trainable tensor of a module, and steers the rate to a budget.

    Args:
        budget: bits in all, of the entropy-coded integers. What the order of neurons saves is spent on them too.
        active: from now on; else from `start` on, which is due at `begin`, a share of the training.

    Raises:
        ValueError: a budget of less than one bit a number.
    """

    def __init__(self, module: nn.Module, budget: float, active: bool = True) -> None:
        self.module, self.layers = module, hidden_layers(module)
        self.saved = saving(self.layers)
        self.budget = budget + self.saved
        named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        self.count = sum(p.numel() for _, p in named)
        if budget < self.count:
            raise ValueError(f"too few for {self.count:,} parameters: less than a bit for each. Give more, or fewer")
        self._places = []
        for name, parameter in named:
            path, _, leaf = name.rpartition(".")
            owner = module.get_submodule(path)
            parametrize.register_parametrization(owner, leaf, LearnedStep(parameter))
            self._places.append((name, owner, leaf))
        self.begin = 0.0 if active else rounded_from(self.budget / self.count)
        self.log_multiplier = math.log(1e-3)
        self.last_rate = math.inf
        if active:
            self.start()

    @property
    def active(self) -> bool:
        """Whether numbers are rounded."""
        return all(rounding.active for _, rounding, _ in self._each())

    @property
    def settling(self) -> bool:
        """Whether the steps stay as they are, and numbers become fixed."""
        return all(rounding.settling for _, rounding, _ in self._each())

    def start(self) -> None:
        """Round from now on."""
        bits = max(1.5, self.budget / self.count + START_BITS)
        for _, rounding, original in self._each():
            rounding.start(original, bits)

    def _each(self) -> Iterator[tuple[str, LearnedStep, Tensor]]:
        """(name, rounding, unrounded values) of every tensor."""
        for name, owner, leaf in self._places:
            entry: Any = owner.get_submodule("parametrizations")
            yield name, entry[leaf][0], entry[leaf].original

    @torch.no_grad()
    def settle(self, done: float) -> None:
        """Fix as many numbers as should be at this point of a training, from 0 to 1. Call it at every step."""
        first = settling_from(self.begin)
        if self.settling and done < first - AGAIN:
            self._free()
        share = settled_share(done, first)
        fixed = sum(int(rounding.fixed.isfinite().sum()) for _, rounding, _ in self._each()) if share > 0 else 0
        more = round(share * self.count) - fixed
        if not self.active or more <= 0 or (share < 1 and more < self.count / SETTLE_ROUNDS):
            return
        if not self.settling:
            taken = sum(tensor.bits for tensor in self.tensors().values())
            excess = (taken - (self.budget - self.saved) * (1 - HEADROOM)) / self.count
            for _, rounding, original in self._each():  # after few steps the rate may still be far off: bounded
                rounding.coarsen(original, math.log(2) * min(excess, START_BITS))
                rounding.settling = True
        distances = torch.cat([rounding.distance(original).flatten() for _, rounding, original in self._each()])
        within = float(distances.cpu().kthvalue(more).values)  # older torch has none on Apple's GPUs
        for _, rounding, original in self._each():
            rounding.fix(original, within)

    def _free(self) -> None:
        """Numbers are free again: a training that had ended, or nearly, goes on for long."""
        for _, rounding, original in self._each():
            rounding.coarsen(original, 0.0)

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps beside the module's numbers: how far lambda and the rate have got."""
        return {"multiplier": self.log_multiplier, "rate": self.last_rate}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint; one that has no such entries leaves things as they are."""
        self.log_multiplier = state.get("multiplier", self.log_multiplier)
        self.last_rate = state.get("rate", self.last_rate)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For an optimiser: the tensors; their steps and models, which are logarithms and take a rate of their own."""
        values = [original for _, _, original in self._each()]
        models = [p for _, rounding, _ in self._each() for p in rounding.parameters()]
        return [{"params": values}, {"params": models, "scale": 1.0}]

    def rate(self) -> Float[Tensor, ""]:
        """Bits that all numbers take now, by their models."""
        return torch.stack([rounding.bits(original) for _, rounding, original in self._each()]).sum()

    def penalty(self) -> Float[Tensor, ""]:
        """lambda R / n, for n numbers in all; 0 once numbers settle."""
        if self.settling:
            return torch.zeros(())
        rate = self.rate()
        self.last_rate = float(rate.detach())
        excess = self.last_rate / self.budget - 1
        self.log_multiplier += 0.02 * max(-1.0, min(1.0, 10 * excess))
        return math.exp(self.log_multiplier) * rate / self.count

    @torch.no_grad()
    def tensors(self) -> dict[str, Coded]:
        """Every tensor as integers, in the order of neurons that the file has."""
        tensors = {
            name: Coded(rounding.integers(original).round().long().cpu().numpy(), float(rounding.step))
            for name, rounding, original in self._each()
        }
        return arrange(tensors, self.layers)

    @torch.no_grad()
    def coarsen(self, bits: float) -> None:
        """Make every step larger, by what saves about so many bits in all."""
        for _, rounding, original in self._each():
            rounding.coarsen(original, max(0.01, math.log(2) * bits / self.count))

    def within(self, size: int, pack: Callable[[list[Stored]], bytes]) -> dict[str, Coded]:
        """Every tensor as integers that make a file of at most `size` bytes: a short training may end above it."""
        for _, rounding, original in self._each():
            if rounding.settling:
                rounding.fix(original, within=1.0)
        while True:
            coded = self.tensors()
            excess = len(pack(list(coded.values()))) - size
            if excess <= 0:
                return coded
            self.coarsen(8 * excess)

    def finish(self) -> None:
        """Leave the rounded values behind as plain parameters, in their own order."""
        for _, owner, leaf in self._places:
            parametrize.remove_parametrizations(owner, leaf, leave_parametrized=True)
