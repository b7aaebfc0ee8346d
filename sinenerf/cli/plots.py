"""Commands that show results: plots and Bjontegaard deltas."""

import json as json_format
import math
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sinenerf.rd.curves import Comparison
    from sinenerf.rd.results import Result
    from sinenerf.rd.size_table import SizeRow


def read_comparable(folder: Path) -> "list[Result]":
    """The results of a folder. Files that cannot be read are named on standard error.

    Raises:
        ValueError: two results that cannot be compared.
    """
    from sinenerf.common.console import say
    from sinenerf.rd.results import check_comparable, read_results

    results, problems = read_results(folder)
    for problem in problems:
        say(f"ignored: {problem}")
    check_comparable(results)
    return results


def plot(
    results: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path | None = None,
    quality: str | None = None,
    html: Path | None = None,
) -> None:
    """Draw results: quality against bytes, parameters and seconds, as PNG and SVG, with a CSV of every point.

    Args:
        results: folder of a sweep's results, of one dataset.
        output: folder for the pictures; by default the results' own.
        quality: the measure to draw: iou, chamfer_l1, ...; psnr, ssim, ...
        html: also write one self-contained page (.html), where pointing at a point shows its settings and its picture.
    """
    from sinenerf.common.files import check_output
    from sinenerf.rd.curves import choose_measure, split_by_dataset
    from sinenerf.rd.plot import AXES, save_plots
    from sinenerf.rd.plot_page import save_page

    if html is not None:
        check_output(html, ".html", ".htm")
    parts = split_by_dataset(read_comparable(results), quality)
    if html is not None and len(parts) > 1:
        raise ValueError(f"{results} holds several datasets, and a page shows one: give the folder of one")
    for part in parts:
        measure = choose_measure(part, quality)
        for path in save_plots(part, measure, output or results, AXES):
            print(path)
        if html is not None:
            save_page(part, measure, html, AXES)
            print(html)


def bd(
    anchor: Annotated[str, tyro.conf.Positional],
    test: Annotated[str, tyro.conf.Positional],
    results: Annotated[Path, tyro.conf.Positional],
    /,
    quality: str | None = None,
    by_size: bool = False,
    json: bool = False,
) -> None:
    """Bjontegaard deltas: how many fewer bytes a method needs at equal quality, and what it gains at equal bytes.

    Where results differ by their seed alone, their mean counts, and ± is the standard deviation of the rate over seeds.

    By size: the change in bytes at equal quality for each of the method's sizes, on average (a geometric mean) and on
    the worst scene, and the times to encode (for a field without the labelling of its points, which a sweep's fields
    share) and to decode, which for the other method are those at equal quality, too.

    Args:
        anchor: the method to compare with, such as draco.
        test: the method to judge, such as sine.
        results: folder of a sweep's results.
        quality: the measure: iou, chamfer_l1, ...; psnr, ssim, ...
        by_size: a line for each size of the method to judge, in place of the deltas.
        json: print JSON in place of a table.
    """
    from sinenerf.rd.curves import compare_methods
    from sinenerf.rd.size_table import compare_sizes

    if by_size:
        rows = compare_sizes(read_comparable(results), anchor, test, quality)
        if json:
            print(json_format.dumps([asdict(row) for row in rows], indent=2))
        else:
            _print_sizes(anchor, test, rows)
        return
    comparison = compare_methods(read_comparable(results), anchor, test, quality)
    if json:
        means = (comparison.mean_rate, comparison.mean_deviation, comparison.mean_quality)
        mean = dict(zip(("rate", "deviation", "quality"), means, strict=True)) if comparison.deltas else None
        content: dict[str, Any] = {"anchor": anchor, "test": test, "measure": comparison.measure}
        content |= {"scenes": [asdict(d) for d in comparison.deltas], "mean": mean, "refused": comparison.refused}
        print(json_format.dumps(content, indent=2))
    else:
        _print_comparison(anchor, test, comparison)
    sys.exit(0 if comparison.deltas else 1)


