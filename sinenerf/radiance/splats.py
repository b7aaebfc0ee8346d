"""Gaussian splats (Kerbl et al. 2023) of a scene: flat discs on its surface, sampled and not trained."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sinenerf.radiance.surface_points import SurfacePoints

SH0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""
NEIGHBOURS = 3
"""Of each splat, whose mean distance gives its size, as in the initialisation of Kerbl et al."""
RELATIVE_SIZE, FLATNESS = 0.4, 0.2
"""Standard deviation of a disc as a multiple of the distance of its neighbours, and of its thickness."""
OPACITY = 0.99


@dataclass(frozen=True)
class Splats:
    """Gaussians, as the files store them but in plain units."""

    positions: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    colours: Float[np.ndarray, "n 3"]
    """From 0 to 1."""
    scales: Float[np.ndarray, "n 3"]
    """Standard deviations along the axes of each."""
    rotations: Float[np.ndarray, "n 4"]
    """Unit quaternions w, x, y, z, w > 0.7: the third axis is turned to the normal on the shortest way."""
    opacities: Float[np.ndarray, " n"]


def splats_of(points: SurfacePoints) -> Splats:
    """A flat disc at each point, across its normal, as wide as its neighbours are far away."""
    from scipy.spatial import KDTree

    neighbours = min(NEIGHBOURS, len(points.positions) - 1)
    distances = KDTree(points.positions).query(points.positions, neighbours + 1)[0].reshape(len(points.positions), -1)
    spacing = np.sqrt((distances[:, 1:] ** 2).mean(1)) if neighbours else np.ones(1)
    scales = RELATIVE_SIZE * np.maximum(spacing, 1e-9)[:, None] * [1, 1, FLATNESS]
    x, y, z = (points.normals * np.where(points.normals[:, 2:] < 0, -1, 1)).T  # a disc has no front
    rotations = np.stack([1 + z, -y, x, np.zeros_like(z)], axis=1)
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    opacities = np.full(len(scales), OPACITY)
    return Splats(points.positions, points.normals, points.colours, scales, rotations, opacities)
