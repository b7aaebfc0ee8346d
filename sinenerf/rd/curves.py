"""Curves of a method: its Pareto front, the mean over scenes, and Bjontegaard deltas between two."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sinenerf.rd.programs.registry import DATASETS
from sinenerf.rd.results import Result

FALLING = ("chamfer_l1", "lpips")
"""Measures where less is better."""
FEWEST_POINTS = 4
"""Of a hull, for a Bjontegaard delta: what the method was published with (Bjontegaard 2001)."""
LEAST_OVERLAP = 0.5
"""Of the shorter curve's range of quality, for a Bjontegaard delta."""

Points = list[tuple[float, float, Result]]
"""(x, quality, result)."""


def by_dataset(results: list[Result], quality: str | None = None) -> list[list[Result]]:
    """The results of each dataset, shapes first; of those that have a quality, where one is given and any has it."""
    parts = [[r for r in results if r.dataset == name] for name in sorted({r.dataset for r in results}, reverse=True)]
    known = [part for part in parts if any(r.quality.get(quality) is not None for r in part)] if quality else []
    return known or parts


def measure_of(results: list[Result], measure: str | None) -> str:
    """The measure to show: the one given, or the dataset's own.

    Raises:
        ValueError: no result has it, or the results are of several datasets.
    """
    names = sorted({result.dataset for result in results})
    if len(names) > 1:
        raise ValueError(f"these results are of several datasets, {' and '.join(names)}: give the folder of one")
    measure = measure or DATASETS[names[0]].quality
    known = sorted({name for result in results for name, value in result.quality.items() if value is not None})
    if measure not in known:
        raise ValueError(f"no result has a quality {measure!r}: there are {', '.join(known)}")
    return measure


def front(points: Iterable[tuple[float, float, Result]], falling: bool = False) -> Points:
    """The Pareto front: points that no other one beats in both, sorted by x, with quality strictly better each time."""
    best: Points = []
    for point in sorted(points, key=lambda p: (p[0], p[1] if falling else -p[1])):
        if not best or (point[1] < best[-1][1] if falling else point[1] > best[-1][1]):
            best.append(point)
    return best


def hull(points: Points, falling: bool = False) -> Points:
    """The upper hull of a front over log x: what the best choice of settings reaches, without the points just below it.

    A method with several knobs has fronts with steps and near-twins, between which an interpolation overshoots
    wildly; codecs with many settings are compared by their hulls (Katsavounidis and Guo 2018).
    """
    sign = -1.0 if falling else 1.0
    kept: Points = []
    for point in front(points, falling):
        if kept and np.log(point[0]) <= np.log(kept[-1][0]):  # the same x but for rounding: the better one counts
            kept.pop()
        while len(kept) > 1 and _slope(kept[-2], kept[-1], sign) <= _slope(kept[-2], point, sign):
            kept.pop()
        kept.append(point)
    return kept


def _slope(a: tuple[float, float, Result], b: tuple[float, float, Result], sign: float) -> float:
    return sign * (b[1] - a[1]) / float(np.log(b[0] / a[0]))


def points_of(results: Iterable[Result], scene: str, method: str, measure: str, axis: str = "bytes") -> Points:
    """One method's points on one scene; axis is bytes, parameters or seconds. No axis shows 0: they are logarithmic."""
    points = []
    for result in results:
        if (result.scene, result.method) == (scene, method):
            x = {"bytes": result.size, "parameters": result.parameters, "seconds": result.seconds}[axis]
            y = result.quality.get(measure)
            if x and y is not None:
                points.append((float(x), float(y), result))
    return points


def mean_curve(fronts: list[Points], samples: int = 64) -> tuple[np.ndarray, np.ndarray] | None:
    """(x, mean quality) of fronts over the range of x that all of them cover, linear in log x; None if it is empty."""
    if not fronts or any(len(f) < 2 for f in fronts):
        return None
    low, high = max(f[0][0] for f in fronts), min(f[-1][0] for f in fronts)
    if low >= high:
        return None
    x = np.geomspace(low, high, samples)
    curves = [np.interp(np.log(x), np.log([p[0] for p in f]), [p[1] for p in f]) for f in fronts]
    return x, np.mean(curves, axis=0)


@dataclass(frozen=True)
class Delta:
    """Bjontegaard deltas of a method against an anchor."""

    scene: str
    rate: float
    """Percent of bytes more (or, negative, less) at equal quality."""
    quality: float | None
    """Quality more at equal bytes; None where no size is on both curves."""
    low: float
    high: float
    """Range of quality that both curves cover, over which the rate is averaged."""
    overlap: float
    """Share of the shorter curve's range that this is."""


def bjontegaard_delta(anchor: Points, test: Points, scene: str, falling: bool = False) -> Delta:
    """Akima-interpolated deltas (Bjontegaard 2001; Herglotz et al. 2022) between the hulls of two methods' points.

    Raises:
        ValueError: fewer than four points on a hull, or curves that overlap over less than half of the shorter one.
    """
    import bjontegaard

    anchor, test = hull(anchor, falling), hull(test, falling)
    for name, points in (("first", anchor), ("second", test)):
        if len(points) < FEWEST_POINTS:
            raise ValueError(
                f"{scene}: the {name} method has {len(points)} points on its hull, too few: "
                f"{FEWEST_POINTS} are needed. Sweep more sizes"
            )
    ends = [sorted((points[0][1], points[-1][1])) for points in (anchor, test)]
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    overlap = max(0.0, high - low) / min(e[1] - e[0] for e in ends)
    if overlap < LEAST_OVERLAP:
        raise ValueError(
            f"{scene}: the two curves share {100 * overlap:.0f} % of the shorter one's range of quality, too little "
            f"for a delta. Sweep sizes that meet"
        )
    sign = -1.0 if falling else 1.0  # the package wants qualities that rise
    curves = []
    for points in (anchor, test):
        curves += [[p[0] for p in points], [sign * p[1] for p in points]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a small overlap: it is printed anyway
        rate = bjontegaard.bd_rate(*curves, method="akima", require_matching_points=False, min_overlap=0)
        quality = bjontegaard.bd_psnr(*curves, method="akima", require_matching_points=False, min_overlap=0)
    at_equal_bytes = sign * float(quality) if np.isfinite(quality) else None
    return Delta(scene, float(rate), at_equal_bytes, low, high, overlap)
