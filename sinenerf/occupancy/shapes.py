"""Reading a mesh, perhaps a broken one, and turning its faces the same way out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import trimesh


@dataclass(frozen=True)
class ShapeReport:
    """What was found when a mesh was read."""

    vertices: int
    faces: int
    geometries: int
    """Meshes in the file; several are merged."""
    watertight: bool
    """Every edge has two faces that agree on which way is out."""
    boundary_edges: int
    """Edges of one face only: the rims of holes."""
    flipped_faces: int
    """Faces that were turned round."""

    def __str__(self) -> str:
        merged = f" in {self.geometries} geometries, merged" if self.geometries > 1 else ""
        closed = "watertight" if self.watertight else f"not watertight, {self.boundary_edges:,} boundary edges"
        flipped = f", {self.flipped_faces:,} faces turned round" if self.flipped_faces else ""
        return f"{self.vertices:,} vertices, {self.faces:,} faces{merged}; {closed}{flipped}"


def read_shape(path: Path) -> tuple["trimesh.Trimesh", ShapeReport]:
    """Read a mesh file, merge its geometries and equal vertices, and orient its faces (`orient`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read as a mesh, or has no faces, or one of vertices that are not there, or a vertex is
            not finite, or it is flat or a point.
    """
    import trimesh

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        scene = trimesh.load_scene(path, process=False)
        parts = [_strips(part) if isinstance(part, trimesh.PointCloud) else part for part in scene.dump()]
    except Exception as error:  # the readers of a dozen formats raise whatever they like
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path}: cannot be read as a mesh ({reason}). Give a PLY, OBJ, STL, GLB or OFF file"
        ) from None
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    if not meshes:
        raise ValueError(f"{path}: has no faces, only points or nothing. Give a triangle mesh")
    for part in meshes:
        _check(part, str(path))  # merged, a wrong number would mean a vertex of another part
    mesh = trimesh.util.concatenate(meshes)
    return prepare_shape(mesh, str(path), len(meshes))


def prepare_shape(
    mesh: "trimesh.Trimesh", name: str = "the mesh", geometries: int = 1
) -> tuple["trimesh.Trimesh", ShapeReport]:
    """Check a mesh and make it ready for labels: equal vertices merged, degenerate faces dropped, faces oriented.

    Raises:
        ValueError: no faces, a face of vertices that are not there, a vertex that is not finite, or no extent.
    """
    import trimesh

    _check(mesh, name)
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    faces = np.asarray(mesh.faces, dtype=np.int64)
    # trimesh's tolerances are 1e-8 of the unit, whatever that is: here of the size. A power of two rounds nothing
    unit = 2.0 ** np.ceil(np.log2(np.ptp(vertices[faces.ravel()], axis=0).max() or 1.0))
    mesh = trimesh.Trimesh(vertices / unit, faces, process=False)
    mesh.merge_vertices()
    mesh.update_faces(mesh.nondegenerate_faces(height=None))
    mesh.remove_unreferenced_vertices()
    if not len(mesh.faces) or mesh.extents.min() <= 1e-9 * mesh.extents.max():
        raise ValueError(f"{name}: is flat or a point, so it encloses no volume. Give a mesh of a solid")
    faces, flipped = orient(np.array(mesh.vertices), np.array(mesh.faces))
    mesh = trimesh.Trimesh(mesh.vertices * unit, faces, process=False)
    _, uses = np.unique(mesh.edges_sorted, axis=0, return_counts=True)
    report = ShapeReport(
        len(mesh.vertices), len(faces), geometries, bool(mesh.is_watertight), int((uses == 1).sum()), flipped
    )
    return mesh, report


def _check(mesh: "trimesh.Trimesh", name: str) -> None:
    """Raise ValueError unless a mesh has faces, all of vertices that are there, and all vertices are finite."""
    if not len(mesh.faces):
        raise ValueError(f"{name}: has no faces. Give a triangle mesh")
    for fault, bad in (
        ("vertex {} is NaN or infinite", ~np.isfinite(mesh.vertices).all(1)),
        ("face {} has a vertex that is not there", ((mesh.faces < 0) | (mesh.faces >= len(mesh.vertices))).any(1)),
    ):
        if bad.any():
            raise ValueError(f"{name}: {fault.format(bad.argmax())} ({bad.sum()} such in all). Repair the mesh first")


def orient(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> tuple[Int[np.ndarray, "f 3"], int]:
    """Faces that agree with their neighbours and, in sum, face outward; and how many were turned round.

    Each connected patch takes the direction of most of its faces. A closed patch that points inward is turned, unless
    it lies inside another: then it is the wall of a cavity, and right. With it are turned the closed patches inside
    it: a hollow body that is inside out is one as a whole. An open patch has no inside and stays.
    """
    import igl

    oriented, patch = igl.bfs_orient(faces)
    count = int(patch.max()) + 1
    minority = np.bincount(patch, _turned(oriented, faces), count) > 0.5 * np.bincount(patch, minlength=count)
    oriented = np.where(minority[patch][:, None], oriented[:, ::-1], oriented)
    closed = _closed(oriented, patch, count)
    inward = closed & (_volumes(vertices, oriented, patch, count) < 0)
    if inward.any():
        # a patch inside another one that points outward is a cavity
        others = oriented[~inward[patch]]
        first = vertices[oriented[np.unique(patch, return_index=True)[1], 0]]
        if len(others):
            inward &= igl.fast_winding_number(vertices, np.ascontiguousarray(others), first) < 0.5
    if inward.any():
        around = np.ascontiguousarray(oriented[inward[patch]])
        enclosed = igl.fast_winding_number(vertices, around, vertices) < -0.5
        inward |= closed & (np.bincount(patch, ~enclosed[oriented].all(1), count) == 0)
        oriented = np.where(inward[patch][:, None], oriented[:, ::-1], oriented)
    oriented = oriented.astype(np.int64)  # libigl hands out long long, a type of its own to numpy
    return oriented, int(_turned(oriented, faces).sum())


def _turned(faces: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(f,) whether a face runs round the other way, whichever corner it starts from."""
    return ~np.any([(np.roll(faces, shift, 1) == others).all(1) for shift in range(3)], axis=0)


def _closed(faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(count,) whether each edge of a patch has an even number of faces."""
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, index, uses = np.unique(edges, axis=0, return_index=True, return_counts=True)
    return np.bincount(patch[index // 3], uses % 2, count) == 0


def _volumes(vertices: np.ndarray, faces: np.ndarray, patch: np.ndarray, count: int) -> np.ndarray:
    """(count,) signed volume of each patch (the divergence theorem)."""
    a, b, c = np.moveaxis(vertices[faces] - vertices.mean(0), 1, 0)
    return np.bincount(patch, (a * np.cross(b, c)).sum(1) / 6, count)


def _strips(cloud: "trimesh.PointCloud") -> "trimesh.Trimesh | None":
    """The mesh of a PLY whose faces are triangle strips, which trimesh leaves unread."""
    import trimesh

    element = cloud.metadata.get("_ply_raw", {}).get("tristrips")
    if element is None:
        return None
    indices = element["data"]["vertex_indices"]["f1"].ravel()  # a list property: its length, then its numbers
    runs = [run[run >= 0] for run in np.split(indices, np.flatnonzero(indices < 0))]
    faces = trimesh.util.triangle_strips_to_faces([run for run in runs if len(run) >= 3])
    return trimesh.Trimesh(np.asarray(cloud.vertices), faces, process=False)
