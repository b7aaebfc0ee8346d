"""Repairs of faces: none that makes a right mesh wrong, and only for the pieces that they help."""

import numpy as np
import trimesh
from support.mesh_shapes import ball, box, joined, moebius_strip, some_turned, turned, voxel_ball, with_faces

from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.repair import counted, keep_helpful, repair


def faces_and_vertices(mesh):
    return np.array(mesh.vertices), np.array(mesh.faces)


def test_a_voxel_model_stays_as_it_is():
    """Its inner walls make the outer ones patches of a square each, some of which seem to face inward."""
    mesh, report = prepare_mesh(voxel_ball()[0])
    assert report.flipped_faces == report.dropped_faces == 0
    assert len(mesh.faces) == 1632


def test_opposite_walls_of_the_same_triangles_are_dropped():
    left = box((0, 0, 0), (1, 1, 1))
    right = turned(trimesh.Trimesh(left.vertices * [-1, 1, 1], left.faces))
    mesh, report = prepare_mesh(joined(left, right))
    assert report.dropped_faces == 4 and report.watertight and np.isclose(mesh.volume, 2)


def test_pieces_are_judged_one_by_one():
    """Of two balls with the same proposal, the one that it helps is turned."""
    wrong, right = turned(ball()), ball(1, (3, 0, 0))
    vertices, faces = faces_and_vertices(joined(wrong, right))
    piece = np.arange(len(faces)) // len(wrong.faces)
    counts = keep_helpful(vertices, faces, np.ones(len(faces), dtype=int), -np.ones(len(faces), dtype=int), piece)
    assert np.array_equal(counts, np.where(piece == 0, -1, 1))


def test_what_does_not_help_is_not_done():
    strip = repair(*faces_and_vertices(moebius_strip()))
    assert strip.flipped == 0
    mixed = joined(some_turned(ball(), 0.3), joined(ball(0.2, (3, 0, 0)), ball(0.1, (3, 0, 0))))
    assert repair(*faces_and_vertices(mixed)).flipped == round(0.3 * 1280)


def test_copies_and_counts():
    vertices, faces = faces_and_vertices(trimesh.creation.box())
    thrice = repair(vertices, np.vstack([faces, faces, faces]))
    assert (len(thrice.faces), thrice.dropped) == (12, 24)
    cube = trimesh.Trimesh(vertices, repair(vertices, with_faces(trimesh.creation.box(), faces[:3, ::-1]).faces).faces)
    assert cube.is_watertight and np.isclose(cube.volume, 1)
    assert counted(faces[:2], np.array([2, -1])).tolist() == [*faces[[0, 0]].tolist(), faces[1, ::-1].tolist()]
