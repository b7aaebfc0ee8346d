"""Settings of a fit from keywords; those that are left out are chosen to suit the file's size in bytes.

The choices come from trial fits to the dragon of one and a half to two minutes on one core (docs/experiments.md), at
sizes near those of configs/shapes.toml.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from sinenerf.codec.container import LARGEST_COUNT
from sinenerf.common.settings import check
from sinenerf.occupancy.architecture import shapes_of
from sinenerf.occupancy.config import FitConfig, OccupancyConfig

Config = TypeVar("Config", OccupancyConfig, FitConfig)

DEFAULT_BYTES = 3000
"""Size of a file when neither a size nor a network is given."""
BITS_PER_PARAMETER = 6.5
"""Bits per parameter up to 56,000 bytes. With more, a file holds too few parameters; with fewer, rounding costs
accuracy."""
SMALL_FILE = 3000
"""Bytes below which smaller batches, which allow more steps, give better results."""
LARGEST_SINE = 5000
"""Bytes up to which a sine is the layer for a size: as accurate as a dense network in the same time, and ahead after a
long one. Beyond, a dense network is ahead (docs/rate-distortion.md)."""
SIZES = (1000, 2200, 5000, 12000, 28000, 56000, 100000, 200000)
"""Sizes in bytes between which settings are interpolated linearly in log bytes. They were searched up to 28,000; depth,
points and width at 56,000 for dense layers only. The others continue these."""
BITS = (*6 * (BITS_PER_PARAMETER,), 7.7, 7.7)
"""Bits per parameter. A large network that was trained for long has small errors, and so must its rounding."""
DEPTHS = (3, 3, 3, 3, 3, 4, 4, 4)
"""Hidden layers. Of networks with many parameters, deeper and thinner ones are better."""
FACTORED_WIDTHS = {"sine": (40, 56, 80, 112, 160, 184, 240, 344), "low-rank": (40, 56, 80, 128, 192, 216, 280, 392)}
LEARNING_RATES = {
    "sine": (7e-3, 7e-3, 5e-3, 3e-3, 3e-3, 3e-3, 2e-3, 2e-3),
    "low-rank": (5e-3, 5e-3, 5e-3, 2e-3, 2e-3, 2e-3, 2e-3, 1e-3),
    "dense": (5e-3, 5e-3, 5e-3, 2e-3, 2e-3, 2e-3, 2e-3, 1e-3),
}
SPREADS = (0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)
"""Spread of the sine. Larger files have a larger rank and start nearer to a low-rank layer."""
NEAR = (0.7, 0.7, 0.85, 0.9, 0.9, 0.9, 0.9, 0.9)
"""Share of the points near the surface."""
DISTANCES = (0.01, 0.01, 0.005, 0.0025, 0.0025, 0.0025, 0.0025, 0.0025)
"""Their distances from it. The smaller the errors of a field, the nearer to the surface they lie."""
GROWTHS = (1, 1, 1, 1, 4, 4, 4, 4)
"""Growth of the batch. Of smaller networks, whose errors are larger, few points tell as much as many."""
DECAY = 0.02
"""Decay of the weights with SOAP. With Adam it was not tried."""
DENSE_WIDTHS = (*range(8, 40, 2), *range(40, 1025, 4))
"""Widths of dense layers. Wide matrices multiply at full speed only if their width is a multiple of four: a width of
66 takes three times as long as 64."""


def split_settings(settings: dict[str, Any]) -> tuple[OccupancyConfig, FitConfig]:
    """Split keyword settings into the two dataclasses that they belong to.

    With `bytes`, settings that are left out are chosen for that size (`settings_for_size`). `bytes` is `DEFAULT_BYTES`
    if neither a size nor a network is given. Without `bytes`, they take the dataclasses' defaults. The layer "auto" is
    one that is left out.

    Raises:
        ValueError: an unknown name or, with `bytes`, a setting out of bounds.
    """
    settings = {name: value for name, value in settings.items() if (name, value) != ("layer", "auto")}
    names = {f.name for kind in (OccupancyConfig, FitConfig) for f in fields(kind)}
    unknown = set(settings) - names
    if unknown:
        raise ValueError(f"no setting is called {sorted(unknown)[0]!r}: choose from {', '.join(sorted(names))}")
    if all(settings.get(name) is None for name in ("bits", "bytes", "width", "rank")):
        settings = {**settings, "bytes": DEFAULT_BYTES}
    if settings.get("bytes") is not None:
        settings = settings_for_size(settings)
    return _part(OccupancyConfig, settings), _part(FitConfig, settings)


def _part(kind: type[Config], settings: dict[str, Any]) -> Config:
    """A dataclass from those of the settings that are its fields."""
    return kind(**{f.name: settings[f.name] for f in fields(kind) if f.name in settings})


def settings_for_size(settings: dict[str, Any]) -> dict[str, Any]:
    """The given settings, `bytes` among them, and those of `setting(chosen_for_size=True)` that are left out.

    The network gets as many parameters as `BITS` allows: the table's width with the largest rank that
    fits or, for dense layers, the largest width. Given settings are kept, and with a rank the layer is a sine.

    Raises:
        ValueError: a setting is out of bounds.
    """
    size = settings["bytes"]
    check(_part(OccupancyConfig, settings))
    check(_part(FitConfig, settings))
    layer = settings.get("layer") or ("sine" if size <= LARGEST_SINE or "rank" in settings else "dense")
    between = partial(_between, size=size)
    chosen: dict[str, Any] = {
        "layer": layer,
        "batch": 2048 if size < SMALL_FILE else 4096,
        "growth": 1.0 if settings.get("sampler") == "grid" else round(between(GROWTHS), 1),
        "optimizer": "soap",
        "learning_rate": round(math.exp(between(tuple(np.log(LEARNING_RATES[layer])))), 4),
        "decay": DECAY if settings.get("optimizer", "soap") == "soap" else 0.0,
        "depth": round(between(DEPTHS)),
        "near": round(between(NEAR), 2),
        "distance": round(between(DISTANCES), 4),
    }
    if layer == "sine":
        chosen["spread"] = round(between(SPREADS), 2)
    chosen |= settings
    if "width" not in chosen:
        if layer == "dense":
            chosen["width"] = _largest(DENSE_WIDTHS, "width", chosen)
        elif "rank" in chosen:
            narrowest = 8 * math.ceil(chosen["rank"] / 8)  # the rank is at most the width
            chosen["width"] = _largest(range(narrowest, max(narrowest, DENSE_WIDTHS[-1]) + 1, 8), "width", chosen)
        else:
            beyond = size / min(max(size, SIZES[0]), SIZES[-1])
            width = 8 * round(between(FACTORED_WIDTHS[layer]) * math.sqrt(beyond) / 8)
            chosen["width"] = min(max(8, width), DENSE_WIDTHS[-1])
    if "rank" not in chosen and layer != "dense":
        # at a rank equal to the width no row is anchored, and a layer has twice the parameters of a dense one
        chosen["rank"] = _largest(range(1, max(2, chosen["width"])), "rank", chosen)
    return chosen


def _between(values: Sequence[float], size: int) -> float:
    """The value at a size; at those beyond the table's ends, as there."""
    return float(np.interp(math.log(size), np.log(SIZES), values))


def _largest(values: Sequence[int], name: str, settings: dict[str, Any]) -> int:
    """The largest of a setting's ascending values for which the network fits the bytes and the format's bound; the
    smallest value if none fits."""
    architecture = _part(OccupancyConfig, settings)
    bits = _between(BITS, settings["bytes"])
    limit = min(8 * settings["bytes"] / bits, LARGEST_COUNT)

    def parameters(value: int) -> int:
        change: dict[str, Any] = {name: value}
        return sum(math.prod(shape) for shape in shapes_of(replace(architecture, **change)))

    return values[max(0, bisect_right(values, limit, key=parameters) - 1)]
