"""Geometry of camera poses, as NeRF's published loader uses it (Mildenhall et al. 2020)."""

import numpy as np
from jaxtyping import Float

Poses = Float[np.ndarray, "n 3 4"]
"""Camera to world, in OpenGL axes: x right, y up, z backwards."""


def average_pose(camera_to_world: Poses) -> Float[np.ndarray, "4 4"]:
    """The average of poses: mean position, mean viewing and up directions.

    The viewing direction is kept, and the upward one made perpendicular to it.
    """
    back = unit(camera_to_world[:, :, 2].sum(0))
    right = unit(np.cross(camera_to_world[:, :, 1].sum(0), back))
    return homogeneous(np.stack([right, np.cross(back, right), back, camera_to_world[:, :, 3].mean(0)], axis=1))


def degrees_off(camera_to_world: Poses) -> Float[np.ndarray, " n"]:
    """Angles in degrees between each pose's viewing axis and their mean; 90 if the axes cancel out."""
    back = camera_to_world[:, :, 2]
    mean = back.sum(0)
    return np.degrees(np.arccos(np.clip(back @ mean / max(np.linalg.norm(mean), 1e-9), -1, 1)))


def meeting_point(camera_to_world: Poses) -> Float[np.ndarray, "3"]:
    """The point nearest to the viewing axes of all poses, by least squares."""
    position, axis = camera_to_world[:, :, 3], camera_to_world[:, :, 2]
    across = np.eye(3) - axis[:, :, None] * axis[:, None, :]
    return np.linalg.lstsq(across.sum(0), (across @ position[:, :, None]).sum(0)[:, 0], rcond=None)[0]


def transform_poses(poses: Poses, motion: Float[np.ndarray, "3 4"], scale: float) -> Poses:
    """Poses in other coordinates, x_other = scale * (motion @ [x, 1]).

    Args:
        motion: rigid.
    """
    poses = (homogeneous(motion) @ homogeneous(poses))[:, :3]
    poses[:, :, 3] *= scale
    return poses


def unit(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The unit vector in the direction of a vector."""
    return vector / np.linalg.norm(vector)


def homogeneous(poses: Float[np.ndarray, "*batch 3 4"]) -> Float[np.ndarray, "*batch 4 4"]:
    """Append the row (0, 0, 0, 1) to poses."""
    last = np.broadcast_to(np.array([0.0, 0.0, 0.0, 1.0]), (*poses.shape[:-2], 1, 4))
    return np.concatenate([poses, last], axis=-2)
