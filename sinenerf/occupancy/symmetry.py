"""The search for a plane in which a solid is nearly its own mirror image.

What differs between the two sides is lost in a folded field (`mirror`), so a solid is folded only if that is far less
than the error that a field of the file's size has anyway. Where this is not clear, a trial decides (`mirror_trial`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool

from sinenerf.common.settings import MirrorChoice
from sinenerf.occupancy.mirror import Mirror, Points, Vector, reflect
from sinenerf.occupancy.solid import Solid

TOLERATED, TOLERATED_EXPONENT = 0.0025, -0.7
"""Asymmetry up to which any solid is folded at 1,000 bytes, and how it changes with the size: a twentieth of the error,
1 - IoU, of the dragon's fields, and a fifth of that of simpler shapes. Half of it would be lost."""
DOUBTFUL = 16
"""Multiple of it beyond which no solid is folded."""
DIRECTIONS = 150
"""Normals over the half sphere from which the search starts, besides the axes and the principal axes."""
SURFACE_POINTS, COARSE_POINTS = 20_000, 1000
"""Points of the surface among which neighbours are sought, and those whose images are compared at first."""
REFINED, TURNS = 4, 20
"""Candidates that are refined, and the turns of each."""
TRIMMED = 0.8
"""Fraction of the points, those with the nearest neighbours, that a plane is fitted to."""
VOLUME_POINTS = 100_000
"""Points of the bounding box at which a solid is compared with its image."""


def find_mirror(solid: Solid, seed: int = 0) -> tuple[Mirror, float]:
    """The plane in which a solid is nearest to its own image, and its asymmetry there.

    Returns:
        the plane, and the volume that either of solid and image fills alone, as a fraction of what they fill together:
        0 for a symmetric solid.
    """
    import trimesh
    from scipy.spatial import cKDTree

    random = np.random.default_rng(seed)
    surface = np.asarray(trimesh.sample.sample_surface(solid.mesh, SURFACE_POINTS, seed=random)[0])
    tree, few = cKDTree(surface), surface[:COARSE_POINTS]
    centre = surface.mean(axis=0)
    planes = [(normal, float(normal @ centre)) for normal in _candidates(surface - centre)]
    costs = [_cost(tree, few[::4], plane) for plane in planes]
    refined = [_refined(lambda p: tree.data[tree.query(p)[1]], few, planes[i]) for i in np.argsort(costs)[:REFINED]]
    best = _refined(solid.nearest, few, min(refined, key=lambda plane: _cost(tree, few, plane)))
    axis = np.eye(3)[np.abs(best[0]).argmax()]
    offset = best[1] * float(axis @ best[0])  # the sign of the normal may differ
    mirrors = [Mirror.of(*best), Mirror.of(axis, offset), Mirror.of(axis, 0.0)]  # many are made symmetric to an axis
    low, high = solid.mesh.bounds
    points = random.uniform(low, high, (VOLUME_POINTS, 3))
    own = solid.contains(points)
    return min(((mirror, _asymmetry(solid, mirror, points, own)) for mirror in mirrors), key=lambda found: found[1])


def _asymmetry(solid: Solid, mirror: Mirror, points: Points, own: Bool[np.ndarray, " n"]) -> float:
    """The volume that either of a solid and its mirror image fills alone, as a fraction of what they fill together,
    from points uniform in the bounding box, and whether each is inside."""
    image = solid.contains(mirror.reflect(points))
    return float((own != image).sum() / max(1, (own | image).sum()))


def _candidates(centred: Points) -> list[Vector]:
    """Normals to try: the axes, the principal axes, and directions spread over the half sphere."""
    principal = np.linalg.eigh(centred.T @ centred)[1].T
    i = np.arange(DIRECTIONS) + 0.5
    height, angle = i / DIRECTIONS, np.pi * (1 + 5**0.5) * i  # a Fibonacci lattice
    radius = np.sqrt(1 - height**2)
    spread = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    return [*np.eye(3), *principal, *spread]


def _cost(tree: Any, points: Points, plane: tuple[Vector, float]) -> float:
    """Mean distance of the images from the surface, without the farthest fifth."""
    distances = np.sort(tree.query(reflect(points, *plane))[0])
    return float(distances[: int(TRIMMED * len(distances))].mean())


def _refined(nearest: Callable[[Points], Points], points: Points, plane: tuple[Vector, float]) -> tuple[Vector, float]:
    """Iterated closest points (Besl and McKay 1992), for reflections.

    For points p and the neighbours q of their images, both less their means, the sum of |q - p + 2 n (n p)|^2 is least
    for the eigenvector n of the smallest eigenvalue of the symmetric part of the sum of q p^T; the plane then halves
    the way between the means.
    """
    for _ in range(TURNS):
        images = reflect(points, *plane)
        neighbours = nearest(images)
        distances = np.linalg.norm(neighbours - images, axis=1)
        kept = distances <= np.quantile(distances, TRIMMED)
        p, q = points[kept], neighbours[kept]
        products = (q - q.mean(axis=0)).T @ (p - p.mean(axis=0))
        normal = np.linalg.eigh(products + products.T)[1][:, 0]
        plane = normal, float(normal @ (p.mean(axis=0) + q.mean(axis=0)) / 2)
    return plane


def chosen_mirror(
    solid: Solid, choice: MirrorChoice, size: int, pays: Callable[[Mirror], bool]
) -> tuple[Mirror, float] | None:
    """The plane in which a field of `size` bytes is folded, with the solid's asymmetry; None if it is not folded.

    Args:
        pays: decides where the asymmetry alone does not.
    """
    if choice == "never":
        return None
    mirror, difference = find_mirror(solid)
    tolerated = TOLERATED * (size / 1000) ** TOLERATED_EXPONENT
    folded = choice == "always" or difference <= tolerated or (difference <= DOUBTFUL * tolerated and pays(mirror))
    return (mirror, difference) if folded else None
