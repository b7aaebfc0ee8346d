"""Lens distortion as nerfstudio applies it: the direction of each pixel, found by Newton's method, and the pixel of
each direction."""

from dataclasses import KW_ONLY, dataclass

import numpy as np
from jaxtyping import Float

ITERATIONS = 10
SMALLEST_DETERMINANT = 1e-3
"""Where the Jacobian's determinant is smaller, a step is left out: the distortion cannot be inverted there."""


@dataclass(frozen=True)
class LensDistortion:
    """OpenCV's radial and tangential distortion of a pinhole, or of a fisheye, whose radius is the angle."""

    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    _: KW_ONLY
    fisheye: bool = False

    def directions(self, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Directions in the camera's OpenGL axes, of any length.

        Args:
            x, y: (u - cx) / fx and (v - cy) / fy of pixels (u, v), so y points downwards.
        """
        x, y = self._undistorted(x, y)
        if not self.fisheye:
            return np.stack([x, -y, -np.ones_like(x)], -1)
        angle = np.clip(np.hypot(x, y), 0.0, np.pi)
        factor = np.sinc(angle / np.pi)  # sin(angle) / angle
        return np.stack([x * factor, -y * factor, -np.cos(angle)], -1)

    def pixels(self, directions: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """The inverse of `directions`: x and y. They are right for directions within the camera's view alone: what lies
        far outside, or behind a pinhole, may be mapped into the picture."""
        x, y, z = directions.T
        if self.fisheye:
            across = np.hypot(x, y)
            stretch = np.arctan2(across, -z) / np.maximum(across, 1e-12)
        else:
            with np.errstate(divide="ignore"):
                stretch = -1 / z
        return self._distorted(x * stretch, -y * stretch)

    def _distorted(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r = x * x + y * y
        d = 1 + r * (self.k1 + r * (self.k2 + r * (self.k3 + r * self.k4)))
        p1, p2 = self.p1, self.p2
        return d * x + 2 * p1 * x * y + p2 * (r + 2 * x * x), d * y + 2 * p2 * x * y + p1 * (r + 2 * y * y)

    def _undistorted(self, wanted_x: np.ndarray, wanted_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The x and y whose distorted coordinates are the given ones."""
        k1, k2, k3, k4, p1, p2 = self.k1, self.k2, self.k3, self.k4, self.p1, self.p2
        x, y = wanted_x, wanted_y
        if not any((k1, k2, k3, k4, p1, p2)):
            return x, y
        for _ in range(ITERATIONS):
            r = x * x + y * y
            d = 1 + r * (k1 + r * (k2 + r * (k3 + r * k4)))
            slope = 2 * (k1 + r * (2 * k2 + r * (3 * k3 + r * 4 * k4)))  # of d by r, times 2
            distorted_x, distorted_y = self._distorted(x, y)
            off_x, off_y = distorted_x - wanted_x, distorted_y - wanted_y
            xx = d + slope * x * x + 2 * p1 * y + 6 * p2 * x
            xy = slope * x * y + 2 * p1 * x + 2 * p2 * y
            yy = d + slope * y * y + 2 * p2 * x + 6 * p1 * y
            determinant = xx * yy - xy * xy
            with np.errstate(divide="ignore", invalid="ignore"):
                step_x, step_y = (yy * off_x - xy * off_y) / determinant, (xx * off_y - xy * off_x) / determinant
            known = np.abs(determinant) > SMALLEST_DETERMINANT
            x, y = x - np.where(known, step_x, 0.0), y - np.where(known, step_y, 0.0)
        return x, y


UNDISTORTED = LensDistortion()
"""That of a pinhole."""
