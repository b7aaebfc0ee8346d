"""Orientation of the faces of broken meshes."""

import numpy as np
import pytest
import trimesh
from support.mesh_shapes import ball, inside, joined, kept, turned

from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.orientation import orient, same_orientation


def test_faces_that_disagree_are_turned():
    mesh = ball()
    faces = np.array(mesh.faces)
    wrong = np.random.default_rng(0).permutation(len(faces))[: len(faces) // 3]
    faces[wrong] = faces[wrong, ::-1]
    mended, report = prepare_mesh(trimesh.Trimesh(mesh.vertices, faces, process=False))
    assert report.watertight and report.flipped_faces == len(wrong)
    assert mended.volume == pytest.approx(mesh.volume)


def test_a_mesh_inside_out_is_turned():
    mesh = ball()
    mesh.invert()
    assert inside(mesh, (0, 0, 0), (1.04, 0, 0)) == [True, False]


def test_a_cavity_stays_a_cavity_and_a_second_body_a_body():
    hollow, other = ball(0.5), ball(1, (3, 0, 0))
    hollow.invert()
    other.invert()
    assert inside(joined(ball(), hollow, other), (0, 0, 0), (0.75, 0, 0), (3, 0, 0), (1.5, 0, 0)) == [
        False,
        True,
        True,
        False,
    ]


def test_a_hollow_body_inside_out_keeps_its_cavity():
    """All of it is turned: also a body in the cavity, though not one that only overlaps."""
    inverted = ball(0.6), ball()
    for mesh in inverted:
        mesh.invert()
    hollow = joined(ball(), inverted[0], ball(0.2))
    for mesh in (hollow, turned(hollow)):
        assert inside(mesh, (0, 0, 0), (0.4, 0, 0), (0.8, 0, 0), (1.03, 0, 0)) == [True, False, True, False]
    overlapping = joined(inverted[1], ball(0.7, (1, 0, 0)))
    assert inside(overlapping, (-0.5, 0, 0), (0.6, 0, 0), (1.5, 0, 0)) == [True, True, True]


def test_a_holed_mesh_inside_out_is_turned():
    mesh = turned(kept(ball(), lambda z: z < 0.9))
    assert inside(mesh, (0, 0, 0), (0, 0, 0.5), (1.04, 0, 0)) == [True, True, False]
    assert prepare_mesh(mesh)[1].flipped_faces == len(mesh.faces)
    right = np.array(mesh.faces[:, ::-1])
    assert same_orientation(orient(np.array(mesh.vertices), right)[0], right).all()


def test_open_shells_each_face_outward():
    above, below = kept(ball(), lambda z: z > 0.05), kept(ball(), lambda z: z < -0.05)
    for shells in ((above, below), (above, turned(below)), (turned(above), below), (turned(above), turned(below))):
        assert inside(joined(*shells), (0, 0, 0.7), (0, 0, -0.7), (0, 0, 1.04)) == [True, True, False]


def test_a_holed_hollow_body_inside_out_keeps_its_cavity():
    """Its wall cannot be seen from outside, or hardly, and is turned with what is around it."""
    for wall in (ball(0.5), kept(ball(0.5), lambda z: z < 0.45)):
        hollow = joined(kept(ball(), lambda z: z < 0.9), turned(wall))
        for mesh in (hollow, turned(hollow)):
            assert inside(mesh, (0, 0, 0), (0.7, 0, 0), (0, 0, -0.7)) == [False, True, True]


def test_a_sheet_stays_as_it_is():
    sheet = kept(trimesh.creation.box((2, 2, 2)).subdivide().subdivide(), lambda z: z > 0.99)
    sheet.vertices += np.random.default_rng(0).normal(0, 0.02, sheet.vertices.shape)
    for mesh in (sheet, turned(sheet)):
        assert prepare_mesh(mesh)[1].flipped_faces == 0


def test_orientation_of_loose_triangles_is_left_alone():
    mesh = ball()
    soup = trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)
    proposed, patch, _ = orient(np.array(soup.vertices), np.array(soup.faces))
    assert same_orientation(proposed, np.array(soup.faces)).all() and len(np.unique(patch)) == len(soup.faces)
