"""Generates a forward-facing capture in LLFF layout, so that scenes can be tried without a download."""

from pathlib import Path

import numpy as np

from sinenerf.common.checks import check_seed
from sinenerf.common.progress import track
from sinenerf.common.work_folder import WorkFolder
from sinenerf.datasets.generated_folder import generate
from sinenerf.datasets.ray_tracer import LIGHT, Scene, to_srgb, trace
from sinenerf.datasets.still_life import FOCUS, still_life

FIELD_OF_VIEW = 58.0
"""Horizontal, in degrees."""
CAMERA = np.array([0.0, 1.45, 3.9])
"""Mean camera position."""
SAMPLES = 3
"""Rays per pixel in each direction."""


def generate_scene(
    target: Path, views: int = 20, width: int = 252, height: int = 189, seed: int = 0, progress: bool = False
) -> Path:
    """Render the demo scene to `target`: `images/image000.png`..., `poses_bounds.npy` (views, 17) and `scene.json`.

    The same arguments give the same scene. An existing scene with the same settings is left as it is. After a kill the
    same call goes on with the views that are missing.

    Args:
        progress: show a bar with the time left.

    Raises:
        ValueError: fewer than 2 views, a side under 16 pixels or a negative seed; the target is a file, a folder with
            other content, or a scene with other settings.
        BlockingIOError: another process makes the same scene.
        OSError: the folder cannot be written.
    """
    if views < 2 or min(width, height) < 16:
        raise ValueError(f"{views} views of {width}x{height} pixels: give at least 2 views of at least 16x16 pixels")
    check_seed(seed)
    settings = {"generator": "sinenerf still life 1", "views": views, "width": width, "height": height, "seed": seed}
    files = ["poses_bounds.npy", *map(_picture, range(views))]

    def write(work: WorkFolder, scene: Path) -> None:
        _write_views(work, scene, camera_poses(views, seed), width, height, progress)

    return generate(Path(target), settings, files, write)


def camera_poses(views: int, seed: int) -> np.ndarray:
    """Poses (views, 3, 4) [R | t] on a jittered grid, as in a hand-held capture; R's columns are down, right, back.

    The grid extends by an eighth of the distance to the scene on either side, and by two thirds of that up and down.
    """
    random = np.random.default_rng(seed)
    columns = int(np.ceil(np.sqrt(views * 1.25)))
    rows = int(np.ceil(views / columns))
    # the grid may have more cells than views: skip some, evenly
    cell = np.round(np.linspace(0, rows * columns - 1, views)).astype(int)
    grid = np.stack([cell % columns, cell // columns], axis=1) + random.uniform(0.15, 0.85, (views, 2))
    spread = np.linalg.norm(CAMERA - FOCUS) * np.array([0.125, 0.083])
    across = (grid / [columns, rows] * 2 - 1) * spread
    along = random.uniform(-0.02, 0.02, views) * np.linalg.norm(CAMERA - FOCUS)
    back, right, up = _viewing_axes(CAMERA - FOCUS)
    positions = CAMERA + across[:, :1] * right + across[:, 1:] * up + along[:, None] * back
    poses = []
    for position, aim in zip(positions, FOCUS + random.uniform(-0.04, 0.04, (views, 3)), strict=True):
        back, right, up = _viewing_axes(position - aim)
        poses.append(np.stack([-up, right, back, position], axis=1))
    return np.array(poses)


def render_view(scene: Scene, pose: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Render a scene from a pinhole camera with a pose (3, 4) of `camera_poses`.

    Returns:
        sRGB colours (height, width, 3) in 0..1; depths (height, width, SAMPLES**2) along the viewing axis.
    """
    total, depths = np.zeros((3, height * width)), []
    origins = np.broadcast_to(pose[:, 3:], total.shape)
    for sample in range(SAMPLES**2):
        offset = (np.array([sample % SAMPLES, sample // SAMPLES]) + 0.5) / SAMPLES
        # each sample uses another point of the lamp, in scrambled order, which gives soft shadows at no cost
        angle, reach = 2 * np.pi * (sample * 4 % SAMPLES**2) / SAMPLES**2, 0.08 * np.sqrt(sample + 0.5) / SAMPLES
        lamp = LIGHT + reach * np.array([np.cos(angle), np.sin(angle), -np.cos(angle)])
        colour, depth = trace(scene, origins, pixel_directions(pose, width, height, offset), lamp)
        total += colour
        depths.append(depth)
    encoded = to_srgb(np.clip(total / SAMPLES**2, 0, 1))
    return encoded.T.reshape(height, width, 3), np.stack(depths, axis=1).reshape(height, width, -1)


def pixel_directions(pose: np.ndarray, width: int, height: int, offset: np.ndarray | float = 0.5) -> np.ndarray:
    """World directions (3, height * width) through the pixels, row by row, of length 1 along the viewing axis.

    `offset` is (x, y) within a pixel, from 0 to 1; the principal point is the middle of the image.
    """
    across, down = np.broadcast_to(offset, 2)
    x, y = np.meshgrid(np.arange(width) + across - width / 2, np.arange(height) + down - height / 2)
    local = np.stack([y.ravel(), x.ravel(), np.full(x.size, -focal_length(width))]) / focal_length(width)
    return pose[:, :3] @ local


def focal_length(width: int) -> float:
    """Focal length in pixels."""
    return width / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))


def _write_views(work: WorkFolder, folder: Path, poses: np.ndarray, width: int, height: int, progress: bool) -> None:
    """Write the pictures that are not there yet, and poses_bounds.npy; the work folder notes the bounds of each."""
    from PIL import Image

    (folder / "images").mkdir(exist_ok=True)
    bounds: list[list[float]] = work.read("bounds") or []
    for view in track(range(len(bounds), len(poses)), "Rendering views", show=progress):
        image, depth = render_view(still_life(), poses[view], width, height)
        Image.fromarray(np.round(image * 255).astype(np.uint8)).save(folder / _picture(view))
        bounds.append([float(0.95 * depth.min()), float(1.05 * depth.max())])
        work.write("bounds", bounds)
    lens = [height, width, focal_length(width)]
    rows = [[*np.column_stack([pose, lens]).ravel(), *ends] for pose, ends in zip(poses, bounds, strict=True)]
    np.save(folder / "poses_bounds.npy", np.array(rows))


def _picture(view: int) -> str:
    return f"images/image{view:03d}.png"


def _viewing_axes(backwards: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors backwards, right and up of a level camera."""
    back = backwards / np.linalg.norm(backwards)
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    return back, right, np.cross(back, right)
