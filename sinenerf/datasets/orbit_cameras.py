"""A phone that is carried around the room's table: its poses, its lens and its changing exposure."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from sinenerf.common.checks import check_seed
from sinenerf.datasets.ray_tracer import to_srgb
from sinenerf.datasets.room import CENTRE

FOCAL = 0.75
"""Focal length as a multiple of the longer side: 27 mm on a full-frame camera, as most phones' main lens."""
DISTORTION = (-0.09, 0.02)
"""k1 and k2 of OpenCV: a point at the normalised radius r is seen at r (1 + k1 r^2 + k2 r^4)."""
RADIUS, HEIGHTS = 4.2, (0.9, 2.5)
"""Distance of the cameras from the vertical axis, and the heights of the lowest and the highest."""
STOPS = 0.5
"""Exposures lie within so many stops (factors of two) of the mean."""


@dataclass(frozen=True)
class OrbitSettings:
    """Photographs around the table. The same settings give the same photographs."""

    views: int = 40
    """Number of photographs."""
    width: int = 270
    """Of a photograph, in pixels."""
    height: int = 480
    """Of a photograph, in pixels."""
    seed: int = 0
    """Of camera positions, exposures and noise."""
    samples: int = 2
    """Rays per pixel in each direction."""
    turn: float = 360.0
    """Angle around the table that the cameras cover, in degrees."""

    def __post_init__(self) -> None:
        if self.views < 2 or min(self.width, self.height) < 16 or self.samples < 1:
            size = f"{self.width}x{self.height}"
            raise ValueError(f"{self.views} views of {size} pixels: give at least 2 views of at least 16x16 pixels")
        check_seed(self.seed)

    @property
    def focal(self) -> float:
        """Focal length in pixels; the principal point is the middle of the photograph."""
        return FOCAL * max(self.width, self.height)


def orbit_poses(settings: OrbitSettings) -> Float[np.ndarray, "views 3 4"]:
    """Camera-to-world poses in the room's axes, of OpenGL cameras: alternately high and low, hand-held."""
    views, random = settings.views, np.random.default_rng(settings.seed)
    angle = np.radians(settings.turn) * (np.arange(views) + random.uniform(-0.2, 0.2, views)) / views
    low, high = HEIGHTS
    height = (low + high) / 2 + (high - low) / 2 * np.where(np.arange(views) % 2, 1, -1) * random.uniform(0.4, 1, views)
    radius = RADIUS * random.uniform(0.92, 1.06, views)
    position = np.stack([radius * np.sin(angle), height, radius * np.cos(angle)], axis=1)
    back = _unit(position - np.array(CENTRE) + random.uniform(-0.15, 0.15, (views, 3)))
    level = _unit(np.cross([0.0, 1.0, 0.0], back))
    roll = np.radians(random.uniform(-4, 4, views))[:, None]
    right = np.cos(roll) * level + np.sin(roll) * np.cross(back, level)
    return np.stack([right, np.cross(back, right), back, position], axis=2)


def gains(settings: OrbitSettings) -> Float[np.ndarray, "views 3"]:
    """Factors on the linear light of each photograph: its exposure times its white balance."""
    random = np.random.default_rng(settings.seed + 1)
    exposure = 2.0 ** random.uniform(-STOPS, STOPS, (settings.views, 1))
    return exposure * random.uniform(0.95, 1.05, (settings.views, 3))


def lens_rays(settings: OrbitSettings, offset: tuple[float, float] = (0.5, 0.5)) -> Float[np.ndarray, "3 pixels"]:
    """Directions in camera axes through a point of every pixel, row by row, of length 1 along the viewing axis.

    Args:
        offset: the point within each pixel, (x, y) from 0 to 1.
    """
    width, height = settings.width, settings.height
    x, y = np.meshgrid(np.arange(width) + offset[0] - width / 2, np.arange(height) + offset[1] - height / 2)
    seen = np.stack([x.ravel(), y.ravel()]) / settings.focal
    straight = seen
    for _ in range(20):  # r (1 + k1 r^2 + k2 r^4) is inverted by fixed-point iteration
        square = (straight**2).sum(0)
        straight = seen / (1 + DISTORTION[0] * square + DISTORTION[1] * square**2)
    return np.stack([straight[0], -straight[1], -np.ones(straight.shape[1])])


def develop(
    light: Float[np.ndarray, "height width 3"], gain: Float[np.ndarray, " 3"], seed: int
) -> UInt8[np.ndarray, "height width 3"]:
    """The photograph of linear light: multiplied by its gains, clipped, in sRGB, with the sensor's noise."""
    encoded = to_srgb(np.clip(light * gain, 0, 1))
    noisy = 255 * encoded + np.random.default_rng(seed).normal(0, 1, encoded.shape)
    return np.round(np.clip(noisy, 0, 255)).astype(np.uint8)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
