"""Repairs of the faces of a mesh, each kept only where it makes the labels of points less ambiguous.

A face counts as often as it occurs, and negatively where it is reversed; a repair proposes other counts. Winding
numbers at points on both sides of the changed faces tell whether it helps: those of a solid are whole and not negative
(Jacobson et al. 2013, section 4). A mesh that is right as it is therefore stays as it is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sinenerf.occupancy.orientation import orient, same_orientation

SAMPLES, FEWEST, MOST = 2**16, 16, 1024
"""Points at which a repair is judged: in all, and bounds of those of one piece."""
CLOSEST, FARTHEST = 0.003, 0.02
"""Distances of these points from the changed faces, as fractions of the mesh's longest side; at a piece of more than
twice that size the farthest are half its size away."""
GAIN = 0.02
"""Least mean decrease of the distance to whole winding numbers for which a repair is kept: more than the error of the
fast winding number."""
ALONE, VERY_AMBIGUOUS = 8, 0.15
"""Patches that are also tried reversed one by one, the worst first, and their least ambiguity."""
ROUNDS = 12
"""Times that the pieces of a repair that do not help are taken back before all of them are."""


@dataclass(frozen=True)
class Repaired:
    """Faces after all repairs that help."""

    faces: Int[np.ndarray, "f 3"]
    flipped: int
    """Faces whose orientation was reversed."""
    dropped: int
    """Faces that were dropped: copies of others, and pairs of opposite faces, which cancel."""


def repair(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Repaired:
    """Drop copies of faces and pairs of opposite ones, then orient what is left, each where it helps.

    Pairs of opposite faces, such as the inner walls of a voxel model, do not contribute to winding numbers; as parts
    of the surface they would be mistaken for its boundary.
    """
    first, counts, copied = _count_copies(faces)
    once = faces[first]
    if copied.any():
        counts = _one_side_of_double(vertices, once, counts, copied)
    left = counts != 0
    if left.any():
        proposed, patch, closed = orient(vertices, np.where(counts[left, None] < 0, once[left, ::-1], once[left]))
        same = same_orientation(proposed, once[left])
        sign = np.where(same, 1, -1) * abs(counts[left])
        # no point may lie within a thin closed patch to show that it is inside out; the sign of its volume does
        gain = np.where(closed, -GAIN, GAIN)
        oriented = keep_helpful(vertices, once[left], counts[left], sign, patch, gain)
        counts[left] = _reverse_worst(vertices, once[left], oriented, patch)
    if copied.any():
        piece = _pieces(once, copied)
        counts = keep_helpful(vertices, once, counts, np.where(copied, np.sign(counts), counts), piece, -GAIN)
        for count in (0, 1, -1):
            counts = keep_helpful(vertices, once, counts, np.where(copied, count, counts), piece)
    if not counts.any():
        counts = np.ones_like(counts)
    kept = counted(once, counts)
    flipped = int((counts[~copied] < 0).sum())
    return Repaired(kept, flipped, len(faces) - len(kept))


def _count_copies(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(indices, counts, copied) of the faces without their copies, in the order of the mesh: how often each occurs in
    its own orientation more than reversed, and whether it occurs more than once at all."""
    _, first, group, uses = np.unique(
        np.sort(faces, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    a, b, c = faces.T
    sign = np.where(((a > b).astype(int) + (b > c) + (a > c)) % 2, -1, 1)  # the parity of the order of corners
    group = group.reshape(-1)
    counts = np.bincount(group, sign * sign[first][group]).astype(np.int64)
    order = np.argsort(first)
    return first[order], counts[order], uses[order] > 1


def _one_side_of_double(vertices: np.ndarray, once: np.ndarray, counts: np.ndarray, copied: np.ndarray) -> np.ndarray:
    """Counts with one side of every component of which all faces occur in both orientations, if it encloses space."""
    component = _pieces(once, np.ones(len(once), dtype=bool))
    cancels = np.bincount(component, counts != 0) == 0
    double = copied & cancels[component]
    if not double.any():
        return counts
    outward, *_ = orient(vertices, once[double])
    proposed = counts.copy()
    proposed[double] = np.where(same_orientation(outward, once[double]), 1, -1)
    return keep_helpful(vertices, once, counts, proposed, component, -GAIN)


def _reverse_worst(vertices: np.ndarray, faces: np.ndarray, counts: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """Counts with the most ambiguous patches reversed one by one where that helps: walls inside a body, which no line
    of sight meets."""
    points, owner = _points_beside(vertices, faces, np.ones(len(faces), dtype=bool), patch)
    ambiguity = np.bincount(owner, _ambiguity(vertices, counted(faces, counts), points)) / np.bincount(owner)
    for worst in np.argsort(-ambiguity)[:ALONE]:
        if ambiguity[worst] > VERY_AMBIGUOUS:
            counts = keep_helpful(vertices, faces, counts, np.where(patch == worst, -counts, counts), patch)
    return counts


def keep_helpful(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    counts: Int[np.ndarray, " f"],
    proposed: Int[np.ndarray, " f"],
    piece: Int[np.ndarray, " f"],
    gain: float | Float[np.ndarray, " pieces"] = GAIN,
) -> Int[np.ndarray, " f"]:
    """Counts of faces with the proposed ones of those pieces where they bring winding numbers closer to whole numbers.

    Args:
        piece: the piece of each face; the changes of a piece are kept or left together.
        gain: least mean decrease of the distance to the nearest whole number of 0 or more, over points near the
            changed faces of a piece; for all pieces or for each.
    """
    changed = counts != proposed
    if not changed.any():
        return counts
    points, owner = _points_beside(vertices, faces, changed, piece)
    before = _ambiguity(vertices, counted(faces, counts), points)
    tried = np.bincount(piece[changed], minlength=int(piece.max()) + 1) > 0
    per_piece = np.maximum(np.bincount(owner, minlength=len(tried)), 1)
    for _ in range(ROUNDS):
        trial = np.where(tried[piece], proposed, counts)
        after = _ambiguity(vertices, counted(faces, trial), points)
        useless = tried & (np.bincount(owner, before - after, len(tried)) / per_piece < gain)
        if not useless.any():
            return trial
        tried &= ~useless
    return counts


def counted(faces: Int[np.ndarray, "f 3"], counts: Int[np.ndarray, " f"]) -> Int[np.ndarray, "g 3"]:
    """Each face as often as it counts, reversed where the count is negative."""
    return np.repeat(np.where(counts[:, None] < 0, faces[:, ::-1], faces), np.abs(counts).astype(np.int64), axis=0)


def _ambiguity(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n,) distance of the winding number of each point from the nearest whole number of 0 or more."""
    import igl

    if not len(faces):
        return np.zeros(len(points))
    winding = igl.fast_winding_number(vertices, np.ascontiguousarray(faces), points)
    return abs(winding - np.maximum(np.rint(winding), 0))


def _points_beside(
    vertices: np.ndarray, faces: np.ndarray, changed: np.ndarray, piece: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) points on both sides of the changed faces, as many for each piece, and (n,) their pieces."""
    random = np.random.default_rng(0)
    index = np.flatnonzero(changed)
    index = index[np.argsort(piece[index], kind="stable")]
    corners = vertices[faces[index]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1) / 2
    owners, starts = np.unique(piece[index], return_index=True)
    each = int(np.clip(SAMPLES // len(owners), FEWEST, MOST))
    total = np.concatenate([[0.0], np.cumsum(area)])
    begin, end = total[starts], total[np.append(starts[1:], len(index))]
    place = begin[:, None] + random.random((len(owners), each)) * (end - begin)[:, None]
    chosen = np.clip(np.searchsorted(total, place.ravel(), side="right") - 1, 0, len(index) - 1)
    weights = random.dirichlet((1, 1, 1), len(chosen))
    longest = np.ptp(vertices[faces.ravel()], axis=0).max()
    farthest = np.maximum(FARTHEST * longest, np.sqrt(end - begin) / 2).repeat(each)
    distance = CLOSEST * longest * (farthest / (CLOSEST * longest)) ** random.random(len(chosen))
    side = np.where(np.arange(len(chosen)) % 2, distance, -distance) / np.maximum(2 * area[chosen], 1e-300)
    points = np.einsum("nc,ncd->nd", weights, corners[chosen]) + side[:, None] * normals[chosen]
    return np.ascontiguousarray(points), owners.repeat(each)


def _pieces(faces: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(f,) piece of each face: the chosen ones that share edges are one, each of the others is one of its own."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2).reshape(-1, 2)
    _, edge = np.unique(edges, axis=0, return_inverse=True)
    face = np.arange(len(faces)).repeat(3)
    taken = chosen[face]
    face, edge = face[taken], edge.reshape(-1)[taken]
    count = len(faces)
    links = coo_array((np.ones(len(face)), (face, count + edge)), shape=(count + len(edges), count + len(edges)))
    return connected_components(links, directed=False)[1][:count]
