"""The panel of nerfstudio's viewer that shows a field's rank, parameters, and size as a file."""

from typing import ClassVar

import torch
from nerfstudio.viewer.viewer_elements import ViewerText
from torch import nn

from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import overhead
from sinenerf.rounding.by_learned_steps import LearnedStepRounding


class Panel(nn.Module):
    """Read-only rows. It is a module without parameters because nerfstudio searches only modules for rows."""

    STEPS: ClassVar[int] = 50
    """Training steps between two updates."""

    def __init__(self, field: RadianceField, quantiser: LearnedStepRounding | None) -> None:
        super().__init__()
        config, count = field.config, field.parameters_count
        rank = "dense" if config.layer == "dense" else f"{config.layer}, k = {config.rank}"
        size, bits = _size(field, count, quantiser)
        self.rank = ViewerText("Rank", rank, disabled=True, hint="width k of the factors U and V")
        self.parameters_count = ViewerText("Parameters", f"{count:,}", disabled=True, hint="trainable parameters")
        self.bytes = ViewerText("Bytes", size, disabled=True, hint="of the run's scene.sine, approximately")
        self.bits = ViewerText("Bits / parameter", bits, disabled=True, hint="all bytes of the file counted")
        self._count = count

    def update(self, field: RadianceField, quantiser: LearnedStepRounding | None) -> None:
        """Recompute bytes and bits, which change with the parameters once they are rounded."""
        self.bytes.value, self.bits.value = _size(field, self._count, quantiser)


@torch.no_grad()
def _size(field: RadianceField, count: int, quantiser: LearnedStepRounding | None) -> tuple[str, str]:
    """(bytes, bits per parameter) of the field's file in its current state."""
    rounds = quantiser is not None and quantiser.active
    bits = float(quantiser.rate()) - quantiser.order_saving if quantiser is not None and rounds else 32.0 * count
    size = bits / 8 + overhead(field.config)
    note = "" if rounds else " (float32)" if quantiser is None else " (float32, rounded later)"
    return f"{size:,.0f}{note}", f"{8 * size / count:.2f}"
