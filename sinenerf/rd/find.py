"""The setting that best meets a target: the best quality within a file size, or the smallest file of a quality."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sinenerf.rd.curves import FALLING_MEASURES, choose_measure
from sinenerf.rd.plan import Plan
from sinenerf.rd.programs.registry import DATASETS
from sinenerf.rd.results import Job, Result
from sinenerf.rd.sweep import Outcome, missing_jobs, try_job

Target = tuple[str, float]
"""Name of a measure and the quality wanted, or "bytes" and a size."""


def jobs_with(measure: str, jobs: list[Job], scene: str | None, method: str | None) -> list[Job]:
    """Those of the jobs whose dataset has a target's measure, on one scene and of one method where these are given.

    Raises:
        ValueError: there are none.
    """
    found = [job for job in jobs if measure in ("bytes", DATASETS[job.dataset].quality)]
    if not found:
        offered = sorted({DATASETS[job.dataset].quality for job in jobs})
        raise ValueError(f"no result has a quality {measure!r}: there are {', '.join(offered)}")
    for kind, wanted in (("scene", scene), ("method", method)):
        names = sorted({getattr(job, kind) for job in found})
        if wanted is not None and wanted not in names:
            raise ValueError(f"no {kind} is called {wanted!r}: there are {', '.join(names)}")
    return [job for job in found if scene in (None, job.scene) and method in (None, job.method)]


def best_for(results: list[Result], target: Target) -> Result | None:
    """The best result that meets a target; None where none does."""
    name, value = target
    if name != "bytes":
        return smallest_of(results, value, name)
    return best_within(results, int(value), choose_measure(results, None)) if results else None


def best_within(results: list[Result], size: int, measure: str) -> Result | None:
    """The result of the best quality in at most `size` bytes; of equal ones, the smallest."""
    fitting = [(r.size, r) for r in results if r.size is not None and r.size <= size and _has(r, measure)]
    return max(fitting, key=lambda pair: (_score(pair[1], measure), -pair[0]), default=(0, None))[1]


def smallest_of(results: list[Result], target: float, measure: str) -> Result | None:
    """The result of the fewest bytes with at least this quality; of equal ones, the best."""
    sized = [(r.size, r) for r in reaching(results, target, measure) if r.size is not None]
    return min(sized, key=lambda pair: (pair[0], -_score(pair[1], measure)), default=(0, None))[1]


def reaching(results: list[Result], target: float, measure: str) -> list[Result]:
    """The results with at least this quality, also those whose file has an unknown size."""
    sign = -1 if measure in FALLING_MEASURES else 1
    return [r for r in results if _has(r, measure) and _score(r, measure) >= sign * target]


def _has(result: Result, measure: str) -> bool:
    return result.quality.get(measure) is not None


def _score(result: Result, measure: str) -> float:
    """The quality, negated where less is better."""
    value = float(result.quality[measure] or 0.0)
    return -value if measure in FALLING_MEASURES else value


def results_root(plan: Plan, folder: Path) -> Path:
    """The results folder that a plan writes to, given that folder or the dataset's folder in it."""
    dataset = next((job.dataset for job in plan.jobs), "")
    is_datasets = folder.absolute().name == dataset and not (folder / dataset).is_dir()
    return folder.absolute().parent if is_datasets else folder


def jobs_towards(plan: Plan, results: Path, scene: str, method: str | None, target: Target) -> list[Job]:
    """The missing jobs of a plan that may meet a target on a scene, in order of their budgets.

    For a size, those of the largest budget within it.
    """
    measure, value = target
    jobs = [j for j in plan.jobs if j.scene == scene and method in (None, j.method)]
    if measure == "bytes":
        jobs = _largest_within(jobs, int(value))
    return sorted(missing_jobs(replace(plan, jobs=jobs), results), key=_budget)


def run_towards(
    jobs: list[Job], scenes: Mapping[str, Path], results: Path, target: Target, known: list[Result]
) -> Iterator[tuple[Job, Outcome]]:
    """Run the jobs of `jobs_towards` for one scene, and yield each as it ends.

    For a quality, those of each method until one reaches it, except those whose budget is no smaller than the smallest
    file that has reached it, `known` results included.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    measure, value = target
    new: list[Result] = []
    finished: set[str] = set()
    for job in jobs:
        best = None if measure == "bytes" else smallest_of([*known, *new], value, measure)
        too_large = best is not None and best.size is not None and _budget(job) >= best.size
        if job.method in finished or too_large:
            continue
        outcome = try_job(job, scenes[job.scene], results)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.result is not None:
            new.append(outcome.result)
            if measure != "bytes" and smallest_of([outcome.result], value, measure):
                finished.add(job.method)
        yield job, outcome


def _budget(job: Job) -> int:
    """Bytes that a job may use; 0 where it sets no budget, so that its file may have any size."""
    return job.settings.get("bytes") or 0


def _largest_within(jobs: list[Job], size: int) -> list[Job]:
    """For each method the jobs of the largest budget within the size; all jobs of a method without budgets."""
    largest: dict[str, int] = {}
    for job in jobs:
        if _budget(job) <= size:
            largest[job.method] = max(_budget(job), largest.get(job.method, 0))
    return [j for j in jobs if not _budget(j) or _budget(j) == largest.get(j.method)]
