"""Reading cameras to render, without nerfstudio, from a transforms.json or a poses_bounds.npy."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from sinenerf.common.files import check_file
from sinenerf.photographs.camera_numbers import DISTORTION, PINHOLES, read_frames, undo_applied
from sinenerf.photographs.posed_photographs import FISHEYE
from sinenerf.photographs.poses_bounds import from_table, read_table
from sinenerf.radiance.cameras import Camera, Capture, Pose
from sinenerf.radiance.lens_distortion import LensDistortion
from sinenerf.radiance.poses import homogeneous

SIDES, ANGLES, POSITIVE, ANY = (1, 2**14), (1e-6, 3.14), (1e-8, 1e8), (-1e8, 1e8)
"""Accepted ranges of a camera's numbers: sides in pixels, angles in radians, lengths and scales, positions."""


def read_cameras(path: Path, capture: Capture) -> list[Camera]:
    """Read the cameras of a transforms.json (nerfstudio's, Blender's or instant-ngp's) or a poses_bounds.npy.

    Both are in the capture's coordinates. A camera without its own image size or focal length gets that of the training
    photographs. Cameras of a transforms.json are named after their photographs if those names are unique; otherwise
    cameras are numbered.

    Raises:
        FileNotFoundError: the file does not exist.
        IsADirectoryError: it is a folder.
        ValueError: the file is of another kind, a camera is neither a pinhole nor a fisheye, or a number or pose is
            invalid.
    """
    check_file(path, "Give the transforms.json or the poses_bounds.npy in it")
    if path.suffix == ".npy":
        return _read_llff(path, capture)
    if path.suffix == ".json":
        return _read_transforms(path, capture)
    raise ValueError(f"{path}: not a camera file. Give a transforms.json or a poses_bounds.npy")


def _read_llff(path: Path, capture: Capture) -> list[Camera]:
    table, home = read_table(path), capture.home
    views = from_table(table, path, (), tuple(f"{i:05d}" for i in range(len(table))))
    poses = capture.to_scene(views.camera_to_world)
    focal = views.fx * home.width / views.width
    return [
        Camera(pose, f, f, home.width / 2, home.height / 2, home.width, home.height, f"{i:05d}")
        for i, (pose, f) in enumerate(zip(poses, focal.tolist(), strict=True))
    ]


def _read_transforms(path: Path, capture: Capture) -> list[Camera]:
    content, frames = read_frames(path)
    poses = np.stack([_matrix(keys, "transform_matrix", where) for where, keys in frames.items()])
    poses = (undo_applied(content, path) @ homogeneous(poses))[:, :3]
    poses[:, :, 3] /= _number(content, "applied_scale", 1.0, POSITIVE, str(path))
    poses = capture.to_scene(poses)
    names = _image_names(list(frames.values()))
    return [
        _camera(pose, keys, capture.home, name, where)
        for pose, name, (where, keys) in zip(poses, names, frames.items(), strict=True)
    ]


def _image_names(frames: list[dict]) -> list[str]:
    """The photographs' file names without extension, or numbers if any of them is missing or not unique."""
    paths = [frame.get("file_path") for frame in frames]
    stems = [Path(path).stem if isinstance(path, str) else "" for path in paths]
    if all(stems) and len({stem.casefold() for stem in stems}) == len(stems):  # some file systems ignore case
        return stems
    return [f"{i:05d}" for i in range(len(frames))]


def _camera(pose: Pose, keys: dict, home: Camera, name: str, where: str) -> Camera:
    model = FISHEYE if keys.get("is_fisheye") else keys.get("camera_model", "PINHOLE")
    if model not in (*PINHOLES, FISHEYE):
        raise ValueError(
            f"{where}: camera_model is {model}, but only {', '.join((*PINHOLES, FISHEYE))} can be rendered. Render the "
            "run with ns-render"
        )
    width = int(_number(keys, "w", home.width, SIDES, where))
    height = int(_number(keys, "h", home.height, SIDES, where))
    own_fx, own_fy = _focal_length(keys, "x", width, where), _focal_length(keys, "y", height, where)
    fx = own_fx or own_fy or home.fx * width / home.width
    fy = own_fy or own_fx or home.fy * height / home.height
    cx, cy = _number(keys, "cx", width / 2, ANY, where), _number(keys, "cy", height / 2, ANY, where)
    return Camera(pose, fx, fy, cx, cy, width, height, name, _distortion(keys, model == FISHEYE, where))


def _distortion(keys: dict, fisheye: bool, where: str) -> LensDistortion:
    """k1 to p2 of a frame, each by its name or all in a list."""
    values = keys.get("distortion_params")
    if isinstance(values, list) and len(values) == len(DISTORTION):
        keys = dict(zip(DISTORTION, values, strict=True))
    elif values is not None:
        raise ValueError(f"{where}: distortion_params must be the numbers {', '.join(DISTORTION)}. Correct the file")
    return LensDistortion(*(_number(keys, name, 0.0, ANY, where) for name in DISTORTION), fisheye=fisheye)


def _focal_length(keys: dict, axis: str, pixels: int, where: str) -> float | None:
    """The focal length along an axis in pixels, given as a length or (instant-ngp, Blender) as a field of view."""
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
    raise ValueError(f"{where}: {name} is {value}, but must be a number from {low:g} to {high:g}. Correct the file")


def _matrix(keys: dict, name: str, where: str) -> Pose:
    matrix = np.empty(0)
    with suppress(LookupError, TypeError, ValueError, OverflowError):
        matrix = np.array(keys[name], dtype=np.float64)[:3, :4]
    if matrix.shape != (3, 4) or not np.isfinite(matrix).all():
        raise ValueError(f"{where}: {name} is missing, or not 4 x 4 finite numbers. Correct or remove it")
    if not np.linalg.cond(matrix[:, :3]) < 1e6:
        raise ValueError(f"{where}: {name} cannot be inverted, so it is not a pose. Correct or remove it")
    return matrix
