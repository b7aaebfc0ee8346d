"""Gaussian splats (Kerbl et al. 2023) of a scene: flat discs on its surface, sampled and not trained."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sinenerf.radiance.surface_points import SurfacePoints

SH0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""
RELATIVE_SIZE, FLATNESS = 0.7, 0.3
"""Standard deviation of a disc as a multiple of the spacing of the points, and its thickness as a multiple of that:
smaller discs leave holes, larger ones blur."""
OPACITY = 0.99


@dataclass(frozen=True)
class Splats:
    """Gaussians, in plain units rather than those of the files."""

    positions: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    """Of the surface."""
    colours: Float[np.ndarray, "n 3"]
    """From 0 to 1."""
    scales: Float[np.ndarray, "n 3"]
    """Standard deviations along the axes of each."""
    rotations: Float[np.ndarray, "n 4"]
    """Unit quaternions w, x, y, z with w > 0.7: the third axis on the shortest way to the disc's."""
    opacities: Float[np.ndarray, " n"]


def splats_of(points: SurfacePoints) -> Splats:
    """A flat disc at each point, of the size of the pixel that it comes from, facing that pixel's camera.

    Discs across the field's normals would be right for other views, too, but the normals of a field that was trained
    for minutes are so noisy that they leave holes.
    """
    scales = RELATIVE_SIZE * points.spacing[:, None] * [1, 1, FLATNESS]
    x, y, z = (points.towards * np.where(points.towards[:, 2:] < 0, -1, 1)).T  # a disc has no front
    rotations = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    opacities = np.full(len(scales), OPACITY)
    return Splats(points.positions, points.normals, points.colours, scales, rotations, opacities)
