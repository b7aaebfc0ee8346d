"""Rate-distortion plots: one panel a scene and one of the mean, PNG and SVG, with a CSV of every point's settings."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sinenerf.files import replacing
from sinenerf.rd.curves import FALLING, Points, front, mean_curve, points_of
from sinenerf.rd.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Axis = Literal["bytes", "parameters", "seconds"]
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
"""Okabe and Ito's, which the colour-blind can tell apart; markers and dashes tell them apart in grey."""
MARKERS, DASHES = "osD^vPX*", ("-", "--", "-.", ":")
LABELS = {
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
"""Measures that crowd below 1: drawn by the logarithm of what is missing."""
TICKS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
GAP = 1e-4


def figure(results: list[Result], measure: str, axis: Axis) -> tuple["Figure", list[Result]]:
    """The plot, and the results whose marks have the ids point-0, point-1, ... in its SVG."""
    from matplotlib.figure import Figure

    scenes = list(dict.fromkeys(r.scene for r in results))
    methods = sorted({r.method for r in results}, key=lambda name: (name != "sine", name))
    panels = len(scenes) + (len(scenes) > 1 and axis != "seconds")
    columns = min(panels, 3)
    rows = -(-panels // columns)
    made = Figure(figsize=(4.4 * columns, 3.4 * rows + 0.5), layout="constrained")
    axes = np.atleast_1d(made.subplots(rows, columns, sharey=True)).ravel()
    shown: list[Result] = []
    for panel, scene in zip(axes, scenes, strict=False):
        for index, method in enumerate(methods):
            points = points_of(results, scene, method, measure, axis)
            if axis == "seconds":
                _draw_history(panel, index, points, measure)
            _draw(panel, index, points, measure, shown, axis != "seconds")
        _dress(panel, scene, measure, axis)
    if panels > len(scenes):
        for index, method in enumerate(methods):
            fronts = [front(points_of(results, s, method, measure, axis), measure in FALLING) for s in scenes]
            curve = mean_curve(fronts)
            if curve is not None:
                axes[len(scenes)].plot(*curve, color=_colour(index), linestyle=_dash(index))
        _dress(axes[len(scenes)], f"mean of {len(scenes)} scenes", measure, axis)
    if measure in NEAR_ONE:
        _stretch(axes[:panels])
    for panel in axes[panels:]:
        panel.set_axis_off()
    _legend(made, methods, 3 * columns)
    return made, shown


def save_plots(results: list[Result], measure: str, output: Path, axes: tuple[Axis, ...]) -> list[Path]:
    """Write quality against each axis as PNG and SVG, and the points as CSV, into a folder. Returns the files."""
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for axis in axes:
        made, _ = figure(results, measure, axis)
        for suffix in ("png", "svg"):
            path = output / f"{measure}-{axis}.{suffix}"
            with replacing(path) as partial:
                made.savefig(partial, dpi=150, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
            written.append(path)
    table = output / f"{measure}.csv"
    save_table(results, table)
    return [*written, table]


def save_table(results: list[Result], path: Path) -> None:
    """Every result in a line of CSV."""
    qualities = sorted({name for r in results for name in r.quality})
    settings = sorted({name for r in results for name in r.settings})
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scene", "method", "bytes", "parameters", "seconds", *qualities, *settings, "source"])
        for r in sorted(results, key=lambda r: (r.scene, r.method, r.size)):
            values = [*map(r.quality.get, qualities), *map(r.settings.get, settings)]
            source = "" if r.source is None else r.source.name
            writer.writerow([r.scene, r.method, r.size, r.parameters, r.seconds, *values, source])


def _colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _dash(index: int) -> str:
    return DASHES[index % len(DASHES)]


def _draw(panel: "Axes", index: int, points: Points, measure: str, shown: list[Result], line: bool) -> None:
    """A method on a scene: its front as a line with full marks, the points behind it as small, empty ones."""
    best = front(points, measure in FALLING)
    if line:
        panel.plot([p[0] for p in best], [p[1] for p in best], color=_colour(index), linestyle=_dash(index), zorder=2)
    for point in points:
        on_front = point in best or not line
        panel.plot(
            point[0],
            point[1],
            marker=MARKERS[index % len(MARKERS)],
            markersize=5 if on_front else 3,
            markerfacecolor=_colour(index) if on_front else "none",
            markeredgecolor=_colour(index),
            alpha=1 if on_front else 0.5,
            gid=f"point-{len(shown)}",
            zorder=3,
        )
        shown.append(point[2])


def _draw_history(panel: "Axes", index: int, points: Points, measure: str) -> None:
    """How good the best setting of a method was after so many seconds."""
    looks = sorted((look["seconds"], look[measure]) for p in points for look in p[2].history if measure in look)
    if looks:
        best = np.maximum.accumulate([quality for _, quality in looks])
        panel.step([s for s, _ in looks], best, where="post", color=_colour(index), linestyle=_dash(index))


def _dress(panel: "Axes", title: str, measure: str, axis: Axis) -> None:
    panel.set_title(title, fontsize=10)
    panel.set_xscale("log")
    panel.set_xlabel(LABELS[axis])
    panel.set_ylabel(LABELS.get(measure, measure))
    panel.grid(alpha=0.3)


def _stretch(panels: np.ndarray) -> None:
    """Near 1 a hundredth is much: the axis, which all panels share, counts nines."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for panel in panels for line in panel.lines])
    low, high = _nines(values.min()) - 0.1, _nines(values.max()) + 0.1
    ticks = [tick for tick in TICKS if low <= _nines(tick) <= high]
    for panel in panels:
        panel.set_yscale("function", functions=(_nines, _from_nines))
        panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    panels[0].set_ylim(_from_nines(low), _from_nines(high))


def _nines(quality: Any) -> Any:
    """1 for 0.9, 2 for 0.99, and 4 at most."""
    return -np.log10(1 + GAP - np.minimum(quality, 1))


def _from_nines(nines: Any) -> Any:
    return 1 + GAP - 10.0 ** -np.asarray(nines)


def _legend(made: "Figure", methods: list[str], columns: int) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=_colour(i), linestyle=_dash(i), marker=MARKERS[i % len(MARKERS)], label=m)
        for i, m in enumerate(methods)
    ]
    made.legend(handles=handles, loc="outside upper center", ncols=min(len(methods), columns), frameon=False)
