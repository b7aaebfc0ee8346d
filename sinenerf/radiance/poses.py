"""Poses of cameras, and how NeRF normalises those of a capture (Mildenhall et al. 2020, and its published loader)."""

from dataclasses import dataclass

import numpy as np


@dataclass
class PosedViews:
    """Cameras of a scene, in OpenGL axes: x right, y up, z backwards."""

    camera_to_world: np.ndarray
    """(N, 3, 4)"""
    hwf: np.ndarray
    """(N, 3): height, width and focal length in pixels of the full-size photograph."""
    bounds: np.ndarray
    """(N, 2): nearest and farthest scene point along the viewing axis, in world units."""


def average_pose(camera_to_world: np.ndarray) -> np.ndarray:
    """The pose (4, 4) in the middle of the given ones (N, 3, 4): mean position, mean viewing and up directions."""
    back = unit(camera_to_world[:, :, 2].sum(0))
    right = unit(np.cross(camera_to_world[:, :, 1].sum(0), back))
    return homogeneous(np.stack([right, np.cross(back, right), back, camera_to_world[:, :, 3].mean(0)], axis=1))


def degrees_off(camera_to_world: np.ndarray) -> np.ndarray:
    """Degrees (N,) between each camera's viewing axis and the mean of all of them (N, 3, 4): 90 where there is none."""
    back = camera_to_world[:, :, 2]
    mean = back.sum(0)
    return np.degrees(np.arccos(np.clip(back @ mean / max(np.linalg.norm(mean), 1e-9), -1, 1)))


def frusta(views: PosedViews) -> np.ndarray:
    """What all cameras see up to their far bounds, as the corners (N, 4, 3) of their frusta there."""
    tangent = 0.5 * views.hwf[:, 1::-1] / views.hwf[:, 2:]  # of half the field of view, across and up
    signs = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    across = signs * tangent[:, None]
    local = np.concatenate([across, np.full((*across.shape[:2], 1), -1.0)], axis=2) * views.bounds[:, 1, None, None]
    return local @ views.camera_to_world[:, :, :3].swapaxes(1, 2) + views.camera_to_world[:, None, :, 3]


def recentre(views: PosedViews, bound_factor: float = 0.75) -> tuple[PosedViews, np.ndarray, float]:
    """NeRF's normalisation of a forward-facing capture: nearest bound at 1 / bound_factor, mean camera at the origin.

    Returns:
        the views; the rigid motion (3, 4) and the scale, so that x_new = scale * (motion @ [x_old, 1]).
    """
    scale = 1.0 / (views.bounds.min() * bound_factor)
    return _move(views, np.linalg.inv(average_pose(views.camera_to_world)), scale)


def spherify(views: PosedViews) -> tuple[PosedViews, np.ndarray, float]:
    """NeRF's normalisation of an inward-facing capture: the point all cameras look at to the origin, their root mean
    square distance from it to 1, z up.

    Returns:
        as `recentre`.
    """
    position, centre = views.camera_to_world[:, :, 3], meeting_point(views.camera_to_world)
    up = unit((position - centre).mean(0))
    first = unit(np.cross([0.1, 0.2, 0.3], up))
    frame = np.stack([first, np.cross(up, first), up, centre], axis=1)
    scale = 1.0 / np.sqrt(((position - centre) ** 2).sum(1).mean())
    return _move(views, np.linalg.inv(homogeneous(frame)), scale)


def meeting_point(camera_to_world: np.ndarray) -> np.ndarray:
    """The point (3,) that is nearest to the viewing axes of all cameras (N, 3, 4), in the sense of least squares."""
    position, axis = camera_to_world[:, :, 3], camera_to_world[:, :, 2]
    across = np.eye(3) - axis[:, :, None] * axis[:, None, :]
    return np.linalg.lstsq(across.sum(0), (across @ position[:, :, None]).sum(0)[:, 0], rcond=None)[0]


def _move(views: PosedViews, motion: np.ndarray, scale: float) -> tuple[PosedViews, np.ndarray, float]:
    moved = motion @ homogeneous(views.camera_to_world)
    moved[:, :3, 3] *= scale
    return PosedViews(moved[:, :3], views.hwf, views.bounds * scale), motion[:3], float(scale)


def unit(vector: np.ndarray) -> np.ndarray:
    """A vector's direction, of length 1."""
    return vector / np.linalg.norm(vector)


def homogeneous(poses: np.ndarray) -> np.ndarray:
    """(..., 3, 4) -> (..., 4, 4)."""
    last = np.broadcast_to(np.array([0.0, 0.0, 0.0, 1.0]), (*poses.shape[:-2], 1, 4))
    return np.concatenate([poses, last], axis=-2)
