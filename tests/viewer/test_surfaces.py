"""Surfaces, distances and quality of shapes, as the page requests them."""

import json

import numpy as np
import pytest
import trimesh
from support.viewer_server import respond

from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.surface import extract_surface, find_surface
from sinenerf.viewer.array_packets import unpack
from sinenerf.viewer.launch import open_api


def test_the_quick_surface_differs_from_the_exact_one_by_specks_alone(shape):
    field = OccupancyField.load(shape[0])
    quick = find_surface(field.logits, field.placement, 96, quick=True)
    exact = extract_surface(field.logits, field.placement, 96)
    assert quick.evaluations < 0.8 * exact.evaluations
    assert 0.97 * len(exact.mesh.faces) < len(quick.faces) <= len(exact.mesh.faces)

    class Stop(Exception):
        pass

    def watch(evaluations):
        raise Stop

    with pytest.raises(Stop):
        find_surface(field.logits, field.placement, 96, watch=watch)


@pytest.mark.slow
def test_meshes_distances_and_quality(shape):
    api = open_api([shape[0]], shape[1])
    header, arrays = unpack(respond(api, "/mesh", asset=0, resolution=48))
    assert header["faces"] * 3 == len(arrays["faces"]) and "rank 2" in header["caption"]["layer"]
    assert header["caption"]["size"] == f"{shape[0].stat().st_size:,} bytes"
    scale, distances = unpack(respond(api, "/distances", asset=0, resolution=48))
    assert 3 * len(distances["distance"]) == len(arrays["positions"])
    absolute = np.abs(distances["distance"]) / 32767 * scale["largest"]
    assert np.median(absolute) < 0.02 * scale["diagonal"]  # the field was fitted to it
    quality = json.loads(respond(api, "/quality", asset=0))
    assert quality["iou"] > 0.9 and quality["chamfer_l1"] < 0.01
    with pytest.raises(ValueError, match="no original"):
        respond(open_api([shape[0]]), "/distances", asset=0)


def test_distances_are_signed_and_in_the_originals_unit(tmp_path):
    trimesh.creation.icosphere(4, radius=5.0).export(tmp_path / "ball.ply")
    api = open_api([tmp_path / "ball.ply"], tmp_path / "ball.ply")
    points = np.array([[7.0, 0, 0], [0, 4.0, 0], [0, 0, -5.5]])
    np.testing.assert_allclose(api.surfaces.distance(points), [2, -1, 0.5], atol=0.02)
