"""Curves of rate and quality: Pareto fronts, their mean over scenes, and Bjontegaard deltas between two methods."""

import warnings
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from statistics import stdev

import numpy as np

from sinenerf.rd.programs.registry import DATASETS
from sinenerf.rd.results import Result
from sinenerf.rd.seeds import average_seeds, split_by_seed

FALLING_MEASURES = ("chamfer_l1", "lpips")
"""Measures where less is better."""
MIN_POINTS = 4
"""Points on a hull that a Bjontegaard delta needs, as many as in its publication (Bjontegaard 2001)."""
MIN_OVERLAP = 0.5
"""Share of the shorter curve's range of quality that both curves must cover for a Bjontegaard delta."""

Points = list[tuple[float, float, Result]]
"""(x, quality, result)."""


def split_by_dataset(results: list[Result], quality: str | None = None) -> list[list[Result]]:
    """The results of each dataset, shapes first. With a quality, only datasets that have it, if any has."""
    parts = [[r for r in results if r.dataset == name] for name in sorted({r.dataset for r in results}, reverse=True)]
    known = [part for part in parts if any(r.quality.get(quality) is not None for r in part)] if quality else []
    return known or parts


def choose_measure(results: list[Result], measure: str | None) -> str:
    """The measure to show: the one given, or the dataset's default.

    Raises:
        ValueError: no result has it, or the results belong to several datasets.
    """
    names = sorted({result.dataset for result in results})
    if len(names) > 1:
        raise ValueError(f"these results belong to several datasets, {' and '.join(names)}: give the folder of one")
    measure = measure or DATASETS[names[0]].quality
    known = sorted({name for result in results for name, value in result.quality.items() if value is not None})
    if measure not in known:
        raise ValueError(f"no result has a quality {measure!r}: there are {', '.join(known)}")
    return measure


def pareto_front(points: Iterable[tuple[float, float, Result]], falling: bool = False) -> Points:
    """The Pareto front: points that no other beats in both x and quality, sorted by x, quality strictly improving."""
    best: Points = []
    for point in sorted(points, key=lambda p: (p[0], p[1] if falling else -p[1])):
        if not best or (point[1] < best[-1][1] if falling else point[1] > best[-1][1]):
            best.append(point)
    return best


def upper_hull(points: Points, falling: bool = False) -> Points:
    """The upper hull of a Pareto front over log x, which the best choice of settings reaches.

    A method with several settings has fronts with steps and near-duplicates, between which an interpolation overshoots
    wildly; codecs with many settings are compared by their hulls (Katsavounidis and Guo 2018).
    """
    sign = -1.0 if falling else 1.0
    hull: Points = []
    for point in pareto_front(points, falling):
        if hull and np.log(point[0]) <= np.log(hull[-1][0]):  # the same x up to rounding: the better one counts
            hull.pop()
        while len(hull) > 1 and _slope(hull[-2], hull[-1], sign) <= _slope(hull[-2], point, sign):
            hull.pop()
        hull.append(point)
    return hull


def _slope(a: tuple[float, float, Result], b: tuple[float, float, Result], sign: float) -> float:
    return sign * (b[1] - a[1]) / float(np.log(b[0] / a[0]))


def curve_points(results: Iterable[Result], scene: str, method: str, measure: str, axis: str = "bytes") -> Points:
    """One method's points on one scene, without those whose x is unknown or 0, since axes are logarithmic.

    Args:
        axis: bytes, parameters or seconds.
    """
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
    """Difference in bytes at equal quality, in percent; negative where the method needs fewer."""
    quality: float | None
    """Difference in quality at equal bytes; None where no size is on both curves."""
    low: float
    high: float
    """Range of quality that both curves cover, over which the rate is averaged."""
    overlap: float
    """Length of this range as a share of the shorter curve's range."""
    deviation: float | None = None
    """Standard deviation of the rate over the seeds; None where fewer than two have one."""


