"""Meshes of fewer faces keep their form, their place and their colours."""

import numpy as np
import pytest
import trimesh

from sinenerf.common.decimation import decimated


@pytest.mark.parametrize("place", [0.0, 1e6])
def test_a_budget_is_met_and_the_form_kept(place):
    mesh = trimesh.creation.torus(1.0, 0.4, 128, 64)
    mesh.apply_translation([place] * 3)
    fewer = decimated(mesh, 800)
    assert 700 < len(fewer.faces) <= 800 and fewer.is_watertight
    assert fewer.volume == pytest.approx(mesh.volume, rel=0.02)
    assert np.allclose(fewer.bounds, mesh.bounds, rtol=0, atol=0.02)


@pytest.mark.parametrize("unit", [2.0**-10, 2.0**20])
def test_nothing_depends_on_the_unit(unit):
    mesh = trimesh.creation.torus(1.0, 0.4, 64, 32)
    scaled = trimesh.Trimesh(mesh.vertices * unit, mesh.faces, process=False)
    fewer, as_many = decimated(mesh, 300), decimated(scaled, 300)
    assert np.array_equal(as_many.faces, fewer.faces)
    np.testing.assert_allclose(as_many.vertices, fewer.vertices * unit)


def test_colours_are_those_of_the_place():
    mesh = trimesh.creation.icosphere(5)
    mesh.visual.vertex_colors = np.rint(127 * (mesh.vertices + 1)).astype(np.uint8)
    fewer = decimated(mesh, 500)
    assert fewer.visual.kind == "vertex"
    assert abs(fewer.visual.vertex_colors[:, :3] / 127.0 - 1 - fewer.vertices).max() < 0.1


def test_a_small_mesh_is_left_as_it_is_and_an_impossible_budget_refused():
    mesh = trimesh.creation.icosphere(1)
    assert decimated(mesh, len(mesh.faces)) is mesh
    with pytest.raises(ValueError, match=r"--faces 3: a closed mesh has at least 4"):
        decimated(mesh, 3)
