"""Commands that generate or download data to train on."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from sinenerf.cli.meshes import given


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
    kind: Literal["facing", "around"] = "facing",
    views: int | None = None,
    width: int | None = None,
    height: int | None = None,
    seed: int = 0,
) -> None:
    """Generate a small scene, ray-traced: forward-facing in LLFF layout, or photographs from all around a table.

    Args:
        target: folder to create.
        kind: facing: an LLFF folder, without lens distortion; around: a room as a phone sees it, with distortion and
            changing exposure, and its true cameras in transforms.json.
        views: number of photographs; 20 facing, 40 around.
        width: of a photograph, in pixels; 252 facing, 270 around.
        height: of a photograph, in pixels; 189 facing, 480 around.
        seed: of the camera positions.
    """
    from sinenerf.datasets.orbit_capture import OrbitSettings, generate_orbit
    from sinenerf.datasets.synthetic_capture import generate_scene

    settings = given(views=views, width=width, height=height, seed=seed)
    if kind == "facing":
        print(generate_scene(target, **settings, progress=True))
    else:
        print(generate_orbit(target, OrbitSettings(**settings), progress=True))


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
