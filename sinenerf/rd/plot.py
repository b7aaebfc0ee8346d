"""Rate-distortion plots: a panel for each scene and one for the mean, as PNG and SVG, with every point in a CSV."""

import csv
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sinenerf.common.files import replacing
from sinenerf.rd.curves import FALLING_MEASURES, Points, curve_points, mean_curve, pareto_front
from sinenerf.rd.results import Result
from sinenerf.rd.seeds import average_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Axis = Literal["bytes", "parameters", "seconds"]
AXES: tuple[Axis, ...] = get_args(Axis)
Marks = dict[str, list[Result]]
"""The results of the marks of each group in the SVG, in order, by the group's id."""
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
"""Okabe and Ito's palette for the colour-blind; in greyscale markers and dashes distinguish the methods."""
MARKERS, DASHES = "osD^vPX*", ("-", "--", "-.", ":")
METHODS = ("sine", "thin dense", "low-rank", "draco", "dense", "TensoRF", "nerfacto", "vanilla-nerf")
"""Methods with the same style in every plot; others take the remaining styles."""
AXIS_LABELS = {
    "bytes": "bytes of the file",
    "parameters": "parameters",
    "seconds": "seconds of training",
    "iou": "IoU",
    "iou_near": "IoU near the surface",
    "chamfer_l1": "Chamfer-L1 / diagonal",
    "normal_consistency": "normal consistency",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "lpips": "LPIPS",
}
NEAR_ONE = ("iou", "iou_near", "normal_consistency", "f_score_half_percent", "f_score_one_percent")
"""Measures whose values crowd just below 1: drawn by the logarithm of their distance to 1."""
NINES_TICKS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
NINES_OFFSET = 1e-4


def figure(results: list[Result], measure: str, axis: Axis) -> tuple["Figure", Marks]:
    """The plot, and the results of its marks; of several seeds the mean is drawn."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    results = average_seeds(results)
    scenes = list(dict.fromkeys(r.scene for r in results))
    styles = _styles({r.method for r in results})
    panels = len(scenes) + (len(scenes) > 1)
    columns = min(panels, 3)
    rows = -(-panels // columns)
    across = min(len(styles), 3 * columns)
    drawn = Figure(figsize=(4.2 * columns + 0.9, 3.3 * rows + 0.25 * -(-len(styles) // across)))
    grid = drawn.subplots(rows, columns, sharex=True, sharey=True, squeeze=False, gridspec_kw=_margins(drawn, rows))
    axes = grid.ravel()
    marks: Marks = {}
    for method, index in styles.items():
        curves = []
        for panel, scene in zip(axes, scenes, strict=False):
            points = curve_points(results, scene, method, measure, axis)
            candidates = _timeline(points, measure) if axis == "seconds" else points
            curve = pareto_front(candidates, measure in FALLING_MEASURES)
            _draw(panel, index, points, curve, marks, axis)
            curves.append(curve)
        if panels > len(scenes):
            _draw_mean(axes[len(scenes)], index, curves)
    x = [value for panel in axes for line in panel.lines for value in line.get_xdata()]
    if x and max(x) < 1.001 * min(x):  # no range that a logarithmic axis could show
        axes[0].set_xlim(min(x) / 2, 2 * max(x))
    for panel, name in zip(axes, [*scenes, f"mean of {len(scenes)} scenes"], strict=False):
        _style_panel(panel, name, measure, axis)
    if marks and measure in NEAR_ONE:  # Draco alone has no points over parameters
        _scale_nines(axes[:panels])
    if marks and measure in FALLING_MEASURES:
        axes[0].set_yscale("log")
        axes[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        axes[0].yaxis.set_major_formatter("{x:g}")
        axes[0].yaxis.set_minor_formatter("")
    for panel in axes[::columns]:
        panel.set_ylabel(AXIS_LABELS.get(measure, measure))
    for panel in axes[panels:]:
        panel.set_axis_off()
    _legend(drawn, styles, across)
    return drawn, marks


def _margins(drawn: "Figure", rows: int) -> dict[str, float]:
    """Margins for the labels as shares of the figure; matplotlib's own layout takes longer than everything else."""
    width, height = drawn.get_size_inches()
    top = height - 3.3 * rows + 0.3  # the legend, and a title
    return {
        "left": 0.85 / width,
        "right": 1 - 0.15 / width,
        "bottom": 0.5 / height,
        "top": 1 - top / height,
        "wspace": 0.1,
        "hspace": 0.32,
    }


