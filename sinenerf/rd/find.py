"""The setting nearest to a target: the best within so many bytes, or the smallest of such a quality."""

from dataclasses import replace
from pathlib import Path

from sinenerf.common.console import say
from sinenerf.rd.curves import FALLING, measure_of
from sinenerf.rd.plan import Plan
from sinenerf.rd.results import Job, Result
from sinenerf.rd.sweep import alone_in, missing, outcome_of, title

Target = tuple[str, float]
"""Name of a measure, and the quality wanted; or "bytes" and a size."""


def nearest(results: list[Result], target: Target) -> Result | None:
    """The result nearest to a target, if one meets it."""
    name, value = target
    if name != "bytes":
        return smallest_of(results, value, name)
    return best_within(results, int(value), measure_of(results, None)) if results else None


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


def home_of(plan: Plan, folder: Path) -> Path:
    """The folder of results that a folder stands for: its parent, where it is the plan's dataset in one."""
    dataset = next((job.dataset for job in plan.jobs), "")
    is_datasets = folder.absolute().name == dataset and not (folder / dataset).is_dir()
    return folder.absolute().parent if is_datasets else folder


def run_towards(
    plan: Plan, results: Path, scene: str, method: str | None, target: Target, found: list[Result]
) -> list[Result]:
    """Run missing jobs of a plan on a scene: those nearest to a size below it, or, for a quality, of each method from
    small to large until one has reached it, those left out whose budget is no smaller than what has. Returns what was
    made; what was found before counts too. A job that fails is left out, with a line.

    Raises:
        ValueError: a sweep writes to the folder.
        KeyboardInterrupt: Ctrl-C.
    """
    measure, value = target
    jobs = [j for j in plan.jobs if j.scene == scene and method in (None, j.method)]
    if measure == "bytes":
        jobs = _nearest_below(jobs, int(value))
    made: list[Result] = []
    through: set[str] = set()
    with alone_in(results):
        for job in sorted(missing(replace(plan, jobs=jobs), results), key=_budget):
            best = None if measure == "bytes" else smallest_of([*found, *made], value, measure)
            if job.method in through or (best is not None and _budget(job) >= best.size):
                continue
            outcome = outcome_of(job, plan.scenes[scene], results)
            if outcome is None:
                raise KeyboardInterrupt
            if isinstance(outcome, str):
                say(f"{title(job)} failed: {outcome}")
                continue
            made.append(outcome)
            if measure != "bytes" and smallest_of([outcome], value, measure):
                through.add(job.method)
    return made


def _budget(job: Job) -> int:
    """Bytes that a job may use; 0 where it has no budget, so that any size may come of it."""
    return job.settings.get("bytes") or 0


def _nearest_below(jobs: list[Job], size: int) -> list[Job]:
    """For each method the job with the largest budget within the size; all where a method has no budgets."""
    largest: dict[str, int] = {}
    for job in jobs:
        if _budget(job) <= size:
            largest[job.method] = max(_budget(job), largest.get(job.method, 0))
    return [j for j in jobs if not _budget(j) or _budget(j) == largest.get(j.method)]
