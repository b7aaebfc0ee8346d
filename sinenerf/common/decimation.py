"""Meshes of fewer faces: quadric decimation (Garland and Heckbert 1997)."""

from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.mesh_files import unit_for

if TYPE_CHECKING:
    import trimesh

FEWEST = 4
"""Faces of a tetrahedron."""
LENGTH = 1024.0
"""Longest side, within a factor of two, at which meshes are decimated: fast_simplification compares squared distances
with absolute thresholds, which are too coarse for much smaller meshes and end before the budget in much larger ones."""


def check_faces(faces: int | None) -> None:
    """Raise ValueError unless a budget of faces is None or enough for a closed mesh."""
    if faces is not None and faces < FEWEST:
        raise ValueError(f"--faces {faces}: a closed mesh has at least {FEWEST}")


def decimated(mesh: "trimesh.Trimesh", faces: int) -> "trimesh.Trimesh":
    """A mesh of at most `faces` faces where so many edges can collapse, each vertex in the colour of the nearest one of
    the original.

    The original is returned where it has no more. Edges collapse where the planes of the faces around them are left
    least.

    Raises:
        ValueError: `faces` is below 4.
    """
    import fast_simplification
    import trimesh
    from scipy.spatial import cKDTree

    check_faces(faces)
    if len(mesh.faces) <= faces:
        return mesh
    # in coordinates of the mesh's own: float32 would be too coarse far from the origin
    middle = mesh.bounds.mean(0)
    scale = LENGTH / unit_for(float(mesh.extents.max()))
    near = ((mesh.vertices - middle) * scale).astype(np.float32)
    vertices, kept = fast_simplification.simplify(near, mesh.faces.astype(np.int32), target_count=faces)
    fewer = trimesh.Trimesh(vertices.astype(np.float64) / scale + middle, kept, process=False)
    if mesh.visual.kind == "vertex":
        _, nearest = cKDTree(near).query(vertices)
        fewer.visual.vertex_colors = mesh.visual.vertex_colors[nearest]
    return fewer
