"""Meshes of the Blender add-on beside those of sinenerf mesh: the same surface, turned to z up."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from support.blender import addon_module
from support.golden_files import GOLDEN

import sinenerf
from sinenerf.occupancy.surface import extract_surface
from sinenerf.radiance.marching_cubes import density_grid, suggest_level

field_mesh = addon_module("field_mesh")
Z_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])


def distances(made, mesh):
    """Of a mesh's vertices to the surface of the other, both ways."""
    triangles = np.concatenate([made.quads[:, :3], made.quads[:, [0, 2, 3]]])
    own = trimesh.Trimesh(made.vertices, triangles, process=False)
    pairs = (own, mesh.vertices), (mesh, own.vertices)
    return np.concatenate([trimesh.proximity.closest_point(target, points)[1] for target, points in pairs])


@pytest.mark.slow
@pytest.mark.parametrize(("up", "turn"), [("y", Z_UP), ("z", np.eye(3))])
def test_a_shape_is_that_of_sinenerf_mesh(up, turn, tmp_path):
    field = sinenerf.load(GOLDEN / "sine.sine")
    field.placement = replace(field.placement, up=up)
    field.save(tmp_path / "shape.sine")
    made = field_mesh.field_mesh(str(tmp_path / "shape.sine"), 48)
    mesh = extract_surface(field.logits, field.placement, 48, 0.5, False).mesh
    mesh.vertices = mesh.vertices @ turn.T
    cell = 2 * field.placement.scale / 48
    apart = distances(made, mesh)
    assert np.quantile(apart, 0.99) < cell and apart.mean() < 0.2 * cell
    assert made.colours is None


@pytest.mark.parametrize("axis", field_mesh.TO_Z_UP)
def test_each_axis_is_turned_to_z_without_mirroring(axis):
    up = np.eye(3)["xyz".index(axis[-1])] * (-1 if axis.startswith("-") else 1)
    turn = field_mesh.TO_Z_UP[axis]
    assert np.array_equal(turn @ up, [0, 0, 1])
    assert np.isclose(np.linalg.det(turn), 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "contraction"])
def test_a_scene_is_that_of_sinenerf_mesh(name):
    path = GOLDEN / f"scenes/{name}.sine"
    made = field_mesh.field_mesh(str(path), 32)
    field = sinenerf.load(path)
    with torch.no_grad():
        side = field.far if name == "contraction" else 1.0
        box = [-side] * 3, [side, side, field.far]
        level = suggest_level(density_grid(lambda p: field.density(p)[:, 0], field_mesh.PILOT, box, "cpu", False))
    mesh = field.mesh(33, level, min_faces=1)
    turn = Z_UP if name == "paper" else np.eye(3)
    apart, nearest = trimesh.proximity.ProximityQuery(mesh).vertex(made.vertices @ turn)
    length = mesh.edges_unique_length
    assert np.median(apart) < np.median(length)
    quads = trimesh.Trimesh(made.vertices @ turn, made.quads[:, :3], process=False)
    facing = (quads.face_normals * mesh.vertex_normals[nearest[made.quads[:, 0]]]).sum(1)
    assert np.median(facing) > 0.5, "outwards, too"
    colours = np.asarray(mesh.visual.vertex_colors)[nearest, :3] / 255
    assert np.median(abs(colours - made.colours)) < 0.05
    assert made.vertices.shape == made.colours.shape


def test_what_is_no_field_is_refused(tmp_path):
    (tmp_path / "x.sine").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is not a"):
        field_mesh.field_mesh(str(tmp_path / "x.sine"), 16)
    with pytest.raises(OSError):
        field_mesh.field_mesh(str(tmp_path / "none.sine"), 16)
