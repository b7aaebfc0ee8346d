"""What the commands of this room print."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sinenerf.common.console import say
from sinenerf.factored import FactoredLinear
from sinenerf.rd.curves import FALLING, Delta, bjontegaard_delta, by_dataset, measure_of, points_of
from sinenerf.rd.find import Target, home_of, nearest, run_towards
from sinenerf.rd.plan import read_plan
from sinenerf.rd.plot import Axis, save_plots
from sinenerf.rd.plot_page import save_page
from sinenerf.rd.programs.registry import PROGRAMS
from sinenerf.rd.results import Result, check_comparable, read_results
from sinenerf.rd.sweep import estimate, line, missing, run_sweep, title
from sinenerf.sine_file import load

AXES: tuple[Axis, ...] = ("bytes", "parameters", "seconds")


def sweep(plan: Path, data: Path | None, output: Path, dry_run: bool, ray: str | None) -> int:
    """`sinenerf sweep`: 0 when all results are there, 1 when jobs failed, 130 after Ctrl-C."""
    read = read_plan(plan, data)
    check_comparable(read.jobs)
    jobs = missing(read, output)
    print(f"{plan}: {len(read.jobs)} jobs, {len(jobs)} to run, about {estimate(jobs) / 60:.0f} minutes", flush=True)
    if dry_run:
        for job in jobs:
            print(f"{title(job)}: about {PROGRAMS[job.program].estimate(job.settings):.0f} s")
        return 0
    if ray is None:
        report = run_sweep(read, output)
    else:
        from sinenerf.rd.ray_cluster import connect

        with connect(ray) as runner:
            report = run_sweep(read, output, runner=runner)
    print(f"{report.done} done, {report.there} were there, {len(report.failed)} failed; results in {output}")
    for job, reason in report.failed:
        print(f"failed: {title(job)}: {reason}")
    return 1 if report.failed else 0 if report.complete else 130


def _read(folder: Path) -> list[Result]:
    """The results of a folder that can be compared; lines on the others go to standard error."""
    results, problems = read_results(folder)
    for problem in problems:
        say(f"passed over: {problem}")
    check_comparable(results)
    return results


def plot(results: Path, output: Path | None, quality: str | None, html: Path | None) -> None:
    """`sinenerf plot`."""
    parts = by_dataset(_read(results), quality)
    if html is not None and len(parts) > 1:
        raise ValueError(f"{results} holds several datasets, and a page shows one: give the folder of one")
    for part in parts:
        measure = measure_of(part, quality)
        for path in save_plots(part, measure, output or results, AXES):
            print(path)
        if html is not None:
            save_page(part, measure, html, AXES)
            print(html)


def bd(anchor: str, test: str, results: Path, quality: str | None, as_json: bool) -> int:
    """`sinenerf bd`: 0 when at least one scene has a delta."""
    read = _read(results)
    methods = {r.method for r in read}
    for name in (anchor, test):
        if name not in methods:
            raise ValueError(f"{results} has no method {name!r}: there are {', '.join(sorted(methods))}")
    both = [part for part in by_dataset(read, quality) if {anchor, test} <= {r.method for r in part}]
    read = both[0] if len(both) == 1 else read
    measure = measure_of(read, quality)
    deltas, refused = [], []
    for scene in dict.fromkeys(r.scene for r in read):
        one, two = (points_of(read, scene, name, measure) for name in (anchor, test))
        try:
            deltas.append(bjontegaard_delta(one, two, scene, measure in FALLING))
        except ValueError as error:
            refused.append(str(error))
    if as_json:
        mean = {"rate": np.mean([d.rate for d in deltas]), "quality": _mean_quality(deltas)} if deltas else None
        content = {"anchor": anchor, "test": test, "measure": measure, "scenes": [asdict(d) for d in deltas]}
        print(json.dumps(content | {"mean": mean, "refused": refused}, indent=2))
    else:
        _print_deltas(anchor, test, measure, deltas)
        for reason in refused:
            print(f"refused: {reason}")
    return 0 if deltas else 1


def _print_deltas(anchor: str, test: str, measure: str, deltas: list[Delta]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{test} against {anchor}, {measure}")
    for name in ("scene", "BD-rate", "BD-quality", "over", "overlap"):
        table.add_column(name, justify="left" if name == "scene" else "right")
    for d in deltas:
        table.add_row(
            d.scene, f"{d.rate:+.1f} %", _signed(d.quality), f"{d.low:.4g} to {d.high:.4g}", f"{100 * d.overlap:.0f} %"
        )
    if len(deltas) > 1:
        table.add_section()
        rate = np.mean([d.rate for d in deltas])
        table.add_row(f"mean of {len(deltas)}", f"{rate:+.1f} %", _signed(_mean_quality(deltas)), "", "")
    Console().print(table)


def _mean_quality(deltas: list[Delta]) -> float | None:
    known = [d.quality for d in deltas if d.quality is not None]
    return float(np.mean(known)) if known else None


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"


def find(
    results: Path,
    target: Target,
    scene: str | None,
    method: str | None,
    plan: Path | None,
    data: Path | None,
) -> int:
    """`sinenerf find`: 0 when every scene has a setting that meets the target."""
    planned = read_plan(plan, data) if plan is not None else None
    empty = not (results.is_dir() and any(results.rglob("*.json")))
    found = [] if planned and empty else _read(results)
    if planned is not None:
        check_comparable([*found, *planned.jobs])
    scenes = (
        [scene] if scene else list(dict.fromkeys([r.scene for r in found] + list(planned.scenes if planned else ())))
    )
    answers = 0
    for name in scenes:
        here = [r for r in found if r.scene == name and method in (None, r.method)]
        if planned is not None:
            here += run_towards(planned, home_of(planned, results), name, method, target, here)
        best = nearest(here, target)
        print(line(best) if best else f"{name}: nothing meets {target[0]} {target[1]:g}: sweep more, or give --plan")
        answers += best is not None
    return 0 if scenes and answers == len(scenes) else 1


def spectrum(field: Path | None, output: Path, widths: tuple[int, ...], ranks: tuple[int, ...]) -> None:
    """`sinenerf spectrum`."""
    from sinenerf.rd.spectrum import draw, draw_layers, measure_rule, omega_of

    if output.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"{output}: pictures are written as .png, .svg or .pdf")
    if field is not None:
        layers = {name: layer for name, layer in load(field).named_modules() if isinstance(layer, FactoredLinear)}
        if not layers:
            raise ValueError(f"{field}: has no factored layers, only dense ones")
        for name, value in draw_layers(layers, output).items():
            print(f"{name}: {layers[name].extra_repr()}, stable rank {value:.1f}")
        print(output)
        return
    if min(*widths, *ranks) < 1 or max(ranks) > min(widths):
        raise ValueError(f"ranks {ranks} do not fit widths {widths}: each rank from 1 to the smallest width")
    draw(output, widths[0], ranks, (100, 200, 400, 2000))
    rule = measure_rule(widths, ranks)
    for (width, rank), measured in rule.spreads.items():
        says = rule.spread(width, rank)
        print(
            f"width {width}, k = {rank}: spread {measured:.2f}, the rule {says:.2f}, omega {omega_of(says, rank):.0f}"
        )
    typical, largest = (math.exp(f(np.abs(rule.errors))) - 1 for f in (np.mean, np.max))
    print(f"rule: spread = {rule.a:.2f} sqrt(k (1 - p)) / p, p = (width / {rule.c:.2f})^(-1/k), k up to width / 8")
    print(f"its error: {100 * typical:.0f} % on average, {100 * largest:.0f} % at most")
    print("omega = 3 sqrt(k) spread for the paper's factors, spread / (s^2 sqrt(k)) for those of standard deviation s")
    print(output)
