"""What network and training suit a file of so many bytes, by layer.

Found by trial on the dragon, one and a half to two minutes on one core each (docs/experiments.md): near the points of
configs/shapes.toml.
"""

import math
from bisect import bisect_right
from dataclasses import fields, replace
from typing import Any

import numpy as np

from sinenerf.codec.container import LARGEST_COUNT
from sinenerf.common.checks import check_positive, check_whole
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.header import shapes_of

DEFAULT_BYTES = 3000
"""Of a file of which nobody says how large it may be, or what network it holds."""
BITS = 6.5
"""Of a file for each number of its network: with more, a file holds too few numbers; with fewer, rounding tells."""
SMALL_FILE = 3000
"""Bytes below which small batches, and so more steps, are better."""
SIZES = (1000, 2200, 5000, 12000, 28000)
"""Bytes of the files for which settings were searched; between them they follow straight lines over log bytes."""
FACTORED_WIDTHS = {"sine": (40, 56, 80, 112, 160), "low-rank": (40, 56, 80, 128, 192)}
LEARNING_RATES = {
    "sine": (7e-3, 7e-3, 5e-3, 3e-3, 3e-3),
    "low-rank": (5e-3, 5e-3, 5e-3, 2e-3, 2e-3),
    "dense": (5e-3, 5e-3, 5e-3, 2e-3, 2e-3),
}
SPREADS = (0.5, 0.5, 0.3, 0.3, 0.3)
"""Of the sine. The more bytes, the more rank, and the nearer to a low-rank layer it starts."""
WIDTHS = (*range(8, 40, 2), *range(40, 1025, 4))
"""Of dense layers. Wide matrices multiply at full speed only in multiples of four:
66 takes three times as long as 64."""


def suited(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of `OccupancyConfig` and `FitConfig` with a size in bytes: what they leave open is chosen for it.

    The network gets as many numbers as `BITS` allow: the table's width and the largest rank that fits, or the largest
    width of a dense one. What is given stays as it is.
    """
    size, layer = settings["bytes"], settings.get("layer", "sine")
    check_whole("bytes", size)
    check_positive("bytes", size)
    _architecture(settings).check()
    searched = min(max(size, SIZES[0]), SIZES[-1])

    def between(values: tuple[float, ...]) -> float:
        return float(np.interp(math.log(searched), np.log(SIZES), values))

    chosen: dict[str, Any] = {
        "batch": 2048 if size < SMALL_FILE else 4096,
        "optimizer": "soap",
        "learning_rate": round(math.exp(between(tuple(np.log(LEARNING_RATES[layer])))), 4),
    }
    if layer == "sine":
        chosen["spread"] = round(between(SPREADS), 2)
    chosen |= settings
    if "width" not in chosen:
        if layer == "dense":
            chosen["width"] = _largest(WIDTHS, "width", chosen)
        elif "rank" in chosen:
            narrowest = 8 * math.ceil(chosen["rank"] / 8)  # a rank is at most the width
            chosen["width"] = _largest(range(narrowest, max(narrowest, WIDTHS[-1]) + 1, 8), "width", chosen)
        else:
            width = 8 * round(between(FACTORED_WIDTHS[layer]) * math.sqrt(size / searched) / 8)
            chosen["width"] = min(max(8, width), WIDTHS[-1])
    if "rank" not in chosen and layer != "dense":
        # where the rank is the width no row is anchored, and a layer takes twice what a dense one does
        chosen["rank"] = _largest(range(1, max(2, chosen["width"])), "rank", chosen)
    return chosen


def _architecture(settings: dict[str, Any]) -> OccupancyConfig:
    return OccupancyConfig(**{f.name: settings[f.name] for f in fields(OccupancyConfig) if f.name in settings})


def _largest(values: Any, name: str, settings: dict[str, Any]) -> int:
    """The largest of ascending values of a setting whose network keeps to the bytes, and to what a file can hold; the
    smallest if none does."""
    architecture, most = _architecture(settings), min(8 * settings["bytes"] / BITS, LARGEST_COUNT)

    def numbers(value: int) -> int:
        change: dict[str, Any] = {name: value}
        return sum(math.prod(shape) for shape in shapes_of(replace(architecture, **change)))

    return values[max(0, bisect_right(values, most, key=numbers) - 1)]
