"""The setting nearest to a target: the best within so many bytes, or the smallest of such a quality."""

from collections.abc import Callable
from pathlib import Path

from sinenerf.rd.curves import FALLING
from sinenerf.rd.plan import Plan
from sinenerf.rd.results import Job, Result
from sinenerf.rd.sweep import missing, run_job


def best_within(results: list[Result], size: int, measure: str) -> Result | None:
    """The best quality in at most so many bytes."""
    fits = [r for r in results if r.size <= size and r.quality.get(measure) is not None]
    return max(fits, key=lambda r: _worth(r, measure), default=None)


def smallest_of(results: list[Result], target: float, measure: str) -> Result | None:
    """The fewest bytes of at least this quality."""
    sign = -1 if measure in FALLING else 1
    reach = [r for r in results if r.quality.get(measure) is not None and _worth(r, measure) >= sign * target]
    return min(reach, key=lambda r: r.size, default=None)


def _worth(result: Result, measure: str) -> float:
    value = float(result.quality[measure] or 0.0)
    return -value if measure in FALLING else value


def run_towards(
    plan: Plan,
    results: Path,
    scene: str,
    method: str | None,
    size: int | None,
    reached: Callable[[Result], bool],
) -> list[Result]:
    """Run missing jobs of a plan on a scene: those nearest to a size below it, or, for a quality, from small to large
    until one has reached it. Returns what was made."""
    jobs = [j for j in missing(plan, results) if j.scene == scene and method in (None, j.method)]
    if size is not None:
        jobs = _nearest_below(jobs, size)
    made: list[Result] = []
    for job in sorted(jobs, key=lambda j: j.settings.get("bytes") or 0):
        result = run_job(job, plan.scenes[scene], results)
        if result is None:
            raise KeyboardInterrupt
        made.append(result)
        if size is None and reached(result):
            break
    return made


def _nearest_below(jobs: list[Job], size: int) -> list[Job]:
    """For each method the job with the largest budget within the size; all where a method has no budgets."""
    largest: dict[str, int] = {}
    for job in jobs:
        budget = job.settings.get("bytes")
        if budget and budget <= size:
            largest[job.method] = max(budget, largest.get(job.method, 0))
    return [j for j in jobs if not j.settings.get("bytes") or j.settings["bytes"] == largest.get(j.method)]
