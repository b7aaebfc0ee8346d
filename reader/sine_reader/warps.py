"""Warps of a scene into the cube [-1, 1]^3 that its networks see: NDC, a bounding box, or a contraction of all space.

`path` gives the points (rays, n, 3) of rays in the cube at u (rays, n), from 0 where a ray's sampled part begins to 1
where it ends.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Path = Callable[[np.ndarray], np.ndarray]
FARTHEST = 0.999
"""u of a contraction's last sample: a thousand radii away."""
FAR_FACE = 1 - 1e-4
"""Keeps infinity at a finite distance in the scene."""


@dataclass(frozen=True)
class NDC:
    """The frustum of a forward-facing camera, linear in disparity; cameras look along -z."""

    tan: np.ndarray
    """(2): half the picture's width and height at distance 1."""
    near: float

    def to_cube(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) of the scene, with z < 0, in the cube."""
        z = np.minimum(points[:, 2:], -1e-6)
        return np.concatenate([-points[:, :2] / (self.tan * z), 1 + 2 * self.near / z], axis=1)

    def to_scene(self, cube: np.ndarray) -> np.ndarray:
        """The inverse; the cube's far face stays at a finite distance."""
        z = 2 * self.near / (np.minimum(cube[:, 2:], FAR_FACE) - 1)
        return np.concatenate([-cube[:, :2] * self.tan * z, z], axis=1)

    def path(self, o: np.ndarray, d: np.ndarray) -> Path:
        d = np.concatenate([d[:, :2], np.minimum(d[:, 2:], -1e-3)], axis=1)
        o = o - (self.near + o[:, 2:]) / d[:, 2:] * d
        start = np.concatenate([-o[:, :2] / (self.tan * o[:, 2:]), 1 + 2 * self.near / o[:, 2:]], axis=1)
        slope = d / d[:, 2:] - o / o[:, 2:]
        return _straight(start, np.concatenate([-slope[:, :2] / self.tan, 1 - start[:, 2:]], axis=1))


@dataclass(frozen=True)
class Box:
    """A bounding box, scaled uniformly so that its longest side fits the cube's."""

    centre: np.ndarray
    half: np.ndarray
    """(3): half its sides."""
    near: float

    def to_cube(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) of the scene in the cube."""
        return (points - self.centre) / self.half.max()

    def to_scene(self, cube: np.ndarray) -> np.ndarray:
        """The inverse."""
        return cube * self.half.max() + self.centre

    def path(self, o: np.ndarray, d: np.ndarray) -> Path:
        start, limit = self.to_cube(o), self.half / self.half.max()
        safe = np.where(abs(d) < 1e-9, 1e-9, d)
        ends = np.sort([(-limit - start) / safe, (limit - start) / safe], axis=0)
        enter = np.maximum(ends[0].max(1, keepdims=True), self.near / self.half.max())
        leave = np.maximum(enter, ends[1].min(1, keepdims=True))
        return _straight(start + enter * d, (leave - enter) * d)


@dataclass(frozen=True)
class Contraction:
    """All space: the cube of half side `radius` around the centre fills the inner half, undistorted."""

    centre: np.ndarray
    radius: float
    near: float

    def to_cube(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 3) of the scene in the cube."""
        y = (points - self.centre) / self.radius
        m = np.maximum(1, abs(y).max(-1, keepdims=True))
        return y * (2 - 1 / m) / (2 * m)

    def to_scene(self, cube: np.ndarray) -> np.ndarray:
        """The inverse; the cube's faces stay at a finite distance."""
        n = np.clip(abs(cube).max(-1, keepdims=True), 0.5, FAR_FACE)
        return self.centre + self.radius * cube / (n * (2 - 2 * n))

    def path(self, o: np.ndarray, d: np.ndarray) -> Path:
        def points(u: np.ndarray) -> np.ndarray:
            v = np.minimum(u, FARTHEST)
            distances = self.near + self.radius * v / (1 - v)
            return self.to_cube(o[:, None] + distances[..., None] * d[:, None])

        return points


Warp = NDC | Box | Contraction


def _straight(start: np.ndarray, step: np.ndarray) -> Path:
    return lambda u: start[:, None] + u[..., None] * step[:, None]
