"""Solids and sheets to be broken, and what is inside the result."""

import numpy as np
import trimesh

from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.solid import Placement, Solid


def ball(radius=1.0, centre=(0, 0, 0)):
    mesh = trimesh.creation.icosphere(3, radius)
    mesh.apply_translation(centre)
    return mesh


def box(low, high):
    return trimesh.creation.box(bounds=[low, high])


def joined(*meshes):
    return trimesh.util.concatenate(meshes)


def kept(mesh, keep):
    """The faces whose centre's z is so."""
    mesh.update_faces(keep(mesh.triangles_center[:, 2]))
    return mesh


def turned(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)


def with_faces(mesh, *more):
    """The mesh with further faces of its vertices."""
    return trimesh.Trimesh(mesh.vertices, np.vstack([mesh.faces, *more]), process=False)


def soup(mesh):
    """Each face with vertices of its own."""
    return trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)


def some_turned(mesh, share=0.4):
    """A mesh with a random share of its faces turned."""
    faces = np.array(mesh.faces)
    wrong = np.random.default_rng(0).permutation(len(faces))[: round(share * len(faces))]
    faces[wrong] = faces[wrong, ::-1]
    return trimesh.Trimesh(mesh.vertices, faces, process=False)


def grid_faces(rows, columns):
    """Triangles between the vertices of a grid."""
    at = np.arange(rows * columns).reshape(rows, columns)
    low = np.stack([at[:-1, :-1], at[1:, :-1], at[:-1, 1:]], -1).reshape(-1, 3)
    return np.vstack([low, np.stack([at[1:, :-1], at[1:, 1:], at[:-1, 1:]], -1).reshape(-1, 3)])


def sheet_of(surface, u, v):
    """A sheet of the points surface(u, v) over a grid."""
    points = np.stack(surface(*np.meshgrid(u, v, indexing="ij")), -1).reshape(-1, 3)
    return trimesh.Trimesh(points, grid_faces(len(u), len(v)), process=False)


def moebius_strip():
    def surface(u, v):
        r = 1 + v * np.cos(u / 2)
        return r * np.cos(u), r * np.sin(u), v * np.sin(u / 2)

    return sheet_of(surface, np.linspace(0, 2 * np.pi, 61), np.linspace(-0.2, 0.2, 9))


def klein_bottle():
    """Lawson's figure eight: closed, each edge has two faces, and they cannot agree."""

    def surface(u, v):
        r = 2 + np.cos(u / 2) * np.sin(v) - np.sin(u / 2) * np.sin(2 * v)
        return r * np.cos(u), r * np.sin(u), np.sin(u / 2) * np.sin(v) + np.cos(u / 2) * np.sin(2 * v)

    return sheet_of(surface, np.linspace(0, 2 * np.pi, 61), np.linspace(0, 2 * np.pi, 41))


def terrain():
    height = lambda x, y: (x, y, 0.1 * np.sin(3 * x) * np.cos(2 * y))  # noqa: E731
    return sheet_of(height, np.linspace(-1, 1, 50), np.linspace(-1, 1, 50))


def voxel_ball():
    """A ball of radius 3 in a grid of 8^3 voxels, as boxes that share their walls, and the voxels (8, 8, 8)."""
    filled = np.linalg.norm(np.indices((8, 8, 8)) - 3.5, axis=0) <= 3
    return trimesh.voxel.VoxelGrid(filled).as_boxes(), filled


def inside(mesh, *points):
    mesh, _ = prepare_mesh(mesh)
    placement = Placement.of(mesh)
    return Solid(mesh, placement).contains(placement.to_cube(np.array(points, dtype=float))).tolist()
