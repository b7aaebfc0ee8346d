"""Where a scene lies: z up, the middle of what is looked at in the origin, and cameras at a mean distance of 1."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sinenerf.common.reconstruction import opengl_poses, sparse_points

if TYPE_CHECKING:
    import pycolmap

UPRIGHT = 50.0
"""Photographs whose up axis is farther from the mean, in degrees, were taken on their side and do not count."""
LEVEL_WEIGHT = 0.05
"""Weight of the mean up axis against that of the horizontal axes, which decide where they can."""


def turn_upright(model: "pycolmap.Reconstruction") -> None:
    """Turn, move and scale a model in place."""
    import pycolmap

    poses, points = opengl_poses(model), sparse_points(model)
    up = up_direction(poses)
    turn = rotation_to_z(up, poses)
    centre = np.median(points @ turn.T, axis=0) @ turn
    distance = float(np.linalg.norm(poses[:, :, 3] - centre, axis=1).mean())
    scale = 1.0 / max(distance, 1e-9)
    model.transform(pycolmap.Sim3d(scale, pycolmap.Rotation3d(turn), -scale * turn @ centre))


def up_direction(poses: Float[np.ndarray, "views 3 4"]) -> Float[np.ndarray, " 3"]:
    """The direction that is up, from photographs that are upright by their EXIF data.

    People hold a camera level, so that its x axis is horizontal, however much it looks up or down: up is the direction
    at right angles to all x axes, by least squares. Where these are all alike, as in a scene seen from one side, the
    mean of the cameras' y axes decides what they leave open.
    """
    mean = poses[:, :, 1].mean(0)
    for _ in range(3):
        upright = poses[:, :, 1] @ mean > np.cos(np.radians(UPRIGHT)) * np.linalg.norm(mean)
        if not upright.any():
            break
        mean = poses[upright, :, 1].mean(0)
    mean /= np.linalg.norm(mean)
    chosen = poses[upright] if upright.any() else poses
    level = chosen[:, :, 0].T @ chosen[:, :, 0] / len(chosen)
    # minimises sum (x . up)^2 / n + weight |up - mean|^2
    up = np.linalg.solve(level + LEVEL_WEIGHT * np.eye(3), LEVEL_WEIGHT * mean)
    return up / np.linalg.norm(up)


def rotation_to_z(up: Float[np.ndarray, " 3"], poses: Float[np.ndarray, "views 3 4"]) -> Float[np.ndarray, "3 3"]:
    """The rotation that turns `up` to +z and the first camera's place, seen from the mean of all, towards -y."""
    towards = poses[0, :, 2] - (poses[0, :, 2] @ up) * up
    if np.linalg.norm(towards) < 1e-6:
        towards = np.cross(up, [1.0, 0.0, 0.0]) + 1e-3
        towards -= (towards @ up) * up
    forward = -towards / np.linalg.norm(towards)
    return np.stack([np.cross(forward, up), forward, up])


def angles_from_mean(poses: Float[np.ndarray, "views 3 4"]) -> Float[np.ndarray, " views"]:
    """Angles in degrees between viewing directions and their mean; 180 if they cancel out."""
    backwards = poses[:, :, 2]
    mean = backwards.mean(0)
    length = np.linalg.norm(mean)
    if length < 0.05:
        return np.full(len(poses), 180.0)
    return np.degrees(np.arccos(np.clip(backwards @ mean / length, -1, 1)))
