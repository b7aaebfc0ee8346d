"""Cameras without nerfstudio: their rays, and what a .sine file stores about a capture."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf.radiance.lens_distortion import UNDISTORTED, LensDistortion
from sinenerf.radiance.poses import homogeneous, meeting_point, transform_poses, unit
from sinenerf.radiance.split import Split

Pose = Float[np.ndarray, "3 4"]
"""Camera to world, in OpenGL axes: x right, y up, z backwards."""

LARGEST_RADII = np.array([0.7, 0.35, 0.35])
"""Bound on the radii of a path around an object, as multiples of home's distance from the object."""


@dataclass(frozen=True)
class Camera:
    """A camera in scene coordinates: a pinhole, or a fisheye, with or without lens distortion."""

    pose: Pose
    """Camera to world."""
    fx: float
    """Horizontal focal length, in pixels."""
    fy: float
    """Vertical focal length, in pixels."""
    cx: float
    """Principal point, in pixels from the image's left edge."""
    cy: float
    """Principal point, in pixels from the image's upper edge."""
    width: int
    """Width of the image, in pixels."""
    height: int
    """Height of the image, in pixels."""
    name: str = ""
    """Name of the rendered image's file, without extension."""
    distortion: LensDistortion = UNDISTORTED

    def rays(self, start: int = 0, stop: int | None = None) -> tuple[Float[Tensor, "rays 3"], Float[Tensor, "rays 3"]]:
        """(origins, unit directions) of rays through the centres of pixels `start` to `stop`, in row-major order."""
        pixels = np.arange(start, self.width * self.height if stop is None else stop)
        x, y = pixels % self.width + 0.5, pixels // self.width + 0.5
        local = self.distortion.directions((x - self.cx) / self.fx, (y - self.cy) / self.fy)
        directions = local @ self.pose[:, :3].T
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        origins = np.broadcast_to(self.pose[:, 3], directions.shape)
        return torch.from_numpy(origins.astype(np.float32)), torch.from_numpy(directions.astype(np.float32))

    def resized(self, factor: float) -> "Camera":
        """The same camera with its width and height multiplied by a factor."""
        width, height = max(1, round(self.width * factor)), max(1, round(self.height * factor))
        return self.in_size(width, height)

    def in_size(self, width: int, height: int) -> "Camera":
        """The same camera with pictures of this width and height."""
        x, y = width / self.width, height / self.height
        fx, fy, cx, cy = self.fx * x, self.fy * y, self.cx * x, self.cy * y
        return replace(self, fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)


@dataclass(frozen=True)
class Capture:
    """What a field stores about the photographs' cameras: the scene's place in the capture's coordinates, and a
    viewpoint."""

    motion: Pose
    """From the capture's coordinates to the scene's: x_scene = scale * (motion @ [x, 1])."""
    scale: float
    home: Camera
    """The mean camera, or for a capture around an object one of its cameras; with the first camera's intrinsics."""
    radii: Float[np.ndarray, "3"]
    """How far a path may move from home along each of home's axes, in scene units."""
    focus: float
    """Distance from home to the point its path looks at, in scene units."""
    split: Split | None = None
    """Which photographs were held out of the training; None where that is not known."""

    def spiral(self, frames: int, turns: int = 1, reach: float = 0.7) -> list[Camera]:
        """Cameras on a closed path around home, all looking at one point, as in NeRF's published code."""
        right, up, back, middle = self.home.pose.T
        target = middle - self.focus * back
        path: list[Camera] = []
        for angle in np.linspace(0, 2 * math.pi * turns, frames, endpoint=False):
            offset = reach * self.radii * [math.cos(angle), math.sin(angle), 0.5 * math.sin(2 * angle)]
            position = middle + offset @ np.stack([right, up, back])
            pose = look_at(position, target, up)
            path.append(replace(self.home, pose=pose, name=f"{len(path):05d}"))
        return path

    def to_scene(self, poses: Float[np.ndarray, "n 3 4"]) -> Float[np.ndarray, "n 3 4"]:
        """Convert poses from the capture's coordinates to the scene's."""
        return transform_poses(poses, self.motion, self.scale)

    def from_scene(self) -> Float[np.ndarray, "4 4"]:
        """The affine map from scene coordinates to the capture's, inverse of x_scene = scale * (motion @ [x, 1])."""
        return np.linalg.inv(homogeneous(self.motion)) @ np.diag([1 / self.scale] * 3 + [1.0])


def capture_of(
    poses: Float[np.ndarray, "n 3 4"], lens: Camera, motion: Pose, scale: float, forward_facing: bool
) -> Capture:
    """The capture of cameras whose poses are given in scene coordinates.

    Args:
        lens: a camera with the intrinsics of home.
        motion: from the capture's coordinates to the scene's, as `Capture.motion`.
        scale: as `Capture.scale`.
        forward_facing: home is the mean camera. Otherwise the mean position may lie inside the object: home is then the
            camera of median height, and its path looks at the point nearest to all viewing axes.
    """
    if forward_facing:
        middle = poses[:, :, 3].mean(0)
        up, back = (unit(poses[:, :, axis].mean(0)) for axis in (1, 2))
        right = unit(np.cross(up, back))
        home = np.stack([right, np.cross(back, right), back, middle], axis=1)
        radii = np.abs((poses[:, :, 3] - middle) @ home[:, :3]).max(0)
        return Capture(motion, scale, replace(lens, pose=home), radii, focus=4.0)  # the nearest scene point is at 4/3
    heights = poses[:, :, 3] @ poses[:, :, 1].mean(0)
    home = poses[np.argsort(heights)[len(heights) // 2]]
    ahead = float((home[:, 3] - meeting_point(poses)) @ home[:, 2])
    focus = ahead if ahead > 1e-2 else 1.0  # in a scene box of about [-1, 1]^3
    reach = np.abs((poses[:, :, 3] - home[:, 3]) @ home[:, :3]).max(0)
    return Capture(motion, scale, replace(lens, pose=home), np.minimum(reach, focus * LARGEST_RADII), focus)


def look_at(position: np.ndarray, target: np.ndarray, up: np.ndarray) -> Pose:
    """The pose of a camera at `position` that looks at `target`, with `up` upwards in its image."""
    z = unit(position - target)
    x = unit(np.cross(up, z))
    return np.stack([x, np.cross(z, x), z, position], axis=1)
