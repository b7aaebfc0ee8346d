"""Generates photographs of a room from all around its table, with the true cameras: an unbounded capture."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from sinenerf.common.files import replacing
from sinenerf.common.progress import track
from sinenerf.common.work_folder import WorkFolder
from sinenerf.datasets.generated_folder import generate
from sinenerf.datasets.orbit_cameras import DISTORTION, FOCAL, OrbitSettings, develop, gains, lens_rays, orbit_poses
from sinenerf.datasets.ray_tracer import LIGHT, first_hits, trace
from sinenerf.datasets.room import foreground, room

if TYPE_CHECKING:
    from PIL import Image

GENERATOR = "sinenerf room 1"
TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
"""From the room's axes (y up) to those of transforms.json (z up)."""
POINTS = 200
"""Points of `points.ply` from each photograph."""
BLOCK = 1 << 14
"""Rays traced together: few enough for the processor's caches."""


def generate_orbit(target: Path, settings: OrbitSettings | None = None, progress: bool = False) -> Path:
    """Render `images/view_000.jpg`..., with the truth beside them, to a new folder.

    `transforms.json` has the true cameras in nerfstudio's format (z up, lens model OPENCV) and the gains of each
    photograph (`gain`: red, green, blue, in linear light). `points.ply` holds points of the surfaces. A picture in
    `objects/` is white where the photograph shows the table and what stands on it, and black where it shows the room.
    After a kill the same call goes on with the photographs that are missing.

    Args:
        progress: show a bar with the time left.

    Raises:
        ValueError: the target exists with other content.
        BlockingIOError: another process makes the same scene.
        OSError: the folder cannot be written.
    """
    settings = settings or OrbitSettings()

    def write(work: WorkFolder, scene: Path) -> None:
        poses, gain = orbit_poses(settings), gains(settings)
        points = _write_photographs(scene, settings, poses, gain, progress)
        _write_points(scene / "points.ply", points)
        _write_cameras(scene / "transforms.json", settings, poses, gain)

    files = ["transforms.json", *(f"images/{_name(view)}.jpg" for view in range(settings.views))]
    return generate(Path(target), {"generator": GENERATOR, **asdict(settings)}, files, write)


def render_light(settings: OrbitSettings, pose: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "height width 3"]:
    """Linear colours of a photograph before its exposure."""
    colour = np.zeros((3, settings.width * settings.height))
    for sample in range(settings.samples**2):
        offset = (
            (sample % settings.samples + 0.5) / settings.samples,
            (sample // settings.samples + 0.5) / settings.samples,
        )
        directions = pose[:, :3] @ lens_rays(settings, offset)
        for start in range(0, colour.shape[1], BLOCK):
            along = directions[:, start : start + BLOCK]
            origins = np.broadcast_to(pose[:, 3:], along.shape)
            colour[:, start : start + BLOCK] += trace(room(), origins, along, LIGHT)[0] / settings.samples**2
    return colour.T.reshape(settings.height, settings.width, 3)


def render_geometry(
    settings: OrbitSettings, pose: Float[np.ndarray, "3 4"]
) -> tuple[Bool[np.ndarray, "height width"], Float[np.ndarray, "height width 3"]]:
    """Whether the middle of each pixel shows the table or what stands on it, and the point that it shows."""
    directions = pose[:, :3] @ lens_rays(settings)
    origins = np.broadcast_to(pose[:, 3:], directions.shape)
    nearest, distance = first_hits(room(), origins.astype(np.float32), directions.astype(np.float32))
    shape = (settings.height, settings.width)
    return (nearest < len(foreground())).reshape(shape), (origins + distance * directions).T.reshape(*shape, 3)


def _write_photographs(
    folder: Path, settings: OrbitSettings, poses: np.ndarray, gain: np.ndarray, progress: bool
) -> np.ndarray:
    """Write the photographs that are not there yet. Returns points with colours (N, 6)."""
    from PIL import Image

    for name in ("images", "objects"):
        (folder / name).mkdir(exist_ok=True)
    points = []
    for view in track(range(settings.views), "Rendering views", show=progress):
        path = folder / "images" / f"{_name(view)}.jpg"
        if not path.is_file():
            picture = develop(render_light(settings, poses[view]), gain[view], settings.seed + 1000 + view)
            with replacing(path) as unfinished:
                Image.fromarray(picture).save(unfinished, quality=95, exif=_exif())
        front, surface = render_geometry(settings, poses[view])
        Image.fromarray(np.where(front, 255, 0).astype(np.uint8)).save(folder / "objects" / f"{_name(view)}.png")
        chosen = np.random.default_rng(view).choice(front.size, min(POINTS, front.size), replace=False)
        with Image.open(path) as photograph:
            colours = np.asarray(photograph).reshape(-1, 3)[chosen]
        points.append(np.column_stack([surface.reshape(-1, 3)[chosen] @ TO_Z_UP.T, colours]))
    return np.concatenate(points)


def _write_points(path: Path, points: Float[np.ndarray, "n 6"]) -> None:
    import trimesh

    path.write_bytes(trimesh.PointCloud(points[:, :3], points[:, 3:].astype(np.uint8)).export(file_type="ply"))


def _write_cameras(path: Path, settings: OrbitSettings, poses: np.ndarray, gain: np.ndarray) -> None:
    frames = []
    for view, pose in enumerate(poses):
        matrix = np.vstack([TO_Z_UP @ pose, [0, 0, 0, 1]])
        frames.append(
            {
                "file_path": f"images/{_name(view)}.jpg",
                "transform_matrix": matrix.tolist(),
                "gain": gain[view].tolist(),
            }
        )
    size = {"w": settings.width, "h": settings.height, "cx": settings.width / 2, "cy": settings.height / 2}
    lens = {"fl_x": settings.focal, "fl_y": settings.focal, "k1": DISTORTION[0], "k2": DISTORTION[1], "p1": 0, "p2": 0}
    capture = {"camera_model": "OPENCV", **size, **lens, "ply_file_path": "points.ply", "frames": frames}
    path.write_text(json.dumps(capture, indent=1) + "\n")


def _exif() -> "Image.Exif":
    """A phone's: maker, model and focal length, from which a structure-from-motion program starts."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "sinenerf", "ray tracer"
    exif.get_ifd(0x8769)[0xA405] = round(36 * FOCAL)
    return exif


def _name(view: int) -> str:
    return f"view_{view:03d}"
