"""Camera poses, and NeRF's normalisation of a capture's (Mildenhall et al. 2020, and its published loader)."""

from dataclasses import dataclass

import numpy as np


@dataclass
class PosedViews:
    """The views of a scene, with poses in OpenGL axes: x right, y up, z backwards."""

    camera_to_world: np.ndarray
    """(N, 3, 4): poses."""
    hwf: np.ndarray
    """(N, 3): height, width and focal length of the full-size photograph, in pixels."""
    bounds: np.ndarray
    """(N, 2): nearest and farthest scene point along the viewing axis, in world units."""


def average_pose(camera_to_world: np.ndarray) -> np.ndarray:
    """The average (4, 4) of poses (N, 3, 4): mean position, mean viewing and up directions."""
    back = unit(camera_to_world[:, :, 2].sum(0))
    right = unit(np.cross(camera_to_world[:, :, 1].sum(0), back))
    return homogeneous(np.stack([right, np.cross(back, right), back, camera_to_world[:, :, 3].mean(0)], axis=1))


def degrees_off(camera_to_world: np.ndarray) -> np.ndarray:
    """Angles (N,) in degrees between each pose's (N, 3, 4) viewing axis and their mean; 90 if the axes cancel out."""
    back = camera_to_world[:, :, 2]
    mean = back.sum(0)
    return np.degrees(np.arccos(np.clip(back @ mean / max(np.linalg.norm(mean), 1e-9), -1, 1)))


def frusta(views: PosedViews) -> np.ndarray:
    """The corners (N, 4, 3) of the cameras' frusta at their far bounds."""
    tangent = 0.5 * views.hwf[:, 1::-1] / views.hwf[:, 2:]  # of half the horizontal and vertical field of view
    signs = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    across = signs * tangent[:, None]
    local = np.concatenate([across, np.full((*across.shape[:2], 1), -1.0)], axis=2) * views.bounds[:, 1, None, None]
    return local @ views.camera_to_world[:, :, :3].swapaxes(1, 2) + views.camera_to_world[:, None, :, 3]


def recentre(views: PosedViews, bound_factor: float = 0.75) -> tuple[PosedViews, np.ndarray, float]:
    """NeRF's normalisation of a forward-facing capture: nearest bound at 1 / bound_factor, mean camera at the origin.

    Returns:
        (views, motion, scale), where x_new = scale * (motion @ [x_old, 1]) and motion (3, 4) is rigid.
    """
    scale = 1.0 / (views.bounds.min() * bound_factor)
    return _move(views, np.linalg.inv(average_pose(views.camera_to_world)), scale)


def spherify(views: PosedViews) -> tuple[PosedViews, np.ndarray, float]:
    """NeRF's normalisation of an inward-facing capture: the point all cameras look at becomes the origin, their root
    mean square distance from it 1, and z points up.

    Returns:
        (views, motion, scale), as `recentre`.
    """
    position, centre = views.camera_to_world[:, :, 3], meeting_point(views.camera_to_world)
    up = unit((position - centre).mean(0))
    first = unit(np.cross([0.1, 0.2, 0.3], up))
    frame = np.stack([first, np.cross(up, first), up, centre], axis=1)
    scale = 1.0 / np.sqrt(((position - centre) ** 2).sum(1).mean())
    return _move(views, np.linalg.inv(homogeneous(frame)), scale)


def meeting_point(camera_to_world: np.ndarray) -> np.ndarray:
    """The point (3,) nearest to the viewing axes of all poses (N, 3, 4), by least squares."""
    position, axis = camera_to_world[:, :, 3], camera_to_world[:, :, 2]
    across = np.eye(3) - axis[:, :, None] * axis[:, None, :]
    return np.linalg.lstsq(across.sum(0), (across @ position[:, :, None]).sum(0)[:, 0], rcond=None)[0]


def _move(views: PosedViews, motion: np.ndarray, scale: float) -> tuple[PosedViews, np.ndarray, float]:
    moved = motion @ homogeneous(views.camera_to_world)
    moved[:, :3, 3] *= scale
    return PosedViews(moved[:, :3], views.hwf, views.bounds * scale), motion[:3], float(scale)


def unit(vector: np.ndarray) -> np.ndarray:
    """The unit vector in the direction of a vector."""
    return vector / np.linalg.norm(vector)


def homogeneous(poses: np.ndarray) -> np.ndarray:
    """Append the row (0, 0, 0, 1) to poses: (..., 3, 4) -> (..., 4, 4)."""
    last = np.broadcast_to(np.array([0.0, 0.0, 0.0, 1.0]), (*poses.shape[:-2], 1, 4))
    return np.concatenate([poses, last], axis=-2)
