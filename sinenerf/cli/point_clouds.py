"""Commands from a scene to points and to Gaussian splats, for the programs that show those."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sinenerf.radiance.field import RadianceField
    from sinenerf.radiance.surface_points import SurfacePoints

Source = Annotated[Path, tyro.conf.Positional]


def points(
    scene: Source,
    /,
    output: Path,
    count: int = 200_000,
    cameras: Path | None = None,
    frame: Literal["scene", "capture"] = "scene",
) -> None:
    """Write a scene as a cloud of coloured points with normals, sampled from the field.

    Args:
        scene: .sine file of a scene.
        output: .ply file to write.
        count: of the points, about.
        cameras: transforms.json or poses_bounds.npy of the capture: sample what its photographs see, instead of what is
            seen from a path around the home view, or around what home looks at.
        frame: coordinates of the points: nerfstudio's scene, or the capture's own poses.
    """
    from sinenerf.common.files import check_output
    from sinenerf.radiance.splat_files import save_points

    check_output(output, ".ply")
    field, cloud = _sampled(scene, count, cameras)
    if frame == "capture":
        assert field.capture is not None
        cloud = cloud.moved(field.capture.from_scene())
    save_points(cloud, output)
    print(f"{output}: {len(cloud.positions):,} points, {output.stat().st_size:,} bytes")


def splats(scene: Source, /, output: Path, count: int = 200_000, cameras: Path | None = None) -> None:
    """Write a scene as Gaussian splats, discs on its surface that are sampled from the field and not trained.

    Args:
        scene: .sine file of a scene.
        output: file to write: .ply in the layout of Kerbl et al.'s program, or .spz, a fifth of its size; y is up in
            .spz and down in .ply, as their readers expect.
        count: of the splats, about.
        cameras: transforms.json or poses_bounds.npy of the capture: sample what its photographs see, instead of what is
            seen from a path around the home view, or around what home looks at.
    """
    from sinenerf.common.axes import upright_transform
    from sinenerf.common.files import check_output
    from sinenerf.radiance.splat_files import SPLAT_FORMATS, save_splats
    from sinenerf.radiance.splats import splats_of

    check_output(output, *SPLAT_FORMATS)
    field, cloud = _sampled(scene, count, cameras)
    save_splats(splats_of(cloud.moved(upright_transform(field.warp.up))), output)
    print(f"{output}: {len(cloud.positions):,} splats, {output.stat().st_size:,} bytes")


def _sampled(scene: Path, count: int, cameras: Path | None) -> "tuple[RadianceField, SurfacePoints]":
    from sinenerf.radiance.camera_files import read_cameras
    from sinenerf.radiance.surface_points import sample_surface
    from sinenerf.sine_file import load

    field = load(scene)
    if field.kind != "scene":
        raise ValueError(f"{scene}: holds a shape. sinenerf mesh writes it as a mesh")
    assert field.capture is not None
    views = None if cameras is None else read_cameras(cameras, field.capture)
    field = field.on_best_device()
    return field, sample_surface(field, count, views, progress=True)
