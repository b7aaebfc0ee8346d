"""Orientation of the faces of a mesh, possibly a broken one: consistent within each patch, and outward."""

import numpy as np
from jaxtyping import Bool, Float, Int

SIGHT_LINES = 2**16
"""Lines along which a shape with open patches is viewed from all directions; they take half a second on one core."""


def orient(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Int[np.ndarray, "f 3"], Int[np.ndarray, " f"], Bool[np.ndarray, " patches"]]:
    """Orient faces consistently with their neighbours and outward. Returns the faces, the patch of each, and which of
    the patches are closed: every edge has an even number of faces.

    This is a proposal: `repair` keeps it for the patches where it helps.

    Each connected patch takes the orientation of most of its faces. A closed patch that points inward is flipped,
    unless it lies inside another one: it is then the wall of a cavity, which points inward correctly. An open patch is
    flipped if most lines of sight from outside the shape meet its back; a sheet that is seen equally from both sides is
    left as it is. Patches inside a flipped one are flipped with it, since a hollow body is inside out as a whole.
    """
    import igl

    oriented, patch = igl.bfs_orient(faces)
    # libigl returns long long, which numpy treats as a separate type
    oriented, patch = oriented.astype(np.int64), patch.astype(np.int64)
    count = int(patch.max()) + 1
    minority = np.bincount(patch, ~same_orientation(oriented, faces), count) > 0.5 * np.bincount(patch, minlength=count)
    oriented = np.where(minority[patch][:, None], oriented[:, ::-1], oriented)
    closed = _closed(oriented, patch, count)
    inward = closed & (_volumes(vertices, oriented, patch, count) < 0)
    if not closed.all():
        inward |= ~closed & _seen_from_behind(vertices, oriented, patch, count)
    if inward.any():
        # a closed patch inside another one that points outward is a cavity's wall
        others = oriented[~inward[patch]]
        first = vertices[oriented[np.unique(patch, return_index=True)[1], 0]]
        if len(others):
            inward &= ~closed | (igl.fast_winding_number(vertices, others, first) < 0.5)
    if inward.any():
        enclosed = igl.fast_winding_number(vertices, oriented[inward[patch]], vertices) < -0.5
        inward |= np.bincount(patch, ~enclosed[oriented].all(1), count) == 0
        oriented = np.where(inward[patch][:, None], oriented[:, ::-1], oriented)
    return oriented, patch, closed


def same_orientation(faces: Int[np.ndarray, "f 3"], others: Int[np.ndarray, "f 3"]) -> Bool[np.ndarray, " f"]:
    """Whether two faces of the same corners have the same orientation, whichever corner they start from."""
    return np.any([(np.roll(faces, shift, 1) == others).all(1) for shift in range(3)], axis=0)


def _closed(faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(count,) whether every edge of a patch has an even number of faces."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, index, uses = np.unique(edges, axis=0, return_index=True, return_counts=True)
    return np.bincount(patch[index // 3], uses % 2, count) == 0


def _volumes(vertices: np.ndarray, faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(count,) signed volume of each patch (the divergence theorem)."""
    a, b, c = np.moveaxis(vertices[faces] - vertices.mean(0), 1, 0)
    return np.bincount(patch, (a * np.cross(b, c)).sum(1) / 6, count)


def _seen_from_behind(vertices: np.ndarray, faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(count,) whether most lines from outside the shape that meet this patch first meet its back."""
    import igl

    low, high = vertices[faces.ravel()].min(0), vertices[faces.ravel()].max(0)
    # chords between uniform points of a sphere are uniform lines: no view is preferred
    ends = np.random.default_rng(0).standard_normal((2, SIGHT_LINES, 3))
    ends *= np.linalg.norm(high - low) / 2 / np.linalg.norm(ends, axis=2, keepdims=True)
    start, along = (low + high) / 2 + ends[0], ends[1] - ends[0]
    tree = igl.AABB()
    tree.init(vertices, faces)
    met = tree.intersect_ray_first(vertices, faces, start, along)[0]
    along, met = along[met >= 0], met[met >= 0]
    a, b, c = np.moveaxis(vertices[faces[met]], 1, 0)
    back = (np.cross(b - a, c - a) * along).sum(1) > 0
    behind, before = (np.bincount(patch[met], side, count) for side in (back, ~back))
    return behind > 1.5 * before + 10  # a bowl's outside is seen twice as often as its inside; 10 exceeds chance
