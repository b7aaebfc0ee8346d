"""Whether a camera was turned on the spot: then no point has a depth, though a wrong focal length can feign one."""

import numpy as np
from jaxtyping import Float

FOCALS = np.geomspace(0.45, 1.6, 36)
"""Focal lengths that are tried, as multiples of the longer side: those of wide angles to short telephotos."""
DISTORTIONS = (-0.2, -0.1, 0.0, 0.1)
"""First terms of the radial distortion that are tried."""
FITS = 0.006
"""A rotation explains a pair if it brings the median point to within this share of the longer side."""
MOVED = 0.05
"""Pairs whose median point moves by less than this share of the longer side say nothing."""
MOST_PAIRS = 30
"""Pairs that are examined."""

Matches = tuple[Float[np.ndarray, "_ 2"], Float[np.ndarray, "_ 2"]]
"""The same points in two photographs, from the middle of each, as shares of the longer side."""


def turned_share(pairs: list[Matches]) -> float:
    """The share of pairs that a rotation about the camera's centre explains, with one lens for all.

    Points (x, y) of a lens with focal length f and distortion k are rays (x', y', f), where (x', y') is (x, y) without
    the distortion. Of two sets of rays the best rotation is found by singular values (Kabsch 1976).
    """
    telling = [(a, b) for a, b in pairs if len(a) >= 8 and np.median(np.linalg.norm(a - b, axis=1)) > MOVED]
    chosen = telling[:: -(-len(telling) // MOST_PAIRS)] if telling else []
    if not chosen:
        return 0.0
    shares = [
        np.mean([_residual(first, second, focal, distortion) < FITS for first, second in chosen])
        for focal in FOCALS
        for distortion in DISTORTIONS
    ]
    return float(max(shares))


def _residual(first: np.ndarray, second: np.ndarray, focal: float, distortion: float) -> float:
    """Median distance in the second photograph between points and those of the first, turned."""
    rays, seen = _rays(first, focal, distortion), _rays(second, focal, distortion)
    u, _, v = np.linalg.svd(rays.T @ seen)
    turn = u @ np.diag([1, 1, np.linalg.det(u @ v)]) @ v
    moved = rays @ turn
    ahead = np.maximum(moved[:, 2:], 1e-3)
    return float(np.median(np.linalg.norm(moved[:, :2] / ahead - seen[:, :2] / seen[:, 2:], axis=1)) * focal)


def _rays(points: np.ndarray, focal: float, distortion: float) -> Float[np.ndarray, "n 3"]:
    """Unit rays of points, by one step of the inverse of r (1 + k r^2)."""
    straight = points / focal
    straight = straight / (1 + distortion * (straight**2).sum(1, keepdims=True))
    rays = np.column_stack([straight, np.ones(len(points))])
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)
