"""The numbers of a frame of a transforms.json, as nerfstudio, Blender and instant-ngp write them."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from sinenerf.photographs.camera_checks import LARGEST_SIDE, check_number
from sinenerf.photographs.posed_photographs import FISHEYE, PINHOLE, CaptureError

PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
"""nerfstudio's camera models that are pinholes apart from lens distortion."""
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
OLD_COLMAP = np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0]])
"""The rotation that old versions of ns-process-data applied without recording it as applied_transform."""

Frames = dict[str, dict[str, Any]]
"""Keys of each frame, with those of the whole file where it has none of its own, by where it stands."""


def read_frames(path: Path) -> tuple[dict[str, Any], Frames]:
    """(content, frames) of a transforms.json, with or without a byte order mark.

    Raises:
        CaptureError: it is not JSON, or has no frames.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        frames = {f"{path}: frame {i}": {**content, **frame} for i, frame in enumerate(content["frames"])}
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise CaptureError(f"{path}: not a valid transforms.json ({type(error).__name__}: {reason})") from None
    if not frames:
        raise CaptureError(f"{path}: has no frames, so there are no cameras in it")
    return content, frames


def number(keys: dict[str, Any], name: str, default: float, low: float, high: float, where: str) -> float:
    """The number under a name, or the default.

    Raises:
        CaptureError: it is no number within the bounds.
    """
    return check_number(where, name, keys[name], low, high) if name in keys else default


def size_of(keys: dict[str, Any], picture: tuple[int, int], where: str) -> tuple[float, float]:
    """Width and height in pixels: those of the picture where the file does not give them."""
    width = number(keys, "w", picture[0], 1, LARGEST_SIDE, where)
    return width, number(keys, "h", round(width * picture[1] / picture[0]), 1, LARGEST_SIDE, where)


def focal_length(keys: dict[str, Any], axis: str, pixels: float, where: str) -> float | None:
    """The focal length along an axis in pixels, given as a length or (instant-ngp, Blender) as a field of view.

    Raises:
        CaptureError: it is no positive number.
    """
    if f"fl_{axis}" in keys:
        return number(keys, f"fl_{axis}", 0, 1e-8, 1e8, where)
    if f"camera_angle_{axis}" in keys:
        return pixels / (2 * math.tan(number(keys, f"camera_angle_{axis}", 0, 1e-6, 3.14, where) / 2))
    return None


def principal_point(keys: dict[str, Any], width: float, height: float, where: str) -> tuple[float, float]:
    """(cx, cy) in pixels: the middle of the picture where the file does not give them."""
    return number(keys, "cx", width / 2, -1e8, 1e8, where), number(keys, "cy", height / 2, -1e8, 1e8, where)


def distortion_of(keys: dict[str, Any], where: str) -> list[float]:
    """k1, k2, k3, k4, p1, p2; zero where the file gives none."""
    if "distortion_params" in keys:
        values = keys["distortion_params"]
        if not isinstance(values, list) or len(values) != 6:
            raise CaptureError(f"{where}: distortion_params must be the six numbers k1, k2, k3, k4, p1, p2")
        return [check_number(where, "distortion_params", value, -1e6, 1e6) for value in values]
    return [number(keys, name, 0.0, -1e6, 1e6, where) for name in DISTORTION]


def camera_model(keys: dict[str, Any], where: str, advice: str) -> str:
    """`PINHOLE` or `FISHEYE`.

    Args:
        advice: what to do with a camera that is neither.

    Raises:
        CaptureError: the camera is neither.
    """
    model = FISHEYE if keys.get("is_fisheye") else keys.get("camera_model", PINHOLE)
    if model == FISHEYE:
        return FISHEYE
    if model not in PINHOLES:
        raise CaptureError(
            f"{where}: camera_model is {model}, but only {', '.join(PINHOLES)} and {FISHEYE} can be used. {advice}"
        )
    return PINHOLE


def matrix_of(keys: dict[str, Any], name: str, where: str) -> Float[np.ndarray, "3 4"]:
    """A matrix of 3x4 or 4x4 numbers, without its last row.

    Raises:
        CaptureError: it is missing, has another shape or is not finite.
    """
    try:
        matrix = np.array(keys[name], dtype=np.float64)
    except (LookupError, TypeError, ValueError, OverflowError):
        matrix = np.empty(0)
    if matrix.shape not in ((3, 4), (4, 4)):
        raise CaptureError(f"{where}: {name} is missing, or not 3 x 4 or 4 x 4 numbers. Correct or remove it")
    if not np.isfinite(matrix).all():
        raise CaptureError(f"{where}: {name} has NaN or infinite numbers. Correct or remove it")
    return matrix[:3]


def invertible_of(keys: dict[str, Any], name: str, where: str) -> Float[np.ndarray, "3 4"]:
    """`matrix_of`, if its first three columns can be inverted.

    Raises:
        CaptureError: they cannot, or there is no such matrix.
    """
    matrix = matrix_of(keys, name, where)
    if not np.linalg.cond(matrix[:, :3]) < 1e6:
        raise CaptureError(f"{where}: {name} cannot be inverted. Correct or remove it")
    return matrix


def undo_applied(content: dict[str, Any], path: Path) -> Float[np.ndarray, "4 4"]:
    """From a transforms.json's coordinates to the capture's: the inverse of what ns-process-data applied.

    Raises:
        CaptureError: applied_transform is no invertible matrix.
    """
    if content.get("applied_transform") is not None:
        applied = invertible_of(content, "applied_transform", str(path))
    elif (path.parent / "colmap/sparse/0").exists():
        applied = OLD_COLMAP
    else:
        return np.eye(4)
    return np.linalg.inv(np.vstack([applied, [0.0, 0.0, 0.0, 1.0]]))


def to_capture(poses: Float[np.ndarray, "n 3 4"], content: dict[str, Any], path: Path) -> Float[np.ndarray, "n 3 4"]:
    """Poses of a transforms.json in the capture's coordinates.

    Raises:
        CaptureError: as `undo_applied` and `applied_scale`.
    """
    undo = undo_applied(content, path)
    rotation, position = undo[:3, :3] @ poses[:, :, :3], undo[:3, :3] @ poses[:, :, 3:] + undo[:3, 3:]
    return np.concatenate([rotation, position / applied_scale(content, path)], axis=2)


def applied_scale(content: dict[str, Any], path: Path) -> float:
    """The factor by which ns-process-data multiplied positions, 1 by default."""
    return number(content, "applied_scale", 1.0, 1e-8, 1e8, str(path))
