"""How long a fit lasts, and its learning rate: until a given end, or until the held-out loss no longer falls.

The rate is constant for the first half of the training, then falls to zero along half a cosine ("warm-up, stable,
decay", Hu et al. 2024). The first half needs no end: it can last until the loss is flat. A constant rate keeps the
parameters in motion, which hides how far they have come, so the loss is that of their average over the last steps.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sinenerf.common.settings import Loss
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.sampling import Batch

CONSTANT = 0.5
"""Fraction of the training with a constant learning rate. 0.3, 0.5 and 0.65 are as good as a cosine from the start
(docs/experiments.md)."""
FLAT = 0.1
"""The loss is flat if a doubling of the steps has lowered its excess over the least that labels allow by less than
this."""
FIRST = 500
"""Step of the first look at the held-out loss. Two looks follow in each doubling of the steps."""
AVERAGED = 0.1
"""Fraction of the steps so far over which parameters are averaged, with weights that fall exponentially."""
EVERY = 10
"""Steps between two changes of the average."""
WARM_UP, WARM_UP_STEPS = 0.02, 200
"""The rate rises during this fraction of the training, or these steps, whichever is over first."""
GROWS = (0.25, 0.85)
"""Fractions of the training between which the points per step grow."""


class Plateau:
    """Watches the loss of a network's averaged parameters on held-out points.

    Args:
        network: maps points to logits.
        held_out: points that training does not use, with labels.
        loss: as in `FitConfig`.
    """

    def __init__(self, network: nn.Module, held_out: Batch, loss: Loss) -> None:
        self.network, self.loss = network, loss
        points, labels = held_out
        device = next(network.parameters()).device
        self.points, self.labels = points.to(device), labels.to(device)
        # the cross-entropy of the labels with themselves: soft labels have some
        self.least = float(F.binary_cross_entropy(labels, labels)) if loss == "cross-entropy" else 0.0
        self.average: dict[str, Tensor] = {}
        self.losses: list[float] = []
        """Excess over the least loss at each look."""
        self.step: int | None = None
        """At which the loss was found to be flat."""

    @property
    def fall(self) -> float:
        """Fraction by which twice the steps have lowered the loss; 1 before that is known."""
        return 1 - self.losses[-1] / self.losses[-3] if len(self.losses) > 2 else 1.0

    @torch.no_grad()
    def observe(self, step: int) -> None:
        """Take note of the parameters after a step, counted from 1."""
        if step % EVERY == 0:
            weight = 1 - math.exp(-EVERY / (AVERAGED * step))
            for name, parameter in self.network.named_parameters():
                self.average.setdefault(name, parameter.detach().clone()).lerp_(parameter, weight)
        if step >= round(FIRST * 2 ** (len(self.losses) / 2)):
            self.losses.append(max(1e-12, self._loss() - self.least))
            if self.fall < FLAT:
                self.step = step

    def _loss(self) -> float:
        logits = torch.func.functional_call(self.network, self.average, (self.points,))
        if self.loss == "mse":
            return float(F.mse_loss(torch.sigmoid(logits), self.labels))
        return float(F.binary_cross_entropy_with_logits(logits, self.labels))

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {"average": self.average, "losses": self.losses, "step": self.step}

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from the `state()` of a checkpoint."""
        self.losses, self.step = state["losses"], state["step"]
        self.average = {name: tensor.to(self.points) for name, tensor in state["average"].items()}


class Schedule:
    """Progress of a fit, from 0 to 1, and its learning rate.

    Args:
        plateau: ends the first part of the training, unless the time that the settings allow is over before; None
            where the settings give the end.
    """

    def __init__(self, config: FitConfig, plateau: Plateau | None) -> None:
        self.max_seconds, self.max_steps = config.budget()
        self.most_growth = config.growth
        self.plateau = plateau

    def done(self, step: int, seconds: float) -> float:
        """Fraction of the training that is over. It leaps to `CONSTANT` when the loss is found to be flat."""
        done = max(step / self.max_steps, seconds / self.max_seconds)
        if self.plateau is not None and self.plateau.step is not None:
            done = max(done, CONSTANT * step / self.plateau.step)
        return min(1.0, done)

    def waits(self, step: int, seconds: float) -> bool:
        """Whether the training goes on until the loss is flat."""
        return self.plateau is not None and self.plateau.step is None and self.done(step, seconds) < CONSTANT

    def rate(self, step: int, seconds: float) -> float:
        """Learning rate relative to its peak."""
        done = self.done(step, seconds)
        known = 0.0 if self.waits(step, seconds) else done
        warm = min(1.0, 0.01 + max(known / WARM_UP, step / WARM_UP_STEPS))
        return warm * 0.5 * (1 + math.cos(math.pi * max(0.0, done - CONSTANT) / (1 - CONSTANT)))

    def growth(self, step: int, seconds: float) -> int:
        """Points per step relative to the first step's: a power of two.

        While the rate is high, many small steps lead farther; later the noise of few points keeps the loss up.
        """
        grown = min(1.0, max(0.0, (self.done(step, seconds) - GROWS[0]) / (GROWS[1] - GROWS[0])))
        return int(2 ** round(grown * math.log2(self.most_growth)))

    def time_left(self, step: int, seconds: float) -> str:
        """The remaining time, or what the training waits for."""
        done = self.done(step, seconds)
        if self.waits(step, seconds):
            assert self.plateau is not None
            fall = f"{100 * self.plateau.fall:.0f} % a doubling" if len(self.plateau.losses) > 2 else "falling"
            return f"until the loss is flat ({fall}), at most {_minutes(self.max_seconds - seconds)} left"
        return f"{_minutes(seconds * (1 - done) / done if done else 0.0)} left"


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
