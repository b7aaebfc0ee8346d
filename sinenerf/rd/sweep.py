"""Running a sweep: what is missing, one job after the other or on a cluster. What is done stays, whatever happens."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sinenerf.common.hardware import measured_on
from sinenerf.rd.plan import Plan
from sinenerf.rd.programs.registry import DATASETS, PROGRAMS
from sinenerf.rd.results import Job, Result, working_folder

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
    """Run one job and write its result; what it could go on from stays until then. None after Ctrl-C.

    Raises:
        ValueError, OSError, RuntimeError: what its program raises; any other is a library's.
    """
    path = job.path(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = PROGRAMS[job.program].run(scene, job.settings, path.with_suffix(".sine"))
    if made is None:
        return None
    result = replace(
        made, dataset=job.dataset, scene=job.scene, method=job.method, program=job.program, hardware=measured_on()
    )
    result.save(path)
    shutil.rmtree(working_folder(path), ignore_errors=True)
    return result


Outcome = Result | str | None
"""What a job came to: its result; why it failed, in a line; or None after Ctrl-C."""


class Runner(Protocol):
    """Where jobs run: here (`Serial`), or on a cluster (`sinenerf.rd.ray_cluster`)."""

    slots: int
    """Jobs at once."""

    def run(self, jobs: list[Job], scenes: Mapping[str, Path], results: Path) -> Iterator[tuple[Job, Outcome]]:
        """Run jobs and write their results; yields each as soon as it is done. Ends after a None."""
        ...


class Serial:
    """One job after the other, in this process."""

    slots = 1

    def run(self, jobs: list[Job], scenes: Mapping[str, Path], results: Path) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            outcome = outcome_of(job, scenes[job.scene], results)
            yield job, outcome
            if outcome is None:
                return


def outcome_of(job: Job, scene: Path, results: Path) -> Outcome:
    """`run_job`, with what it raises as a line."""
    try:
        return run_job(job, scene, results)
    except Exception as error:  # whatever a library raises: the other jobs go on
        kind = "" if isinstance(error, ValueError | OSError | RuntimeError) else f"{type(error).__name__}: "
        return kind + " ".join(str(error).split())


@contextmanager
def alone_in(results: Path) -> Iterator[None]:
    """Keep other sweeps out of a folder of results for the while: they would share checkpoints. The lock is on the
    folder itself, so that nothing stays of it, even after kill -9.

    Raises:
        ValueError: another sweep writes there.
    """
    try:
        import fcntl
    except ImportError:  # on Windows there is none
        yield
        return
    results.mkdir(parents=True, exist_ok=True)
    folder = os.open(results, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another sweep writes to {results}: wait for it, or give another --output") from None
        except OSError:  # a network's file system may have no such locks
            pass
        yield
    finally:
        os.close(folder)


def run_sweep(plan: Plan, results: Path, say: Callable[[str], None] = print, runner: Runner | None = None) -> Report:
    """Run what is missing, with a bar on standard error; without a runner one job after the other.

    A job that fails is left out, and the others go on. Running the same sweep again does only what is still missing;
    a job that was killed goes on from its checkpoint.

    Raises:
        ValueError: another sweep writes to the folder.
    """
    with alone_in(results):
        return _run_missing(plan, results, say, runner or Serial())


def _run_missing(plan: Plan, results: Path, say: Callable[[str], None], runner: Runner) -> Report:
    waiting = missing(plan, results)
    report = Report(there=len(plan.jobs) - len(waiting))
    columns = (TextColumn("Sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(_ahead(waiting, runner), total=len(waiting))
        for job, outcome in runner.run(waiting.copy(), plan.scenes, results):
            if outcome is None:
                report.complete = False
                break
            waiting.remove(job)
            bar.update(task, advance=1, description=_ahead(waiting, runner))
            if isinstance(outcome, str):
                report.failed.append((job, outcome))
                say(f"sinenerf: {title(job)} failed: {outcome}")
            else:
                report.done += 1
                say(line(outcome))
    report.failed.sort(key=lambda failure: plan.jobs.index(failure[0]))
    return report


def _ahead(waiting: list[Job], runner: Runner) -> str:
    """What the bar says of the jobs to come."""
    if not waiting:
        return ""
    return f"about {estimate(waiting) / runner.slots / 60:.0f} min left: {title(waiting[0])}"


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