def save_plots(results: list[Result], measure: str, output: Path, axes: tuple[Axis, ...]) -> list[Path]:
    """Write quality against each axis as PNG and SVG, and the points as CSV, into a folder. Returns the files."""
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for axis in axes:
        drawn, _ = figure(results, measure, axis)
        for suffix in ("png", "svg"):
            path = output / f"{measure}-{axis}.{suffix}"
            with replacing(path) as partial:
                drawn.savefig(partial, dpi=150, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
            written.append(path)
    table = output / f"{measure}.csv"
    save_table(results, table)
    return [*written, table]


def save_table(results: list[Result], path: Path) -> None:
    """Write every result as a line of CSV, and one for each mean over seeds, without a source and with all its seeds.

    A setting that shares the name of a measured value is NAME_setting.
    """
    means = [
        replace(mean, settings=mean.settings | {"seed": " ".join(map(str, mean.settings["seed"]))}, source=None)
        for mean in average_seeds(results)
        if isinstance(mean.settings.get("seed"), list)
    ]
    qualities = sorted({name for r in results for name in r.quality})
    settings = sorted({name for r in results for name in r.settings})
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        measured = ["scene", "method", "bytes", "parameters", "seconds", "decode_seconds", *qualities]
        names = [f"{name}_setting" if name in measured else name for name in settings]
        writer.writerow([*measured, *names, "source"])
        for r in sorted([*results, *means], key=lambda r: (r.scene, r.method, r.size or 0)):
            values = [*map(r.quality.get, qualities), *map(r.settings.get, settings)]
            source = "" if r.source is None else r.source.name
            writer.writerow([r.scene, r.method, r.size, r.parameters, r.seconds, r.decode_seconds, *values, source])


def _styles(methods: set[str]) -> dict[str, int]:
    """Index of each method's colour, marker and dash, in the order of the legend."""
    known = {name: index for index, name in enumerate(METHODS) if name in methods}
    free = (index for index in count() if index not in known.values())
    return known | {name: next(free) for name in sorted(methods - set(known))}


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _dash(index: int) -> str:
    return DASHES[index % len(DASHES)]


def _draw(panel: "Axes", index: int, points: Points, curve: Points, marks: Marks, axis: Axis) -> None:
    """A method on a scene: its Pareto front as a line with filled marks, the other points as small, empty marks. Over
    seconds, a step line of the best quality so far, and a mark where each training ended."""
    style = {"color": _colour(index), "linestyle": _dash(index), "zorder": 2}
    drawstyle = "steps-post" if axis == "seconds" else "default"
    panel.plot([p[0] for p in curve], [p[1] for p in curve], drawstyle=drawstyle, **style)  # type: ignore[arg-type]
    best = points if axis == "seconds" else curve
    behind = [point for point in points if point not in best]
    for group, filled in ((best, True), (behind, False)):
        if not group:
            continue
        name = f"marks-{len(marks)}"
        panel.plot(
            [p[0] for p in group],
            [p[1] for p in group],
            linestyle="",
            marker=MARKERS[index % len(MARKERS)],
            markersize=5 if filled else 3,
            markerfacecolor=_colour(index) if filled else "none",
            markeredgecolor=_colour(index),
            alpha=1 if filled else 0.5,
            gid=name,
            zorder=3,
        )
        marks[name] = [point[2] for point in group]


def _draw_mean(panel: "Axes", index: int, curves: list[Points]) -> None:
    """The mean over scenes: a curve, or a mark where a method has one point on each scene."""
    curve = mean_curve(curves)
    if curve is not None:
        panel.plot(*curve, color=_colour(index), linestyle=_dash(index))
    elif curves and all(len(points) == 1 for points in curves):
        x, y = np.array([points[0][:2] for points in curves]).T
        panel.plot(np.exp(np.log(x).mean()), y.mean(), color=_colour(index), marker=MARKERS[index % len(MARKERS)])


def _timeline(points: Points, measure: str) -> Points:
    """(seconds, quality) during and at the end of every training of a method."""
    looks = [(look["seconds"], look[measure], p[2]) for p in points for look in p[2].history if measure in look]
    return [look for look in looks if look[0] > 0] + [p for p in points if p[0] > 0]


def _style_panel(panel: "Axes", title: str, measure: str, axis: Axis) -> None:
    from matplotlib.ticker import EngFormatter

    panel.set_title(title, fontsize=10)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(EngFormatter(sep=" "))  # 10 k, 1 M
    panel.xaxis.set_minor_formatter("")
    panel.tick_params(labelbottom=True)
    panel.set_xlabel(AXIS_LABELS[axis])
    panel.grid(alpha=0.3)


def _scale_nines(panels: np.ndarray) -> None:
    """Scale the quality axis, which all panels share, by the number of nines: near 1 a hundredth is much."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for panel in panels for line in panel.lines])
    low, high = _nines(values.min()) - 0.1, _nines(values.max()) + 0.1
    ticks = [tick for tick in NINES_TICKS if low <= _nines(tick) <= high]
    for panel in panels:
        panel.set_yscale("function", functions=(_nines, _from_nines))
        panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0].set_ylim(_from_nines(low), _from_nines(high))


def _nines(quality: Any) -> Any:
    """Number of nines of a quality: 1 for 0.9, 2 for 0.99, at most 4."""
    return -np.log10(1 + NINES_OFFSET - np.minimum(quality, 1))


def _from_nines(nines: Any) -> Any:
    return 1 + NINES_OFFSET - 10.0 ** -np.asarray(nines)


def _legend(drawn: "Figure", styles: dict[str, int], across: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_colour(i), linestyle=_dash(i), marker=MARKERS[i % len(MARKERS)], label=m)
        for m, i in styles.items()
    ]
    drawn.legend(handles=handles, loc="upper center", ncols=across, frameon=False, borderaxespad=0.1, handlelength=3)
