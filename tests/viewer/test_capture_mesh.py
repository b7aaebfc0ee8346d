"""sinenerf view of a capture: its cameras where transforms.json puts them, its points in their colours."""

import json
import math
import shutil

import numpy as np
import pytest

from sinenerf.viewer.api import BINARY
from sinenerf.viewer.capture_mesh import ACCENT, TO_Y_UP, capture_mesh
from sinenerf.viewer.launch import open_api


@pytest.fixture(scope="module")
def frames(orbit):
    return json.loads((orbit / "transforms.json").read_text())["frames"]


def test_tips_of_pyramids_are_the_cameras_and_they_point_where_these_look(orbit, frames):
    mesh, cameras, points = capture_mesh(orbit)
    assert (cameras, points) == (12, 2400)
    colours = np.asarray(mesh.visual.vertex_colors)[:, :3]
    pyramids = mesh.vertices[-5 * cameras :].reshape(cameras, 5, 3)
    poses = np.array([frame["transform_matrix"] for frame in frames])
    assert (colours[-5 * cameras :] == ACCENT).all()
    np.testing.assert_allclose(pyramids[:, 0], poses[:, :3, 3] @ TO_Y_UP.T, atol=1e-6)
    ahead = pyramids[:, 1:].mean(1) - pyramids[:, 0]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    np.testing.assert_allclose(ahead, -poses[:, :3, 2] @ TO_Y_UP.T, atol=1e-6)


def test_the_page_gets_the_mesh_with_its_colours(orbit):
    api = open_api([orbit])
    kind, body = api.mesh({"asset": "0"})
    length = int.from_bytes(body[:4], "little")
    header = json.loads(body[4 : 4 + length])
    assert kind == BINARY and header["coloured"]
    assert header["caption"] == {"cameras": "12 cameras", "points": "2,400 points"}
    assert len(body) == 4 + length + header["vertices"] * (12 + 3) + header["faces"] * 12
    colours = np.frombuffer(body, np.uint8, offset=len(body) - 3 * header["vertices"]).reshape(-1, 3)
    mesh = api.assets[0].mesh
    assert (colours == np.asarray(mesh.visual.vertex_colors)[:, :3]).all() and colours.std() > 20


def field_of_view(content):
    content["camera_angle_x"] = 2 * math.atan(content["w"] / content["fl_x"] / 2)
    return ("fl_x", "fl_y", "cx", "cy", "w", "h")


@pytest.mark.parametrize("removed", [lambda content: (), field_of_view, lambda content: ("fl_y", "w", "h")])
def test_what_can_be_trained_can_be_viewed(orbit, tmp_path, removed):
    """With a byte order mark, the field of view in place of pixels, and the photographs' own size."""
    folder = tmp_path / "capture"
    shutil.copytree(orbit, folder)
    content = json.loads((folder / "transforms.json").read_text())
    for name in removed(content):
        del content[name]
    (folder / "transforms.json").write_text(json.dumps(content), encoding="utf-8-sig")
    np.testing.assert_allclose(capture_mesh(folder)[0].vertices, capture_mesh(orbit)[0].vertices, atol=1e-6)


@pytest.mark.parametrize("name", ["none.ply", 5])
def test_points_that_are_not_there_are_left_out(orbit, tmp_path, name):
    content = json.loads((orbit / "transforms.json").read_text())
    (tmp_path / "transforms.json").write_text(json.dumps(content | {"ply_file_path": name}))
    assert capture_mesh(tmp_path)[1:] == (12, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a valid transforms.json"),
        ("[]", "not a valid transforms.json"),
        ('{"frames": []}', "has no frames"),
        ('{"frames": [{}]}', "frame 0: transform_matrix is missing"),
    ],
)
def test_a_damaged_list_of_cameras_is_named(tmp_path, content, message):
    (tmp_path / "transforms.json").write_text(content)
    with pytest.raises(ValueError, match=rf"transforms\.json: {message}"):
        capture_mesh(tmp_path)
