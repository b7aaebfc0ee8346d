"""Running a sweep: what is missing, one job after the other. What is done stays, whatever happens."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sinenerf.rd.hardware import describe
from sinenerf.rd.plan import Plan
from sinenerf.rd.programs import DATASETS, PROGRAMS
from sinenerf.rd.results import Job, Result

SHOWN = ("width", "rank", "bytes", "faces", "bits")
"""Settings that a line names."""


@dataclass
class Report:
    """What a sweep came to."""

    done: int = 0
    """Jobs that were run now."""
    there: int = 0
    """Jobs whose result was there already."""
    failed: list[tuple[Job, str]] = field(default_factory=list)
    """Jobs that could not be run, and why."""
    complete: bool = True
    """False after Ctrl-C."""


def missing(plan: Plan, results: Path) -> list[Job]:
    """The jobs without a result. A result file that is damaged counts as none."""
    return [job for job in plan.jobs if not _is_there(job.path(results))]


def _is_there(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        Result.read(path)
    except ValueError:
        return False
    return True


def estimate(jobs: list[Job]) -> float:
    """Seconds that jobs take, roughly."""
    return sum(PROGRAMS[job.program].estimate(job.settings) for job in jobs)


def run_job(job: Job, scene: Path, results: Path) -> Result | None:
    """Run one job and write its result. None after Ctrl-C.

    Raises:
        ValueError, OSError, RuntimeError: what its program raises.
    """
    path = job.path(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = PROGRAMS[job.program].run(scene, job.settings, path.with_suffix(".sine"))
    if made is None:
        return None
    result = replace(
        made, dataset=job.dataset, scene=job.scene, method=job.method, program=job.program, hardware=describe()
    )
    result.save(path)
    return result


def run_sweep(plan: Plan, results: Path, say: Callable[[str], None] = print) -> Report:
    """Run what is missing, one job after the other, with a bar on standard error.

    A job that fails is left out, and the others go on. Running the same sweep again does only what is still missing;
    a job that was killed goes on from its checkpoint.
    """
    jobs = missing(plan, results)
    report = Report(there=len(plan.jobs) - len(jobs))
    columns = (
        TextColumn("Sweep"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(jobs))
        for index, job in enumerate(jobs):
            left = estimate(jobs[index:])
            bar.update(task, description=f"about {left / 60:.0f} min left: {title(job)}")
            try:
                result = run_job(job, plan.scenes[job.scene], results)
            except (ValueError, OSError, RuntimeError) as error:
                report.failed.append((job, str(error)))
                say(f"sinenerf: {title(job)} failed: {error}")
            else:
                if result is None:
                    report.complete = False
                    break
                report.done += 1
                say(line(result))
            bar.advance(task)
    return report


def title(job: Job) -> str:
    """A job in a few words: what differs between the jobs of a sweep."""
    shown = {k: v for k, v in job.settings.items() if k in SHOWN and v is not None}
    return f"{job.scene}, {job.method} " + " ".join(f"{k}={v}" for k, v in shown.items())


def line(result: Result) -> str:
    """A result in a line."""
    measure = DATASETS[result.dataset].quality
    value = result.quality[measure]
    job = Job(result.dataset, result.scene, result.method, result.program, result.settings)
    shown = "none" if value is None else f"{value:.4f}"
    return f"{title(job)}: {result.size:,} bytes, {measure} {shown}, {result.seconds:.0f} s"