def bjontegaard_delta(anchor: Points, test: Points, scene: str, falling: bool = False) -> Delta:
    """Akima-interpolated deltas (Bjontegaard 2001; Herglotz et al. 2022) between the hulls of two methods' points.

    Raises:
        ValueError: fewer than four points on a hull, or curves that overlap over less than half of the shorter one.
    """
    import bjontegaard

    anchor, test = upper_hull(anchor, falling), upper_hull(test, falling)
    for name, points in (("first", anchor), ("second", test)):
        if len(points) < MIN_POINTS:
            raise ValueError(
                f"{scene}: the {name} method has {len(points)} points on its hull, too few: "
                f"{MIN_POINTS} are needed. Sweep more sizes"
            )
    ends = [sorted((points[0][1], points[-1][1])) for points in (anchor, test)]
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    overlap = max(0.0, high - low) / min(e[1] - e[0] for e in ends)
    if overlap < MIN_OVERLAP:
        raise ValueError(
            f"{scene}: the two curves share {100 * overlap:.0f} % of the shorter one's range of quality, too little "
            f"for a delta. Sweep sizes that meet"
        )
    sign = -1.0 if falling else 1.0  # the package expects rising qualities
    curves = []
    for points in (anchor, test):
        curves += [[p[0] for p in points], [sign * p[1] for p in points]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a small overlap, which is printed anyway
        rate = bjontegaard.bd_rate(*curves, method="akima", require_matching_points=False, min_overlap=0)
        quality = bjontegaard.bd_psnr(*curves, method="akima", require_matching_points=False, min_overlap=0)
    at_equal_bytes = sign * float(quality) if np.isfinite(quality) else None
    return Delta(scene, float(rate), at_equal_bytes, low, high, overlap)


@dataclass(frozen=True)
class Comparison:
    """Bjontegaard deltas of a method against an anchor on every scene."""

    measure: str
    deltas: list[Delta]
    refused: list[str]
    """Why the other scenes have none, in a line each."""

    @property
    def mean_rate(self) -> float | None:
        """Mean of the scenes' rates; None where no scene has a delta."""
        return float(np.mean([d.rate for d in self.deltas])) if self.deltas else None

    @property
    def mean_deviation(self) -> float | None:
        """Standard deviation of the mean rate over the seeds; None where a scene has none."""
        deviations = [d.deviation for d in self.deltas if d.deviation is not None]
        if not deviations or len(deviations) < len(self.deltas):
            return None
        return float(np.linalg.norm(deviations)) / len(deviations)

    @property
    def mean_quality(self) -> float | None:
        """Mean over the scenes with a delta of quality; None where no scene has one."""
        known = [d.quality for d in self.deltas if d.quality is not None]
        return float(np.mean(known)) if known else None


def results_of_both(results: list[Result], anchor: str, test: str, quality: str | None) -> list[Result]:
    """The results of the one dataset that has both methods; all results where several have.

    Raises:
        ValueError: a method has no results.
    """
    methods = {r.method for r in results}
    for name in (anchor, test):
        if name not in methods:
            raise ValueError(f"no method is called {name!r}: there are {', '.join(sorted(methods))}")
    both = [part for part in split_by_dataset(results, quality) if {anchor, test} <= {r.method for r in part}]
    return both[0] if len(both) == 1 else results


def compare_methods(results: list[Result], anchor: str, test: str, quality: str | None = None) -> Comparison:
    """Bjontegaard deltas of the method `test` against `anchor` on each scene; of several seeds the mean counts.

    Raises:
        ValueError: a method has no results, or no result has the quality.
    """
    results = results_of_both(results, anchor, test, quality)
    measure = choose_measure(results, quality)

    def delta(part: list[Result], scene: str) -> Delta:
        means = average_seeds(part)
        one, two = (curve_points(means, scene, name, measure) for name in (anchor, test))
        return bjontegaard_delta(one, two, scene, measure in FALLING_MEASURES)

    deltas, refused = [], []
    for scene in dict.fromkeys(r.scene for r in results):
        part = [r for r in results if r.scene == scene and r.method in (anchor, test)]
        try:
            mean = delta(part, scene)
        except ValueError as error:
            refused.append(str(error))
            continue
        rates = []
        for one_seed in split_by_seed(part):
            with suppress(ValueError):  # it lacks some of the sizes
                rates.append(delta(one_seed, scene).rate)
        deltas.append(replace(mean, deviation=stdev(rates) if len(rates) > 1 else None))
    return Comparison(measure, deltas, refused)
