"""Shapes compared with the original."""

import json

import numpy as np
import pytest
import trimesh
from support.viewer_server import respond

from sinenerf.occupancy.field import OccupancyField
from sinenerf.viewer.launch import open_api


@pytest.mark.slow
def test_distances_and_quality(shape):
    api = open_api([shape[0]], shape[1])
    vertices = OccupancyField.load(shape[0]).mesh(48).vertices
    points = np.asarray(vertices, "<f4").tobytes()
    diagonal, *distances = np.frombuffer(respond(api, "/distances", points), "<f4")
    assert len(distances) == len(vertices)
    assert np.median(np.abs(distances)) < 0.02 * diagonal  # the field was fitted to it
    quality = json.loads(respond(api, "/quality", asset=0))
    assert quality["iou"] > 0.9 and quality["chamfer_l1"] < 0.01
    with pytest.raises(ValueError, match="three float32"):
        respond(api, "/distances", points[:-4])
    with pytest.raises(ValueError, match="no original"):
        respond(open_api([shape[0]]), "/distances", points)


def test_distances_are_signed_and_in_the_originals_unit(tmp_path):
    trimesh.creation.icosphere(4, radius=5.0).export(tmp_path / "ball.ply")
    api = open_api([tmp_path / "ball.ply"], tmp_path / "ball.ply")
    points = np.array([[7.0, 0, 0], [0, 4.0, 0], [0, 0, -5.5]])
    np.testing.assert_allclose(api.comparison.distance(points), [2, -1, 0.5], atol=0.02)
