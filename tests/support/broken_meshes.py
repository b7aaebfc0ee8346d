"""Balls to be cut open, flipped and merged, and what is inside the result."""

import numpy as np
import trimesh

from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.solid import Placement, Solid


def ball(radius=1.0, centre=(0, 0, 0)):
    mesh = trimesh.creation.icosphere(3, radius)
    mesh.apply_translation(centre)
    return mesh


def joined(*meshes):
    return trimesh.util.concatenate(meshes)


def kept(mesh, keep):
    """The faces whose centre's z is so."""
    mesh.update_faces(keep(mesh.triangles_center[:, 2]))
    return mesh


def turned(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)


def inside(mesh, *points):
    mesh, _ = prepare_mesh(mesh)
    placement = Placement.of(mesh)
    return Solid(mesh, placement).contains(placement.to_cube(np.array(points, dtype=float))).tolist()
