"""Shapes compared with the original."""

import json
import shutil
import struct

import numpy as np
import pytest
import trimesh
from support.golden_files import GOLDEN
from support.viewer_server import respond

from sinenerf.occupancy.field import OccupancyField
from sinenerf.viewer import comparison
from sinenerf.viewer.launch import open_api


@pytest.mark.slow
def test_distances_and_quality(shape):
    api = open_api([shape[0]], shape[1])
    field = OccupancyField.load(shape[0])
    vertices = field.placement.to_cube(field.mesh(48).vertices)
    points = np.asarray(vertices, "<f4").tobytes()
    diagonal, *distances = np.frombuffer(respond(api, "/distances", points, asset=0), "<f4")
    assert len(distances) == len(vertices)
    assert np.median(np.abs(distances)) < 0.02 * diagonal  # the field was fitted to it
    quality = json.loads(respond(api, "/quality", asset=0))
    assert quality["iou"] > 0.9 and quality["chamfer_l1"] < 0.01
    with pytest.raises(ValueError, match="three float32"):
        respond(api, "/distances", points[:-4], asset=0)
    with pytest.raises(ValueError, match="no original"):
        respond(open_api([shape[0]]), "/distances", points, asset=0)


def test_distances_are_signed_and_in_the_originals_unit(tmp_path):
    trimesh.creation.icosphere(4, radius=5.0).export(tmp_path / "ball.ply")
    api = open_api([tmp_path / "ball.ply"], tmp_path / "ball.ply")
    points = np.array([[7.0, 0, 0], [0, 4.0, 0], [0, 0, -5.5]])
    np.testing.assert_allclose(api.comparison.distance(points), [2, -1, 0.5], atol=0.02)


def test_far_from_the_origin_nothing_is_rounded(tmp_path):
    """At 5,000,000, float32 has steps of half a unit, which tore surfaces on the page and their distances."""
    path, ball = tmp_path / "far.obj", trimesh.creation.icosphere(4, radius=5.0)
    ball.apply_translation([5e6, 0, 0]).export(path, digits=12)
    api = open_api([path], path)
    mesh = respond(api, "/mesh", asset=0)
    (length,) = struct.unpack_from("<I", mesh)
    positions = np.frombuffer(mesh, "<f4", 3 * len(ball.vertices), 4 + length).reshape(-1, 3)
    _, *distances = np.frombuffer(respond(api, "/distances", positions.tobytes(), asset=0), "<f4")
    np.testing.assert_allclose(distances, 0, atol=1e-5)


def test_what_is_said_of_a_file_belongs_to_what_the_page_was_given(tmp_path, monkeypatch):
    """A page that was reloaded after another fit showed the new surface beside the old score."""
    monkeypatch.setattr(comparison, "POINTS", 5000)
    monkeypatch.setattr(comparison, "RESOLUTION", 24)
    path, original = tmp_path / "view.sine", tmp_path / "original.ply"
    OccupancyField.load(GOLDEN / "sine.sine").mesh(24).export(original)
    shutil.copy(GOLDEN / "sine.sine", path)
    api = open_api([path], original)

    def said(api):
        layers = json.loads(respond(api, "/layers", asset=0))
        return respond(api, "/quality", asset=0), [layer["equation"] for layer in layers]

    respond(api, "/file", asset=0)
    shutil.copy(GOLDEN / "dense.sine", path)
    first = said(api)
    assert first == said(open_api([GOLDEN / "sine.sine"], original))
    assert respond(api, "/file", asset=0) == path.read_bytes()
    assert first != said(api) == said(open_api([path], original))


def test_distances_are_those_to_the_original_that_the_page_was_given(tmp_path):
    path = tmp_path / "ball.ply"
    trimesh.creation.icosphere(3, radius=5.0).export(path)
    api = open_api([path], path)
    point = np.array([[7.0, 0, 0]])
    np.testing.assert_allclose(api.comparison.distance(point), [2], atol=0.02)
    trimesh.creation.icosphere(3, radius=6.0).export(path)
    respond(api, "/mesh", asset=0)
    np.testing.assert_allclose(api.comparison.distance(point), [1], atol=0.02)
