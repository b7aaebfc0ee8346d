"""How far found cameras are from known ones, after the similarity that aligns them best (Umeyama 1991)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class PoseErrors:
    """Errors of cameras. A scene's own frame and scale do not count."""

    views: int
    """Number of cameras compared."""
    rotation: float
    """Mean angle between orientations, in degrees."""
    position: float
    """Mean distance between positions, as a share of the known positions' root mean square distance from their mean."""
    largest_rotation: float
    """Largest angle, in degrees."""
    largest_position: float
    """Largest distance, as a share of the same."""


def compare_poses(found: Float[np.ndarray, "views 3 4"], known: Float[np.ndarray, "views 3 4"]) -> PoseErrors:
    """Compare camera-to-world poses of the same photographs in the same order.

    Raises:
        ValueError: fewer than 3 poses, which fix no similarity.
    """
    if len(found) < 3 or len(found) != len(known):
        raise ValueError(f"{len(found)} and {len(known)} poses: give the same 3 or more photographs twice")
    turn, scale, shift = align(found[:, :, 3], known[:, :, 3])
    moved = scale * found[:, :, 3] @ turn.T + shift
    spread = np.sqrt((np.var(known[:, :, 3], axis=0)).sum())
    distance = np.linalg.norm(moved - known[:, :, 3], axis=1) / spread
    between = np.einsum("ij,njk,nlk->nil", turn, found[:, :, :3], known[:, :, :3])
    angle = np.degrees(np.arccos(np.clip((np.trace(between, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    return PoseErrors(len(found), angle.mean(), distance.mean(), angle.max(), distance.max())


def align(
    points: Float[np.ndarray, "n 3"], targets: Float[np.ndarray, "n 3"]
) -> tuple[Float[np.ndarray, "3 3"], float, Float[np.ndarray, " 3"]]:
    """Rotation R, scale s and shift t for which s R p + t is nearest to the targets, by least squares."""
    from_mean, targets_from_mean = points - points.mean(0), targets - targets.mean(0)
    u, strengths, v = np.linalg.svd(targets_from_mean.T @ from_mean)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    turn = (u * signs) @ v
    scale = float((strengths * signs).sum() / (from_mean**2).sum())
    return turn, scale, targets.mean(0) - scale * turn @ points.mean(0)
