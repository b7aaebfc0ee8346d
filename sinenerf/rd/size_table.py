"""A method's sizes one by one: its bytes, and those that another method needs for the same quality."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sinenerf.rd.curves import FALLING_MEASURES, Points, choose_measure, curve_points, results_of_both, upper_hull
from sinenerf.rd.results import Result
from sinenerf.rd.seeds import average_seeds

SECOND_MEASURE = "chamfer_l1"
"""Sizes are compared at equal quality by this measure, too, where results have it."""


@dataclass(frozen=True)
class Equivalent:
    """What a method needs for a quality, interpolated on its upper hull."""

    bytes: float
    seconds: float
    """To encode."""
    decode_seconds: float | None


@dataclass(frozen=True)
class SizeRow:
    """A method's file of one size on one scene."""

    scene: str
    size: int
    """The setting `bytes`."""
    bytes: int
    """Of the file."""
    quality: dict[str, float]
    seconds: float
    decode_seconds: float | None
    equivalents: dict[str, Equivalent | None]
    """By measure: what the other method needs for the same quality; None where its hull does not cover it."""


def compare_sizes(results: list[Result], anchor: str, test: str, quality: str | None = None) -> list[SizeRow]:
    """A row for each scene and size of `test`, sorted by size. Of several seeds the mean counts, and of several
    results of a size the best one.

    Raises:
        ValueError: a method has no results, no result of `test` has the setting `bytes`, or no result has the quality.
    """
    results = average_seeds(results_of_both(results, anchor, test, quality))
    first = choose_measure(results, quality)
    known = {name for r in results for name, value in r.quality.items() if value is not None}
    measures = [first, *({SECOND_MEASURE} & known - {first} if quality is None else ())]
    rows = []
    for scene in dict.fromkeys(r.scene for r in results):
        hulls = {
            name: upper_hull(curve_points(results, scene, anchor, name), name in FALLING_MEASURES) for name in measures
        }
        for size, best in _best_by_size((p[2] for p in curve_points(results, scene, test, first)), first).items():
            values = {name: value for name in measures if (value := best.quality.get(name)) is not None}
            equivalents = {
                name: equivalent(hulls[name], values.get(name), name in FALLING_MEASURES) for name in measures
            }
            assert best.size is not None  # it lies at its bytes
            times = (best.seconds, best.decode_seconds)
            rows.append(SizeRow(scene, size, best.size, values, *times, equivalents))
    if not rows:
        raise ValueError(f"no result of {test!r} has a size of its own, the setting bytes: give a method that has one")
    return sorted(rows, key=lambda row: row.size)


def _best_by_size(results: Iterable[Result], measure: str) -> dict[int, Result]:
    """The best result of each size."""
    sign = -1 if measure in FALLING_MEASURES else 1
    sized = [r for r in results if r.settings.get("bytes") is not None]
    return {r.settings["bytes"]: r for r in sorted(sized, key=lambda r: sign * (r.quality[measure] or 0.0))}


def equivalent(hull: Points, quality: float | None, falling: bool) -> Equivalent | None:
    """What the hull needs for a quality, linear in log bytes between its points; None where it does not cover it."""
    if quality is None or not hull:
        return None
    sign = -1.0 if falling else 1.0
    qualities = [sign * p[1] for p in hull]
    if not qualities[0] <= sign * quality <= qualities[-1]:
        return None

    def between(values: list[float]) -> float:
        return float(np.interp(sign * quality, qualities, values))

    decode = [p[2].decode_seconds for p in hull]
    return Equivalent(
        bytes=float(np.exp(between([float(np.log(p[0])) for p in hull]))),
        seconds=between([p[2].seconds for p in hull]),
        decode_seconds=None if None in decode else between([float(seconds or 0.0) for seconds in decode]),
    )
