"""Running a sweep: the jobs without a result, one after the other or on a cluster."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sinenerf.common.hardware import measured_on
from sinenerf.rd.plan import Plan
from sinenerf.rd.programs.registry import PROGRAMS
from sinenerf.rd.results import Job, Result, working_folder


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a result, with a failure, or with neither, after Ctrl-C."""

    result: Result | None = None
    failure: str | None = None
    """Why it failed, in one line."""

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C stopped it."""
        return self.result is None and self.failure is None


@dataclass
class Report:
    """What a sweep did."""

    done: int = 0
    """Jobs that were run now."""
    existing: int = 0
    """Jobs that had a result before."""
    failed: list[tuple[Job, str]] = field(default_factory=list)
    """Jobs that failed, and why."""
    complete: bool = True
    """False after Ctrl-C."""


def missing_jobs(plan: Plan, results: Path) -> list[Job]:
    """The jobs without a result. A damaged result file counts as missing."""
    return [job for job in plan.jobs if not _has_result(job, results)]


def _has_result(job: Job, results: Path) -> bool:
    path = job.path(results)
    if not path.is_file():
        return False
    try:
        Result.read(path)
    except ValueError:
        return False
    return True


def estimate_seconds(jobs: list[Job]) -> float | None:
    """How long jobs take one after the other, in seconds, roughly; None if that depends on the hardware."""
    times = [PROGRAMS[job.program].estimate(job.settings) for job in jobs]
    known = [seconds for seconds in times if seconds is not None]
    return sum(known) if len(known) == len(times) else None


def run_job(job: Job, scene: Path, results: Path) -> Result | None:
    """Run one job and write its result; its checkpoint is kept until then. None after Ctrl-C.

    Raises:
        ValueError, OSError, RuntimeError: raised by its program; any other exception comes from a library.
    """
    path = job.path(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = PROGRAMS[job.program].run(scene, job.settings, path.with_suffix(".sine"))
    if measured is None:
        return None
    result = Result.of(job, measured, measured_on())
    result.save(path)
    shutil.rmtree(working_folder(path), ignore_errors=True)
    return result


def try_job(job: Job, scene: Path, results: Path) -> Outcome:
    """`run_job`, with an exception turned into a failure."""
    try:
        return Outcome(run_job(job, scene, results))
    except Exception as error:  # whatever a library raises, the other jobs are still run
        kind = "" if isinstance(error, ValueError | OSError | RuntimeError) else f"{type(error).__name__}: "
        return Outcome(failure=kind + " ".join(str(error).split()))


class Runner(Protocol):
    """Where jobs run: in this process (`SerialRunner`) or on a cluster (`sinenerf.rd.ray_cluster`)."""

    slots: int
    """Jobs at once."""

    def run(self, jobs: list[Job], scenes: Mapping[str, Path], results: Path) -> Iterator[tuple[Job, Outcome]]:
        """Run jobs and write their results; yields each as soon as it ends. The last one may be interrupted."""
        ...


class SerialRunner:
    """Runs one job after the other in this process."""

    slots = 1

    def run(self, jobs: list[Job], scenes: Mapping[str, Path], results: Path) -> Iterator[tuple[Job, Outcome]]:
        for job in jobs:
            outcome = try_job(job, scenes[job.scene], results)
            yield job, outcome
            if outcome.interrupted:
                return


@contextmanager
def lock_results(results: Path) -> Iterator[None]:
    """Keep other sweeps out of a results folder within the block, since they would share checkpoints.

    The lock is on the folder itself, so that nothing is left of it, even after kill -9.

    Raises:
        ValueError: another sweep writes there.
    """
    try:
        import fcntl
    except ImportError:  # Windows has none
        yield
        return
    results.mkdir(parents=True, exist_ok=True)
    folder = os.open(results, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another sweep writes to {results}: wait for it, or give another --output") from None
        except OSError:  # a network file system may not support locks
            pass
        yield
    finally:
        os.close(folder)


def run_sweep(plan: Plan, results: Path, runner: Runner | None = None) -> Report:
    """Run the jobs without a result; without a runner one after the other.

    A job that fails is left out and the others are still run. Running the same sweep again does only what is still
    missing; a job that was killed resumes from its checkpoint.

    Raises:
        ValueError: another sweep writes to the folder.
    """
    with lock_results(results):
        jobs = missing_jobs(plan, results)
        report = Report(existing=len(plan.jobs) - len(jobs))
        for job, outcome in (runner or SerialRunner()).run(jobs, plan.scenes, results):
            if outcome.interrupted:
                report.complete = False
                break
            if outcome.failure is not None:
                report.failed.append((job, outcome.failure))
            else:
                report.done += 1
    report.failed.sort(key=lambda failure: plan.jobs.index(failure[0]))
    return report
