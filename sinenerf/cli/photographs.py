"""Commands for photographs and the scenes made of them."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sinenerf.common.console import say
from sinenerf.scenes.scene_options import SceneOptions, SceneReport


def scene(
    source: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    options: Annotated[SceneOptions, tyro.conf.arg(name="")],
    film: Path | None = None,
    page: Path | None = None,
) -> None:
    """Make a scene of photographs or a film: find the cameras, train, round to a small file, score, render a film.

    Ctrl-C or a crash loses nothing: the same command goes on. An existing output is not overwritten. Where the cameras
    have to be found, NAME_contact_sheet.jpg beside the output shows which photographs were placed.

    Args:
        source: folder of photographs (.jpg .png .webp .heic ...) or film (.mp4 .mov); or what has cameras already: an
            LLFF folder, a transforms.json or its folder, a COLMAP model.
        output: .sine file to write.
        film: film to write, .mp4 or .gif; by default NAME.mp4 beside the output, or NAME_scene.mp4 if the source is
            called so.
        page: page to write, .html, which shows the scene in any browser.
    """
    from sinenerf.scenes.photographs_to_scene import photographs_to_scene

    if film is None:
        film = output.with_suffix(".mp4")
        if film.exists() and film.samefile(source):
            film = film.with_stem(f"{film.stem}_scene")
    report = photographs_to_scene(source, output, options, film, page, progress=True)
    if report is None:
        say("stopped: run the same command to go on")
        sys.exit(130)
    _show(report, options)


def _show(report: SceneReport, options: SceneOptions) -> None:
    fit = ", their exposures not fitted" if options.exposure else ""
    print(
        f"held-out PSNR {report.metrics['psnr']:.2f} dB, SSIM {report.metrics['ssim']:.3f} over {report.held_out} views"
        f"{fit}"
    )
    print(f"{report.parameters:,} parameters; {report.steps:,} steps in {report.seconds:.0f} s")
    for path in report.written:
        print(f"{path}: {path.stat().st_size:,} bytes")


def render(
    scene: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    cameras: Path | None = None,
    frames: int | None = None,
    scale: float = 1.0,
    what: Literal["rgb", "depth", "accumulation", "normals"] = "rgb",
) -> None:
    """Render a .sine file of a scene: one picture for each camera, or a film along a path around the capture.

    Args:
        scene: a .sine file from sinenerf compress, or scene.sine from ns-train with --pipeline.model.bits or .bytes.
        output: folder for one PNG a view, or a film: .mp4 or .gif.
        cameras: transforms.json or poses_bounds.npy of the capture; by default a path around the home view.
        frames: number of views on that path; 48 by default.
        scale: size of the pictures as a multiple of the photographs' size.
        what: rgb, depth (as nearness), accumulation or normals.
    """
    from sinenerf.radiance.render import render_views
    from sinenerf.sine_file import load

    if cameras is not None and frames is not None:
        raise ValueError("--frames counts the views of a path, and --cameras gives the views: leave one of them out")
    field = load(scene)
    if field.kind != "scene":
        raise ValueError(f"{scene}: holds a shape, not a radiance field. Use sinenerf mesh or sinenerf view")
    written = render_views(field, output, cameras, 48 if frames is None else frames, scale, what, progress=True)
    print(f"{output}: {len(written)} files" if output.is_dir() else f"{output}: {output.stat().st_size:,} bytes")
