"""Commands to look at shapes, scenes and results."""

from pathlib import Path
from typing import Annotated, Literal

import tyro


def view(
    paths: Annotated[list[Path], tyro.conf.Positional],
    /,
    original: Path | None = None,
    up: Literal["y", "z", "x", "-y", "-z", "-x"] = "y",
    export: Path | None = None,
    resolution: int | None = None,
    quality: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7008,
    browser: bool = True,
) -> None:
    """Look at shapes, scenes or results in a browser page, or write the page as one file.

    Args:
        paths: .sine files and meshes, side by side or overlaid with one camera; or one folder of a sweep's results.
        original: mesh that the shapes stand for: they are coloured by their distance to it, and scored.
        up: axis of the shapes that points up; --up=-y needs the equals sign.
        export: write a page that needs no server here, in place of showing one: page.html.
        resolution: cells a side of the exported meshes; by default the finest that keeps the page below 10 MB.
        quality: the measure that the plot of results shows: iou, chamfer_l1, ...; psnr, ssim, ...
        host: address to listen at. Any other than 127.0.0.1 lets other machines in, without a password.
        port: to listen at; 0 takes any free one.
        browser: open the page in this machine's browser.
    """
    from sinenerf.viewer.launch import gather
    from sinenerf.viewer.launch import view as look

    if export is None:
        look(paths, original, up, quality, host, port, browser)
        return
    from sinenerf.viewer.export_page import export as write

    used = write(gather(paths, original, up, quality), export, resolution)
    print(f"{export}: {export.stat().st_size:,} bytes{'' if used is None else f', meshes of {used} cells a side'}")


def snapshot(
    paths: Annotated[list[Path], tyro.conf.Positional],
    /,
    output: Path | None = None,
    turntable: Path | None = None,
    original: Path | None = None,
    up: Literal["y", "z", "x", "-y", "-z", "-x"] = "y",
    resolution: int = 256,
    level: float = 0.5,
    width: int = 480,
    height: int = 400,
    turn: float = 17.0,
    tilt: float = 11.0,
    frames: int = 72,
    labels: bool = True,
) -> None:
    """Make a picture or a turntable of shapes and scenes without a browser, display or GPU; several stand side by side.

    Args:
        paths: .sine files and meshes.
        output: picture to write: .png or .jpg.
        turntable: film to write: .mp4 or .gif; scenes move along a path around where they were captured.
        original: mesh that the shapes stand for, to be shown last.
        up: axis of the shapes that points up; --up=-y needs the equals sign.
        resolution: cells a side of the shapes' meshes.
        level: occupancy of their surface, between 0 and 1.
        width: of each file's picture, in pixels.
        height: of each file's picture, in pixels.
        turn: of the camera around the vertical axis, in degrees from the front.
        tilt: of the camera above the horizon, in degrees.
        frames: of the turntable, 24 a second.
        labels: write name, bytes, parameters and rank below each.
    """
    from sinenerf.common.mesh_renderer import Framing
    from sinenerf.viewer.launch import gather
    from sinenerf.viewer.snapshot import snapshot as take

    framing = Framing(width, height, turn, tilt, labels)
    for path in take(gather(paths, original, up), output, turntable, framing, resolution, level, frames):
        print(f"{path}: {path.stat().st_size:,} bytes")
