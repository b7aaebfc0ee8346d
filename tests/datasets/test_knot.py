"""The generated mesh: closed, oriented outward, free of self-intersections, with the volume of its equation."""

import numpy as np
import pytest

from sinenerf.datasets import knot
from sinenerf.datasets.knot import TUBE_RADIUS, knot_mesh
from sinenerf.occupancy.solid import Placement, Solid


@pytest.fixture(scope="module")
def mesh():
    return knot_mesh()


def tube_volume():
    """The volume of the knot without relief."""
    centre, *_ = knot._frame(np.linspace(0, 2 * np.pi, 20_001))
    return np.pi * TUBE_RADIUS**2 * np.linalg.norm(np.diff(centre, axis=0), axis=1).sum()


def test_it_is_one_watertight_torus_of_similar_triangles(mesh):
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.euler_number == 0 and mesh.body_count == 1
    assert len(mesh.faces) == 16 * 72**2 <= 100_000
    assert mesh.area_faces.min() > 0 and mesh.area_faces.max() < 12 * np.median(mesh.area_faces)


def test_it_does_not_intersect_itself_and_faces_outward(mesh):
    placement = Placement.of(mesh)
    solid = Solid(mesh, placement)
    for offset, inside in ((1e-3, False), (-1e-3, True)):
        points = mesh.triangles_center + offset * mesh.face_normals
        assert (solid.contains(placement.to_cube(points)) == inside).all()


def test_without_relief_its_volume_is_that_of_a_tube(monkeypatch):
    """pi radius^2 length, by Weyl's tube formula."""
    monkeypatch.setattr(knot, "ROPE_DEPTH", 0.0)
    monkeypatch.setattr(knot, "STUD_DEPTH", 0.0)
    assert knot_mesh(128).volume == pytest.approx(tube_volume(), rel=2e-3)


def test_relief_is_carved_from_two_thirds(mesh):
    """The mesh resolves the relief: a finer one has the same volume."""
    assert 0.90 * tube_volume() < mesh.volume < 0.95 * tube_volume()
    assert mesh.volume == pytest.approx(knot_mesh(200).volume, rel=5e-3)
    t = 2 * np.pi * np.arange(360)[:, None] / 360
    radius = knot._radius(t, 2 * np.pi * np.arange(64)[None] / 64)
    assert (radius == TUBE_RADIUS).all(axis=1).mean() == pytest.approx(1 / 3, abs=0.06)


def test_it_is_deterministic(mesh):
    again = knot_mesh()
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    np.testing.assert_array_equal(again.faces, mesh.faces)
