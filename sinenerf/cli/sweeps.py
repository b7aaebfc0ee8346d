"""Commands that run jobs: `sweep` runs a plan, `find` picks the best setting and may run more of a plan."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sinenerf.rd.find import Target
    from sinenerf.rd.plan import Plan
    from sinenerf.rd.results import Job, Result
    from sinenerf.rd.sweep import Outcome, Runner


def sweep(
    plan: Annotated[Path, tyro.conf.Positional],
    /,
    data: Path | None = None,
    output: Path | None = None,
    scenes: tuple[str, ...] = (),
    dry_run: bool = False,
    ray: str | None = None,
) -> None:
    """Run the jobs of a plan that have no result yet: scenes x methods x settings, each with the same budget.

    Ctrl-C or a crash loses nothing: the same command resumes where it stopped.

    Args:
        plan: a file of configs/, such as configs/quick-shapes.toml.
        data: folder of the scenes, in place of the plan's.
        output: folder of the results, in place of the plan's.
        scenes: names of scenes in the data folder, in place of the plan's.
        dry_run: only list the missing jobs, each with its time or, where the budget is in steps, with these.
        ray: run on the Ray cluster at this HOST:PORT, or, with local, on one started on this machine.
    """
    from sinenerf.rd.plan import read_plan
    from sinenerf.rd.ray_cluster import connect
    from sinenerf.rd.results import check_comparable
    from sinenerf.rd.sweep import SerialRunner, estimate_seconds, missing_jobs, run_sweep

    contents = read_plan(plan, data, scenes)
    check_comparable([], contents.jobs)
    results = output or contents.output
    jobs = missing_jobs(contents, results)
    print(f"{plan}: {len(contents.jobs)} jobs, {len(jobs)} to run{_time_of(jobs)}", flush=True)
    if dry_run:
        for job in jobs:
            seconds = estimate_seconds([job])
            time_or_steps = f"{job.settings['steps']:,} steps" if seconds is None else f"about {seconds:.0f} s"
            print(f"{job.title}: {time_or_steps}")
        return
    if ray in (None, "local"):
        _say_notes(jobs)
    with nullcontext(SerialRunner()) if ray is None else connect(ray) as runner:
        report = run_sweep(contents, results, _ProgressRunner(runner))
    print(
        f"{report.done} run, {report.existing} already had results, {len(report.failed)} failed; results in {results}"
    )
    for job, reason in report.failed:
        print(f"failed: {job.title}: {reason}")
    sys.exit(1 if report.failed else 0 if report.complete else 130)


def _time_of(jobs: "list[Job]") -> str:
    """The time of jobs in words, to follow their number."""
    from sinenerf.rd.sweep import estimate_seconds

    if (seconds := estimate_seconds(jobs)) is not None:
        return f", about {seconds / 60:.0f} minutes"
    unknown = sum(estimate_seconds([job]) is None for job in jobs)
    return f"; the time of {unknown}, given in steps, depends on the hardware"


def _say_notes(jobs: "list[Job]") -> None:
    """Say, before jobs of photographs run on this machine, that their results will be without LPIPS, if so."""
    from sinenerf.common.console import say
    from sinenerf.radiance.image_metrics import lpips_notes

    if any(job.dataset == "photographs" for job in jobs):
        for note in lpips_notes():
            say(note)


class _ProgressRunner:
    """A runner that shows its progress: a bar on standard error, and a line on standard output for each job."""

    def __init__(self, runner: "Runner") -> None:
        self.runner, self.slots = runner, runner.slots

    def run(self, jobs: "list[Job]", scenes: "Mapping[str, Path]", results: Path) -> "Iterator[tuple[Job, Outcome]]":
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        columns = (TextColumn("Sweep"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
        waiting, begin = jobs.copy(), time.monotonic()

        def left() -> str:
            return time_left(waiting, self.slots, len(jobs) - len(waiting), time.monotonic() - begin)

        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(left(), total=len(waiting))
            for job, outcome in self.runner.run(jobs, scenes, results):
                if not outcome.interrupted:
                    waiting.remove(job)
                    bar.update(task, advance=1, description=left())
                    failure = f"sinenerf: {job.title} failed: {outcome.failure}"
                    print(failure if outcome.result is None else _result_line(outcome.result))
                yield job, outcome


def time_left(waiting: "list[Job]", slots: int, done: int, seconds: float) -> str:
    """The time left in a sweep and the next job: from the jobs' own budgets, or from the pace so far.

    Args:
        waiting: jobs that have not ended.
        slots: jobs at once.
        done: jobs that have ended.
        seconds: time that they took.
    """
    from sinenerf.rd.sweep import estimate_seconds

    if not waiting:
        return ""
    known = estimate_seconds(waiting)
    if known is None and not done:
        return waiting[0].title
    left = seconds / done * len(waiting) if known is None else known / slots
    return f"about {left / 60:.0f} min left: {waiting[0].title}"


def find(
    results: Annotated[Path, tyro.conf.Positional],
    /,
    bytes: int | None = None,
    psnr: float | None = None,
    iou: float | None = None,
    scene: str | None = None,
    method: str | None = None,
    plan: Path | None = None,
    data: Path | None = None,
) -> None:
    """The setting that best meets a target: the best quality within a file size, or the smallest file of a quality.

    Args:
        results: folder of a sweep's results.
        bytes: largest size of the file.
        psnr: lowest PSNR in dB.
        iou: lowest IoU.
        scene: only this scene.
        method: only this method.
        plan: a plan of which missing jobs are run to meet the target.
        data: folder of the scenes, in place of the plan's.
    """
    given = {"bytes": bytes, "psnr": psnr, "iou": iou}
    targets = [(name, float(value)) for name, value in given.items() if value is not None]
    if len(targets) != 1:
        raise ValueError("give one target: --bytes N, --psnr X or --iou X")
    if data is not None and plan is None:
        raise ValueError("--data is where the missing jobs of a plan find their scenes: give --plan, too, or neither")
    found = _best_by_scene(results, targets[0], scene, method, plan, data)
    for best in found:
        print(best if isinstance(best, str) else _result_line(best))
    sys.exit(0 if found and not any(isinstance(best, str) for best in found) else 1)


def _best_by_scene(
    folder: Path, target: "Target", scene: str | None, method: str | None, plan: Path | None, data: Path | None
) -> "list[Result | str]":
    """The best result of each scene, or why there is none; with a plan, its missing jobs are run towards the target
    first."""
    from sinenerf.cli.plots import read_comparable
    from sinenerf.rd.find import best_for, jobs_with, results_root
    from sinenerf.rd.plan import read_plan
    from sinenerf.rd.results import check_comparable

    planned = read_plan(plan, data) if plan is not None else None
    empty = not (folder.is_dir() and any(folder.rglob("*.json")))
    known = [] if planned and empty else read_comparable(folder)
    if planned is not None:
        check_comparable(known, planned.jobs)
    jobs = jobs_with(target[0], [*(r.job for r in known), *(planned.jobs if planned else ())], scene, method)
    candidates: dict[str, list[Result]] = {job.scene: [] for job in jobs}
    for result in known:
        if result.scene in candidates and method in (None, result.method):
            candidates[result.scene].append(result)
    advice = "sweep more, or give --plan" if planned is None else "nor does a job of the plan"
    if planned is not None:
        _add_missing(candidates, planned, results_root(planned, folder), method, target)
    return [best_for(found, target) or _nothing(name, found, target, advice) for name, found in candidates.items()]


def _add_missing(
    candidates: "dict[str, list[Result]]", plan: "Plan", root: Path, method: str | None, target: "Target"
) -> None:
    """Run the missing jobs of a plan towards a target, scene by scene, and add their results to those known of each."""
    from sinenerf.common.console import say
    from sinenerf.rd.find import jobs_towards, run_towards
    from sinenerf.rd.sweep import lock_results

    with lock_results(root):
        jobs = {scene: jobs_towards(plan, root, scene, method, target) for scene in candidates}
        if every := [job for of_scene in jobs.values() for job in of_scene]:
            say(f"jobs that may run: {len(every)}{_time_of(every)}")
            _say_notes(every)
        for scene, results in candidates.items():
            for job, outcome in run_towards(jobs[scene], plan.scenes, root, target, results.copy()):
                if outcome.result is None:
                    say(f"{job.title} failed: {outcome.failure}")
                else:
                    say(_result_line(outcome.result))
                    results.append(outcome.result)


def _nothing(scene: str, results: "list[Result]", target: "Target", advice: str) -> str:
    """Why no result of a scene meets a target."""
    from sinenerf.rd.find import reaching

    name, value = target
    reached = 0 if name == "bytes" else len(reaching(results, value, name))
    if reached:  # else one of them would have been found
        return f"{scene}: of the results that meet {name} {value:g}, {reached} in all, no file's size is known"
    return f"{scene}: nothing meets {name} {value:g}: {advice}"


def _result_line(result: "Result") -> str:
    """A result in one line."""
    from sinenerf.rd.programs.registry import DATASETS

    measure = DATASETS[result.dataset].quality
    quality, size = result.quality[measure], result.size
    return (
        f"{result.job.title}: {'unknown' if size is None else f'{size:,}'} bytes, "
        f"{measure} {'none' if quality is None else f'{quality:.4f}'}, {result.seconds:.0f} s"
    )
