"""Noticing training that goes wrong: numbers that are none, a density that collapsed."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

NOTHING = 2e-3
"""Mean accumulation under which a scene counts as empty."""
FILLED = 0.98
"""Share of the weights in each ray's first sample above which a scene counts as filled from the near plane on."""


class TrainingDiverged(RuntimeError):
    """The loss, or what a checkpoint would keep, is NaN or infinite. Nothing was updated with it, nothing replaced."""


def check_finite(losses: dict[str, Tensor]) -> None:
    """Raise before a bad gradient reaches the weights.

    Raises:
        TrainingDiverged: naming the losses that are not finite.
    """
    bad = [name for name, loss in losses.items() if not torch.isfinite(loss).all()]
    if bad:
        raise TrainingDiverged(f"{', '.join(bad)} is NaN or infinite")


def check_numbers(parameters: Iterable[Tensor]) -> None:
    """Raise before a bad checkpoint takes the place of a good one: a gradient may be bad where the loss is not.

    Raises:
        TrainingDiverged: a number is not finite.
    """
    if not torch.stack([parameter.isfinite().all() for parameter in parameters]).all():  # a GPU is waited for once
        raise TrainingDiverged("a number of the field is NaN or infinite")


def collapse(weights: Float[Tensor, "rays samples 1"]) -> str | None:
    """Whether a batch of rays, by its rendering weights, sees nothing, or a wall at the very start of each ray.

    Returns:
        what happened, or None.
    """
    seen = float(weights.sum(-2).mean())
    if seen < NOTHING:
        return f"the density has collapsed to nothing (mean accumulation {seen:.1g})"
    first = float(weights[:, 0].mean()) / seen
    if first > FILLED:
        return f"the density fills everything from the near plane on ({100 * first:.0f} % of the weight is there)"
    return None
