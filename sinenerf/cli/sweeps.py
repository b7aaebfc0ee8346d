"""Commands for sweeps and what they show."""

import sys
from pathlib import Path
from typing import Annotated

import tyro


def sweep(
    plan: Annotated[Path, tyro.conf.Positional],
    /,
    data: Path | None = None,
    output: Path = Path("results"),
    dry_run: bool = False,
    ray: str | None = None,
) -> None:
    """Run the jobs of a sweep that have no result yet: scenes x methods x settings, each at the same budget.

    Ctrl-C or a crash loses nothing: the same command goes on where it stopped.

    Args:
        plan: a file of configs/, such as configs/quick-shapes.toml.
        data: folder of the scenes, in place of the plan's own.
        output: folder of the results.
        dry_run: only list the missing jobs and the time that they take.
        ray: run them on the Ray cluster at this HOST:PORT, or on one of this machine's own: local.
    """
    from sinenerf.rd.commands import sweep as run

    sys.exit(run(plan, data, output, dry_run, ray))


def plot(
    results: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path | None = None,
    quality: str | None = None,
    html: Path | None = None,
) -> None:
    """Draw a sweep: quality against bytes, parameters and seconds, as PNG and SVG, with a CSV of every point.

    Args:
        results: folder of a sweep's results, of one dataset.
        output: folder for the pictures; by default the results' own.
        quality: the measure to draw: iou, chamfer_l1, ...; psnr, ssim, ...
        html: write one self-contained page too, where pointing at a point shows its settings and its picture.
    """
    from sinenerf.rd.commands import plot as run

    run(results, output, quality, html)


def bd(
    anchor: Annotated[str, tyro.conf.Positional],
    test: Annotated[str, tyro.conf.Positional],
    results: Annotated[Path, tyro.conf.Positional],
    /,
    quality: str | None = None,
    json: bool = False,
) -> None:
    """Bjontegaard deltas: how many bytes less a method needs at equal quality, and its gain at equal bytes.

    Args:
        anchor: the method to compare with, such as draco.
        test: the method to judge, such as sine.
        results: folder of a sweep's results.
        quality: the measure: iou, chamfer_l1, ...; psnr, ssim, ...
        json: print JSON in place of a table.
    """
    from sinenerf.rd.commands import bd as run

    sys.exit(run(anchor, test, results, quality, json))


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
    """The setting nearest to a target: the best within so many bytes, or the smallest of such a quality.

    Args:
        results: folder of a sweep's results.
        bytes: size that the file may have.
        psnr: quality in dB that it must have.
        iou: quality that it must have.
        scene: only this one.
        method: only this one.
        plan: a sweep's file: run what is missing of it towards the target.
        data: folder of the scenes, in place of the plan's own.
    """
    from sinenerf.rd.commands import find as run

    given = {"bytes": bytes, "psnr": psnr, "iou": iou}
    targets = [(name, float(value)) for name, value in given.items() if value is not None]
    if len(targets) != 1:
        raise ValueError("give one target: --bytes N, --psnr X or --iou X")
    sys.exit(run(results, targets[0], scene, method, plan, data))


def spectrum(
    field: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    output: Path = Path("spectrum.png"),
    widths: tuple[int, ...] = (128, 64, 256),
    ranks: tuple[int, ...] = (1, 2, 4, 8, 16),
) -> None:
    """Draw singular values and stable rank of sin(omega U V^T), and measure the omega that a width and rank need.

    Args:
        field: a .sine file: draw its trained layers in place of random ones.
        output: picture to write: .png, .svg or .pdf.
        widths: of the random matrices; the first is drawn.
        ranks: of their factors.
    """
    from sinenerf.rd.commands import spectrum as run

    run(field, output, widths, ranks)
