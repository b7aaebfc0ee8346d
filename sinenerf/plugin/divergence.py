"""Detecting failed training: values that are not finite, or a collapsed density."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

EMPTY = 2e-3
"""Mean accumulation below which a scene counts as empty."""
FILLED = 0.98
"""Share of the weight in each ray's first sample above which a scene counts as filled from the near plane on."""


class TrainingDiverged(RuntimeError):
    """The loss, or a parameter to be saved, is NaN or infinite. It updated no parameter and replaced no file."""


def check_losses(losses: dict[str, Tensor]) -> None:
    """Check losses before a bad gradient reaches the weights.

    Raises:
        TrainingDiverged: naming the losses that are not finite.
    """
    bad = [name for name, loss in losses.items() if not torch.isfinite(loss).all()]
    if bad:
        raise TrainingDiverged(f"{', '.join(bad)} is NaN or infinite")


def check_parameters(parameters: Iterable[Tensor]) -> None:
    """Check parameters before a bad checkpoint replaces a good one: a gradient may be bad where the loss is not.

    Raises:
        TrainingDiverged: a parameter is not finite.
    """
    finite = torch.stack([parameter.isfinite().all() for parameter in parameters])
    if not finite.all():  # synchronises with a GPU only once
        raise TrainingDiverged("a parameter of the field is NaN or infinite")


def find_collapse(weights: Float[Tensor, "rays samples 1"]) -> str | None:
    """Whether, by its rendering weights, a batch of rays sees nothing, or a wall at the start of each ray.

    Returns:
        a description of the collapse, or None.
    """
    accumulation = float(weights.sum(-2).mean())
    if accumulation < EMPTY:
        return f"the density has collapsed to nothing (mean accumulation {accumulation:.1g})"
    first = float(weights[:, 0].mean()) / accumulation
    if first > FILLED:
        return f"the density fills everything from the near plane on ({100 * first:.0f} % of the weight is at it)"
    return None
