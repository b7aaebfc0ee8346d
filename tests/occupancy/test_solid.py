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
    assert abs(cube).max() == pytest.approx(0.95, abs=0.012)
    np.testing.assert_allclose(placement.from_cube(cube), mesh.vertices, atol=1e-12)


@pytest.mark.parametrize("unit", [1e-6, 0.7, 1.0, 3e5])
def test_a_placement_is_read_as_written_and_keeps_the_margin(unit):
    """Near the origin and far from it the cube lies where the mesh is, to 0.8 % of its half side."""
    sizes = []
    for place in (0.0, 0.1, 123.456, 500_000.123, 1e9):
        corners = unit * np.array([[place - 1, 0.0, 0.0], [place + 1, 1.0, 1.0], [place, 1.0, 0.0]])
        placement = Placement.of(trimesh.Trimesh(corners, [[0, 1, 2]]))
        cube = placement.to_cube(corners)
        np.testing.assert_allclose(cube[:2, 0], [-0.95, 0.95], atol=0.0105)
        assert np.ptp(cube[:, 0]) == pytest.approx(1.9, rel=0.002)
        field = OccupancyField(OccupancyConfig("dense", width=3), placement)
        assert OccupancyField.of_container(Container.parse(field.to_bytes())).placement == placement
        sizes.append(len(field.to_bytes()) - sizes[0] if sizes else len(field.to_bytes()))
    assert sizes[1:] == [0, 1, 3, 5]


def test_the_nearest_placement_has_a_finite_scale():
    for scale, stored in ((1e-44, 2.0**-134), (3.4028e38, 511 * 2.0**119), (0.0, 2.0**-134)):
        placement = Placement.nearest(np.zeros(3), scale)
        assert placement.scale == stored and Placement.of_numbers(*placement.numbers()) == placement


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
