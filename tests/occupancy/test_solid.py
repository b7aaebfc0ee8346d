"""Placement of a mesh in the cube, and a mesh as a solid."""

import numpy as np
import pytest
import trimesh
from support.mesh_shapes import ball, inside, joined, kept

from sinenerf.codec.container import Container
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.solid import Placement, Solid


def test_placement_goes_there_and_back():
    mesh = ball(7, (10, -20, 30))
    placement = Placement.of(mesh)
    cube = placement.to_cube(mesh.vertices)
    assert abs(cube).max() == pytest.approx(0.95)
    np.testing.assert_allclose(placement.from_cube(cube), mesh.vertices, atol=1e-12)


def test_a_centre_is_float32_unless_that_is_too_coarse():
    """The middle of a box may move by a thousandth of the cube at most, and is read as it was written."""
    sizes = []
    for place in (0.0, 0.1, 123.456, 500_000.123):
        corners = np.array([[place - 1, 0.0, 0.0], [place + 1, 1.0, 1.0], [place, 1.0, 0.0]])
        placement = Placement.of(trimesh.Trimesh(corners, [[0, 1, 2]]))
        np.testing.assert_allclose(placement.to_cube(corners)[:2, 0], [-0.95, 0.95], atol=2e-3)
        field = OccupancyField(OccupancyConfig("dense", width=3), placement)
        assert OccupancyField.of_container(Container.parse(field.to_bytes())).placement == placement
        sizes.append(len(field.to_bytes()))
    assert sizes[0] == sizes[1] == sizes[2] == sizes[3] - 12


def test_a_hole_and_a_self_intersection_do_no_harm():
    opened, report = prepare_mesh(kept(ball(), lambda z: z < 0.9))
    assert not report.watertight and report.boundary_edges > 0
    placement = Placement.of(opened)
    solid = Solid(opened, placement)
    assert solid.contains(placement.to_cube(np.array([[0, 0, 0], [0, 0, 0.5], [1.2, 0, 0]]))).tolist() == [
        True,
        True,
        False,
    ]
    assert 0 < solid.ambiguous_fraction < 0.2
    assert inside(joined(ball(), ball(1, (1, 0, 0))), (0.5, 0, 0), (0, 0, 0), (-1.5, 0, 0)) == [True, True, False]


def test_no_volume_is_refused():
    sheet = trimesh.creation.box((1, 1, 1))
    sheet.update_faces([0])
    sheet = trimesh.Trimesh(sheet.vertices + np.arange(24).reshape(8, 3) * 1e-3, sheet.faces)
    mesh, _ = prepare_mesh(sheet)
    with pytest.raises(ValueError, match="encloses no volume"):
        _ = Solid(mesh, Placement.of(mesh)).ambiguous_fraction
