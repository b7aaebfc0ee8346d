"""Commands that generate or download data to train on."""

from pathlib import Path
from typing import Annotated, Literal

import tyro


def make_shape(output: Annotated[Path, tyro.conf.Positional], /, resolution: int = 72) -> None:
    """Generate a watertight mesh to try sinenerf fit with: a carved trefoil knot.

    Args:
        output: file to write; the extension selects the format: .glb .ply .obj .stl .off.
        resolution: number N of vertices around the knot's tube, 16 to 512; the mesh has 16 N^2 faces.
    """
    from sinenerf.datasets.knot import make_shape as make

    mesh = make(output, resolution)
    print(f"{output}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces, {output.stat().st_size:,} bytes")


def make_scene(
    target: Annotated[Path, tyro.conf.Positional],
    /,
    views: int = 20,
    width: int = 252,
    height: int = 189,
    seed: int = 0,
) -> None:
    """Generate a small forward-facing scene, ray-traced, in LLFF layout.

    Args:
        target: folder to create.
        views: number of photographs.
        width: of a photograph, in pixels.
        height: of a photograph, in pixels.
        seed: of the camera positions.
    """
    from sinenerf.datasets.synthetic_capture import generate_scene

    print(generate_scene(target, views, width, height, seed))


def download(
    dataset: Annotated[Literal["llff", "blender"], tyro.conf.Positional], /, target: Path = Path("data")
) -> None:
    """Download a published set of scenes and verify its checksum. An interrupted download is resumed.

    Args:
        dataset: llff: the eight forward-facing captures of the NeRF paper; blender: its eight synthetic objects.
        target: folder to download into.
    """
    from sinenerf.datasets.download import download as fetch

    print(fetch(dataset, target))
