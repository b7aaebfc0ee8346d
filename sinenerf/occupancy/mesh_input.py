"""Reading a mesh, possibly a broken one, and preparing it for the labelling of points."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.files import check_file
from sinenerf.common.mesh_files import unit_for
from sinenerf.occupancy.mesh_formats import MeshFileError, load_meshes, meshes_of
from sinenerf.occupancy.repair import Repaired, repair

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class MeshReport:
    """Properties of a mesh that was read."""

    vertices: int
    faces: int
    geometries: int
    """Meshes in the file, which are merged."""
    watertight: bool
    """Every edge has two faces, and they have the same orientation."""
    boundary_edges: int
    """Edges of a single face, at the rims of holes."""
    non_manifold_edges: int
    """Edges of more than two faces, where surfaces meet or a face is duplicated."""
    flipped_faces: int
    """Faces whose orientation was reversed."""
    dropped_faces: int = 0
    """Copies of other faces, and pairs of opposite faces such as the walls between voxels."""

    def __str__(self) -> str:
        merged = f" in {self.geometries} geometries, merged" if self.geometries > 1 else ""
        crowded = f", {self.non_manifold_edges:,} non-manifold edges" if self.non_manifold_edges else ""
        closed = "watertight" if self.watertight else f"not watertight, {self.boundary_edges:,} boundary edges{crowded}"
        flipped = f", {self.flipped_faces:,} faces flipped" if self.flipped_faces else ""
        dropped = f", {self.dropped_faces:,} duplicate faces dropped" if self.dropped_faces else ""
        return f"{self.vertices:,} vertices, {self.faces:,} faces{merged}; {closed}{flipped}{dropped}"


def read_mesh(path: str | Path, sheet: bool = False) -> tuple["trimesh.Trimesh", MeshReport]:
    """Read a mesh file and prepare its contents as `prepare_mesh` does.

    Raises:
        FileNotFoundError: the file does not exist.
        IsADirectoryError: it is a folder.
        ValueError: the file cannot be read as a mesh, or `prepare_mesh` refuses the mesh.
    """
    path = Path(path)
    check_file(path, "Give a file in it")
    try:
        meshes = load_meshes(path)
    except MeshFileError as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # the readers of a dozen formats raise exceptions of any type
        words = str(error).splitlines()[0] if str(error) else ""
        reason = words if " " in words else f"{type(error).__name__} {words}".strip()
        raise ValueError(
            f"{path}: cannot be read as a mesh ({reason}). Give a PLY, OBJ, STL, GLB or OFF file"
        ) from None
    return _prepare(meshes, str(path), sheet)


def prepare_mesh(
    shape: "trimesh.Trimesh | trimesh.Scene", name: str = "the mesh", sheet: bool = False
) -> tuple["trimesh.Trimesh", MeshReport]:
    """Check a mesh and prepare it for the labelling of points: merge geometries and equal vertices, drop degenerate
    and duplicate faces, and orient the others where it helps (`repair.repair`).

    Args:
        sheet: the mesh may be flat, and the orientation of its faces does not matter: for a `shell.Shell` around it.

    Raises:
        TypeError: `shape` is neither a mesh nor a scene.
        ValueError: the mesh has no faces, a face with a missing vertex, a vertex that is not finite, or no extent.
    """
    import trimesh

    if not isinstance(shape, trimesh.Trimesh | trimesh.Scene):
        raise TypeError(f"{name}: is a {type(shape).__name__}. Give a trimesh.Trimesh, a trimesh.Scene or a path")
    return _prepare(meshes_of(shape) if isinstance(shape, trimesh.Scene) else [shape], name, sheet)


def _prepare(meshes: list["trimesh.Trimesh"], name: str, sheet: bool) -> tuple["trimesh.Trimesh", MeshReport]:
    """Merge meshes into one, checked and prepared."""
    import trimesh

    meshes = [mesh for mesh in meshes if len(mesh.faces)]
    if not meshes:
        raise ValueError(f"{name}: has no faces, only points or nothing. Give a triangle mesh")
    for mesh in meshes:
        _check(mesh, name)  # before merging, after which a wrong index could name a vertex of another part
    mesh = trimesh.util.concatenate(meshes)
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    faces = np.asarray(mesh.faces, dtype=np.int64)
    unit = unit_for(np.ptp(vertices[faces.ravel()], axis=0).max())
    mesh = trimesh.Trimesh(vertices / unit, faces, process=False)
    mesh.remove_unreferenced_vertices()  # which may be NaN
    mesh.merge_vertices()
    mesh.update_faces(mesh.nondegenerate_faces(height=None))
    mesh.remove_unreferenced_vertices()
    if not len(mesh.faces) or (not sheet and mesh.extents.min() <= 1e-9 * mesh.extents.max()):
        raise ValueError(
            f"{name}: is flat or a point, so it encloses no volume. Give a mesh of a solid, or fit a shell around a "
            "sheet: --thickness"
        )
    faces = np.array(mesh.faces)
    near = mesh.vertices - mesh.bounds.mean(0)  # libigl's fast winding number computes in float32
    repaired = Repaired(faces, 0, 0) if sheet else repair(np.ascontiguousarray(near), faces)
    mesh = trimesh.Trimesh(mesh.vertices * unit, repaired.faces, process=False)
    mesh.remove_unreferenced_vertices()
    _, uses = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    report = MeshReport(
        len(mesh.vertices),
        len(mesh.faces),
        len(meshes),
        bool(mesh.is_watertight and mesh.is_winding_consistent),
        int((uses == 1).sum()),
        int((uses > 2).sum()),
        repaired.flipped,
        repaired.dropped,
    )
    return mesh, report


def _check(mesh: "trimesh.Trimesh", name: str) -> None:
    """Raise ValueError unless all faces of a mesh refer to existing vertices, and these are finite."""
    missing = (mesh.faces < 0) | (mesh.faces >= len(mesh.vertices))
    unused = np.ones(len(mesh.vertices), dtype=bool)
    unused[mesh.faces[~missing]] = False
    for fault, bad in (
        ("vertex {} is NaN or infinite", ~np.isfinite(mesh.vertices).all(1) & ~unused),
        ("face {} refers to a missing vertex", missing.any(1)),
    ):
        if bad.any():
            raise ValueError(f"{name}: {fault.format(bad.argmax())} ({bad.sum()} in all). Repair the mesh first")