def _print_comparison(anchor: str, test: str, comparison: "Comparison") -> None:
    from rich.console import Console
    from rich.table import Table

    from sinenerf.rd.curves import FALLING_MEASURES

    measure = comparison.measure
    direction = " (less is better)" if measure in FALLING_MEASURES else ""
    table = Table(title=f"{test} against {anchor}, {measure}{direction}")
    for name in ("scene", "BD-rate", "BD-quality", "over", "overlap"):
        table.add_column(name, justify="left" if name == "scene" else "right")
    for d in comparison.deltas:
        reach = (f"{d.low:.4g} to {d.high:.4g}", f"{100 * d.overlap:.0f} %")
        table.add_row(d.scene, _rate(d.rate, d.deviation), _quality(d.quality, measure, "+"), *reach)
    if comparison.mean_rate is not None and len(comparison.deltas) > 1:
        table.add_section()
        mean_rate = _rate(comparison.mean_rate, comparison.mean_deviation)
        mean_quality = _quality(comparison.mean_quality, measure, "+")
        table.add_row(f"mean of {len(comparison.deltas)}", mean_rate, mean_quality, "", "")
    Console().print(table)
    for reason in comparison.refused:
        print(f"refused: {reason}")


def _print_sizes(anchor: str, test: str, rows: "list[SizeRow]") -> None:
    """A line for each size: means over the scenes."""
    from rich.console import Console
    from rich.table import Table

    measures = list(rows[0].equivalents)
    table = Table(title=f"{test} against {anchor}: means of the scenes, the change on the worst scene in brackets")
    for name in ("size", "bytes", measures[0], *(f"{anchor} at equal {name}" for name in measures)):
        table.add_column(name, justify="right")
    for name in ("encode", "decode"):
        table.add_column(f"s to {name}: {test}, {anchor}", justify="right")
    for size in dict.fromkeys(row.size for row in rows):
        of_size = [row for row in rows if row.size == size]
        others = [other for row in of_size if (other := row.equivalents[measures[0]])]
        encode = _mean(r.seconds for r in of_size), _mean(o.seconds for o in others)
        decode = _mean(r.decode_seconds for r in of_size), _mean(o.decode_seconds for o in others)
        mean_quality = _quality(fmean(r.quality[measures[0]] for r in of_size), measures[0])
        cells = (f"{size:,}", f"{fmean(r.bytes for r in of_size):,.0f}", mean_quality)
        table.add_row(*cells, *(_equivalents(of_size, name) for name in measures), ", ".join(encode), ", ".join(decode))
    Console().print(table)


def _mean(seconds: "Iterable[float | None]") -> str:
    """The mean of the known times; "-" where none is known."""
    known = [value for value in seconds if value is not None]
    mean = fmean(known) if known else math.nan
    return "-" if not known else f"{mean:.0f}" if mean >= 10 else f"{mean:.2g}"


def _equivalents(rows: "list[SizeRow]", measure: str) -> str:
    """Bytes of the other method at equal quality, the change against them and its largest value, and, where that is not
    known of all scenes, of how many; geometric means."""
    known = [(other.bytes, math.log(row.bytes / other.bytes)) for row in rows if (other := row.equivalents[measure])]
    if not known:
        return "-"
    size = math.exp(fmean(math.log(size) for size, _ in known))
    mean, worst = (100 * math.expm1(value) for value in (fmean(c for _, c in known), max(c for _, c in known)))
    part = "" if len(known) == len(rows) else f", {len(known)} of {len(rows)} scenes"
    return f"{size:,.0f}, {mean:+.0f} % ({worst:+.0f} %){part}"


def _rate(rate: float, deviation: float | None) -> str:
    """A rate with its standard deviation over seeds."""
    return f"{rate:+.1f} %" if deviation is None else f"{rate:+.1f} ± {deviation:.1f} %"


def _quality(value: float | None, measure: str, sign: str = "") -> str:
    """A quality, or with the sign "+" a difference; those that fall, such as distances, may be smaller than .0001."""
    from sinenerf.rd.curves import FALLING_MEASURES

    return "-" if value is None else f"{value:{sign}{'.3g' if measure in FALLING_MEASURES else '.4f'}}"
