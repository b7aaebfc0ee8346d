"""`--layer auto`: the network that is best known for a time and a number of bytes.

The table and the measurements that it rests on are in docs/radiance.md, "Which network". On photographs a dense network
learns more in the same time than a sine of the same shape, and a thin dense one more than a sine of the same bytes.
"""

from dataclasses import replace
from math import ceil, prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sinenerf.radiance.config import RadianceConfig

BITS = 6.0
"""Bits per parameter to which a scene is rounded where no size is given: fewer cost quality, more only bytes."""
WIDTHS = (224, 192, 160, 144, 128, 112, 96, 80, 64, 56, 48, 40, 32, 24, 16)
"""Widths of the network, the widest first."""


def network_for(layer: str, bytes: int | None) -> dict[str, Any]:
    """Settings of sine-nerf-small's model for a layer, and for the size of the file.

    The network is as wide as `BITS` bits per parameter allow within `bytes`; a factored one has a rank of a fifth of
    its width, as the preset has.

    Args:
        layer: auto is the dense one.
        bytes: size of the file; None for as many as the widest network needs.
    """
    settings = {"layer": "dense" if layer == "auto" else layer, "position_frequencies": 8, "fine_samples": 16}
    for width in WIDTHS:
        settings |= {"width": width} if settings["layer"] == "dense" else {"width": width, "rank": width // 5}
        if bytes is None or BITS / 8 * parameters_of(settings) <= bytes:
            break
    return settings


def parameters_of(settings: dict[str, Any]) -> int:
    """Parameters of sine-nerf-small's networks with these settings."""
    from sinenerf.radiance.architecture import tensors_of

    return sum(prod(shape) for shape in tensors_of(architecture_of(settings)).values())


def fewest_bytes(settings: dict[str, Any]) -> int:
    """Size of the smallest file for which these networks can be trained: a bit for each parameter."""
    from sinenerf.radiance.header import overhead

    return ceil(overhead(architecture_of(settings)) + parameters_of(settings) / 8)


def architecture_of(settings: dict[str, Any]) -> "RadianceConfig":
    """sine-nerf-small's field with these settings, in an unbounded scene."""
    from sinenerf.plugin.methods import sine_nerf_small

    return replace(sine_nerf_small.config.pipeline.model, **settings).architecture(endless=True)
