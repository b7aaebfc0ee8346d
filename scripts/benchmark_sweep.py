"""What a sweep costs besides training, and how long it takes to plot 500 results.

taskset -c 0 env OMP_NUM_THREADS=1 python scripts/benchmark_sweep.py --mesh data/shapes/dragon.ply
"""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from sinenerf.common import hardware
from sinenerf.occupancy import training
from sinenerf.occupancy.evaluate import Truth
from sinenerf.rd.plan import read_plan
from sinenerf.rd.programs import occupancy as occupancy_program
from sinenerf.rd.results import read_results
from sinenerf.rd.sweep import run_sweep

PLAN = """
dataset = "shapes"
scenes = ["{scene}"]
settings = {{ minutes = {minutes} }}
methods = [{{ name = "sine", grid = {{ width = [{widths}] }} }}]
"""


@dataclass
class Options:
    mesh: Path
    """Mesh to fit."""
    jobs: int = 6
    """Number of fits, with nearly default settings."""
    minutes: float = 0.1
    """Training time of each."""
    results: Path = Path("results/shapes")
    """Results that are copied until there are 500."""
    output: Path = Path("scripts/results/sweep.json")
    """Result file."""


def main(options: Options) -> None:
    content = {**overhead(options), **plotting(options.results)}
    hardware.write_figures(options.output, content)
    print(json.dumps(content, indent=2))


def overhead(options: Options) -> dict[str, float]:
    """Seconds a job, by activity."""
    spent = {"once_a_scene": 0.0, "evaluation": 0.0, "picture": 0.0}
    occupancy_program.load_truth = timed(occupancy_program.load_truth, spent, "once_a_scene")
    training.make_sampler = timed(training.make_sampler, spent, "once_a_scene")
    occupancy_program.save_mesh_picture = timed(occupancy_program.save_mesh_picture, spent, "picture")
    occupancy_program.surface_of = timed(occupancy_program.surface_of, spent, "evaluation")
    Truth.evaluate_field = timed(Truth.evaluate_field, spent, "evaluation")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.toml"
        widths = ", ".join(str(128 + index) for index in range(options.jobs))  # one seed, as in a sweep
        path.write_text(PLAN.format(scene=options.mesh.stem, minutes=options.minutes, widths=widths))
        plan = read_plan(path, options.mesh.parent)
        begin = time.monotonic()
        report = run_sweep(plan, Path(folder) / "results")
        total = time.monotonic() - begin
        assert report.done == options.jobs
        trained = sum(result.seconds for result in read_results(Path(folder))[0])
    rest = total - trained - sum(spent.values())
    return {
        "jobs": options.jobs,
        "training_seconds_a_job": round(trained / options.jobs, 2),
        "evaluation_seconds_a_job": round(spent["evaluation"] / options.jobs, 2),
        "picture_seconds_a_job": round(spent["picture"] / options.jobs, 2),
        "seconds_once_a_scene": round(spent["once_a_scene"], 2),
        "all_else_seconds_a_job": round(rest / options.jobs, 2),
    }


def timed(function, spent: dict[str, float], name: str):
    """The function, with the time of its calls added to spent[name]."""

    def call(*arguments):
        begin = time.monotonic()
        try:
            return function(*arguments)
        finally:
            spent[name] += time.monotonic() - begin

    return call


def plotting(folder: Path) -> dict[str, float]:
    """Seconds of the whole command `sinenerf plot` on 500 results, without and with the page."""
    results, _ = read_results(folder)
    with TemporaryDirectory() as scratch:
        many = Path(scratch) / "results"
        for index in range(500):
            copied = results[index % len(results)]
            changed = replace(copied, settings=copied.settings | {"copy": index // len(results)})
            changed.save(changed.job.path(many))
        seconds = {}
        for name, arguments in (("plot", []), ("plot_html", ["--html", f"{scratch}/page.html"])):
            begin = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "sinenerf", "plot", many, *arguments], check=True, stdout=subprocess.DEVNULL
            )
            seconds[f"{name}_seconds_of_500_results"] = round(time.monotonic() - begin, 2)
        shutil.rmtree(many)
    return seconds


if __name__ == "__main__":
    main(tyro.cli(Options))
