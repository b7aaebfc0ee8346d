"""The command that makes a scene with known cameras from photographs or a film."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sinenerf.capture.options import CaptureOptions

if TYPE_CHECKING:
    from sinenerf.capture.report import CaptureReport


def capture(
    source: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    options: Annotated[CaptureOptions, tyro.conf.arg(name="")],
) -> None:
    """Find the cameras of photographs or a film: a scene for sinenerf, nerfstudio and COLMAP's other users.

    The photographs are only read. A mask of the same name in a folder `masks`, or an alpha channel, leaves parts out.
    After Ctrl-C, a kill or a full disk the same command goes on where it was.

    Args:
        source: folder of photographs with subfolders (.jpg .png .webp .heic .tif, any mix), or a film (.mp4 .mov ...).
        output: folder to make, with images, transforms.json, sparse points and COLMAP's model.
    """
    from sinenerf.capture.pipeline import capture as make_scene
    from sinenerf.capture.report import CONTACT_SHEET

    report = make_scene(source, output, options, progress=True)
    for line in result_lines(report):
        print(line)
    print(f"all photographs: {output / CONTACT_SHEET}; points and cameras: sinenerf view {output}")


def result_lines(report: "CaptureReport") -> list[str]:
    """What a capture did, for the terminal."""
    return [f"{report.scene}: {report.summary()}", *report.reasons()]
