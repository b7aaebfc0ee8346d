"""Jobs that differ by their seed alone: a method's mean over its seeds, and one seed at a time."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from sinenerf.rd.results import Result


def average_seeds(results: Iterable[Result]) -> list[Result]:
    """The results, with one in place of those that differ by their seed alone: the mean of what was measured.

    The best of several seeds would flatter a method that has more of them. A mean lists its seeds as its setting
    `seed`, has the source of the first, and no history, since each training looked at other times.
    """
    groups: dict[object, list[Result]] = {}
    for index, result in enumerate(results):
        others = {name: value for name, value in result.settings.items() if name != "seed"}
        job = replace(result.job, settings=others)
        group = index if "seed" not in result.settings else (job.dataset, job.scene, job.key)
        groups.setdefault(group, []).append(result)
    return [_average(group) if len(group) > 1 else group[0] for group in groups.values()]


def _average(group: list[Result]) -> Result:
    first = group[0]
    return replace(
        first,
        settings=first.settings | {"seed": sorted(r.settings["seed"] for r in group)},
        quality={name: _mean(r.quality.get(name) for r in group) for name in first.quality},
        bytes={name: _mean(r.bytes.get(name) for r in group) for name in first.bytes},
        seconds=fmean(r.seconds for r in group),
        decode_seconds=_mean(r.decode_seconds for r in group),
        history=[],
    )


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None where a value is unknown."""
    known = list(values)
    return None if None in known else fmean(value for value in known if value is not None)


def split_by_seed(results: list[Result]) -> list[list[Result]]:
    """The results of each seed that all methods with several seeds have; methods with one seed, or none, are in every
    part. Empty if no method has several."""
    seeds: dict[str, set[int]] = {}
    for result in results:
        seeds.setdefault(result.method, set()).add(result.settings.get("seed", 0))
    several = [found for found in seeds.values() if len(found) > 1]
    common = sorted(set.intersection(*several)) if several else []
    return [[r for r in results if len(seeds[r.method]) == 1 or r.settings.get("seed", 0) == seed] for seed in common]
