"""The connected pieces of a surface: specks that a small field leaves in the air are left out.

A field of a kilobyte has dozens of specks, far from the solid. They hardly count in a volume, but dominate the distance
between two surfaces. After a fit, the number of largest pieces is sought with which the surface lies nearest to the
mesh; the file keeps it, and whoever extracts the surface leaves out the others that are small.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from sinenerf.occupancy.header import MOST_PIECES
from sinenerf.occupancy.solid import Solid

Vertices = Float[np.ndarray, "v 3"]
Faces = Int[np.ndarray, "f 3"]
SAMPLES = 20_000
"""Points of the mesh for the distance."""
SPECK = 0.1
"""Share of the largest piece's faces below which a piece can be left out: coarse cells and high levels tear thin parts,
and what they tear off is no speck."""
GAIN = 0.02
"""Fraction of the surface's mean distance from the solid that is no reason to keep pieces, or to leave them out."""


def pieces_of(faces: Faces, count: int) -> tuple[Int[np.ndarray, " f"], int]:
    """(piece of each face, number of pieces), the piece with the most faces first; of `count` vertices, those without a
    face are in none."""
    from trimesh.graph import connected_component_labels

    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    labels = connected_component_labels(edges, node_count=count)[faces[:, 0]]
    _, piece, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty_like(sizes)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return rank[piece], len(sizes)


def largest_pieces(
    vertices: Vertices, faces: Faces, count: int
) -> tuple[Float[np.ndarray, "kept 3"], Int[np.ndarray, "of_kept 3"]]:
    """The vertices and faces of the `count` pieces with the most faces."""
    return _kept(vertices, faces, pieces_of(faces, len(vertices))[0] < count)


def without_specks(
    vertices: Vertices, faces: Faces, count: int
) -> tuple[Float[np.ndarray, "kept 3"], Int[np.ndarray, "of_kept 3"]]:
    """The same of a surface that a file asks to have `count` pieces: with all that are no specks, if these are more."""
    piece, _ = pieces_of(faces, len(vertices))
    return _kept(vertices, faces, piece < max(count, _no_specks(piece)))


def _kept(
    vertices: Vertices, faces: Faces, which: Bool[np.ndarray, " f"]
) -> tuple[Float[np.ndarray, "kept 3"], Int[np.ndarray, "of_kept 3"]]:
    """Some of the faces, and their vertices."""
    used, index = np.unique(faces[which], return_inverse=True)
    return vertices[used], index.reshape(-1, 3)


def _no_specks(piece: Int[np.ndarray, " f"]) -> int:
    """The number of pieces that are no specks, from the piece of each face: no reader leaves these out."""
    sizes = np.bincount(piece)
    return int((sizes >= SPECK * sizes[0]).sum())


def best_count(vertices: Vertices, faces: Faces, solid: Solid) -> int:
    """Of how many of its largest pieces a surface in the cube should consist, to be nearest to the solid's; 0 for all.

    For a mesh in one piece that is the fewest that are hardly farther than the nearest, since finer cells may show
    specks that these cells miss: one, unless the surface has lost the connection to a part of the mesh. Any other mesh
    gets all, unless leaving some out brings the surface nearer. Only surfaces that `without_specks` gives are compared.

    The distance is the mean of that from points of the solid's surface to the centres of the pieces' faces and of that
    from these centres to the solid's surface: Chamfer-L1, but for the size of the faces.
    """
    from scipy.spatial import cKDTree

    piece, count = pieces_of(faces, len(vertices))
    is_whole = pieces_of(solid.mesh.faces, len(solid.mesh.vertices))[1] == 1
    if count == 1:
        return int(is_whole)
    centres = vertices[faces].mean(1)
    away = solid.distance(centres)
    points = solid.near_surface(SAMPLES, 0.0, np.random.default_rng(0))

    def distance(kept: int) -> float:
        nearest, _ = cKDTree(centres[piece < kept]).query(points)
        return (nearest.mean() + away[piece < kept].mean()) / 2

    fewest = _no_specks(piece)
    counts = [*range(fewest, min(max(fewest, MOST_PIECES), count) + 1), count]
    distances = {kept: distance(kept) for kept in counts}
    best = min(distances, key=distances.__getitem__)
    near = distances[best] + GAIN * away.mean()
    if is_whole:
        best = min(kept for kept in counts if distances[kept] <= near)
    elif distances[count] <= near:
        return 0
    return 0 if best == count > MOST_PIECES else min(best, MOST_PIECES)
