"""Cameras of files, to be rendered without nerfstudio: a transforms.json or a poses_bounds.npy."""

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sinenerf.common.console import say
from sinenerf.radiance.cameras import Camera, Capture, Pose
from sinenerf.radiance.llff import read_poses_bounds
from sinenerf.radiance.poses import homogeneous

PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
"""nerfstudio's camera models that are pinholes but for their distortion."""
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2", "distortion_params")
OLD_COLMAP = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0]])
"""How ns-process-data turned the axes before it said so."""
SIDES, ANGLES, POSITIVE, ANY = (1, 2**14), (1e-6, 3.14), (1e-8, 1e8), (-1e8, 1e8)
"""What numbers of a camera are taken: pixels a side, radians, lengths and scales, places."""


def read_views(path: Path, capture: Capture) -> list[Camera]:
    """The views of a transforms.json (nerfstudio's, Blender's or instant-ngp's) or a poses_bounds.npy of the capture.

    Views without a size or a focal length of their own get that of the training photographs. Those of a transforms.json
    are named after their photographs where these have different names, all others by their number. Lens distortion is
    left out, with a line that says so.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, a camera that is no pinhole, or a number or a pose that no camera has.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix == ".npy":
        return _read_llff(path, capture)
    if path.suffix == ".json":
        return _read_transforms(path, capture)
    raise ValueError(f"{path}: cameras are read from transforms.json or poses_bounds.npy")


def _read_llff(path: Path, capture: Capture) -> list[Camera]:
    read, home = read_poses_bounds(path), capture.home
    poses = capture.to_scene(read.camera_to_world)
    focal = read.hwf[:, 2] * home.width / read.hwf[:, 1]
    return [
        Camera(pose, f, f, home.width / 2, home.height / 2, home.width, home.height, f"{i:05d}")
        for i, (pose, f) in enumerate(zip(poses, focal.tolist(), strict=True))
    ]


def _read_transforms(path: Path, capture: Capture) -> list[Camera]:
    try:
        content = json.loads(path.read_text())
        frames = {f"{path}: frame {i}": {**content, **frame} for i, frame in enumerate(content["frames"])}
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: is no transforms.json ({type(error).__name__}: {error})") from None
    if not frames:
        raise ValueError(f"{path}: has no frames, so that there is nothing to render")
    poses = np.stack([_matrix(keys, "transform_matrix", where) for where, keys in frames.items()])
    poses = capture.to_scene(_undo_applied(content, path) @ homogeneous(poses))
    # the positions are in the capture's scale, as in nerfstudio
    poses[:, :, 3] /= _number(content, "applied_scale", 1.0, POSITIVE, str(path))
    names = _names(list(frames.values()))
    views = [
        _view(pose, keys, capture.home, name, where)
        for pose, name, (where, keys) in zip(poses, names, frames.items(), strict=True)
    ]
    if any(np.any(keys.get(name, 0.0)) for keys in frames.values() for name in DISTORTION):
        say(
            f"{path}: has lens distortion, which is not rendered here: pictures differ from the photographs, and "
            "scores are lower than those of ns-eval"
        )
    return views


def _undo_applied(content: dict, path: Path) -> Float[np.ndarray, "3 4"]:
    """From the coordinates of a transforms.json to the capture's own, from which ns-process-data had turned them."""
    if content.get("applied_transform") is not None:
        applied = _matrix(content, "applied_transform", str(path))
    elif (path.parent / "colmap/sparse/0").exists():
        applied = OLD_COLMAP
    else:
        return np.eye(4)[:3]
    return np.linalg.inv(homogeneous(applied))[:3]


def _names(frames: list[dict]) -> list[str]:
    """Of the pictures: their photographs' without the extension, or numbers where these are missing or not unique."""
    paths = [frame.get("file_path") for frame in frames]
    stems = [Path(path).stem if isinstance(path, str) else "" for path in paths]
    if all(stems) and len({stem.casefold() for stem in stems}) == len(stems):  # some disks ignore the case
        return stems
    return [f"{i:05d}" for i in range(len(frames))]


def _view(pose: Pose, keys: dict, home: Camera, name: str, where: str) -> Camera:
    model = "OPENCV_FISHEYE" if keys.get("is_fisheye") else keys.get("camera_model", "PINHOLE")
    if model not in PINHOLES:
        raise ValueError(
            f"{where}: its camera_model is {model}, and only {', '.join(PINHOLES)} are rendered here. Render the run "
            "with ns-render"
        )
    width = int(_number(keys, "w", home.width, SIDES, where))
    height = int(_number(keys, "h", home.height, SIDES, where))
    across, down = _focal(keys, "x", width, where), _focal(keys, "y", height, where)
    fx = across or down or home.fx * width / home.width
    fy = down or across or home.fy * height / home.height
    cx, cy = _number(keys, "cx", width / 2, ANY, where), _number(keys, "cy", height / 2, ANY, where)
    return Camera(pose, fx, fy, cx, cy, width, height, name)


def _focal(keys: dict, axis: str, pixels: int, where: str) -> float | None:
    """The focal length along an axis in pixels, where the file has it or, as instant-ngp's and Blender's, an angle."""
    length, angle = f"fl_{axis}", f"camera_angle_{axis}"
    if length in keys:
        return _number(keys, length, None, POSITIVE, where)
    if angle in keys:
        return pixels / (2 * math.tan(_number(keys, angle, None, ANGLES, where) / 2))
    return None


def _number(keys: dict, name: str, default: float | None, allowed: tuple[float, float], where: str) -> float:
    value: Any = keys.get(name, default)
    low, high = allowed
    with suppress(TypeError, ValueError, OverflowError):
        if low <= float(value) <= high:
            return float(value)
    raise ValueError(f"{where}: {name} is {value}, where a number from {low:g} to {high:g} is needed. Correct the file")


def _matrix(keys: dict, name: str, where: str) -> Pose:
    matrix = np.empty(0)
    with suppress(LookupError, TypeError, ValueError, OverflowError):
        matrix = np.array(keys[name], dtype=np.float64)[:3, :4]
    if matrix.shape != (3, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"{where}: its {name} is missing, or not 4 x 4 finite numbers. Correct or remove it")
    if not np.linalg.cond(matrix[:, :3]) < 1e6:
        raise ValueError(f"{where}: its {name} cannot be inverted, so that it is no rotation. Correct or remove it")
    return matrix
