"""Snapshots and turntables."""

import numpy as np
import pytest
import trimesh
from support.commands import run_sinenerf

from sinenerf.common.mesh_renderer import Framing, Model, vertex_normals
from sinenerf.viewer.launch import gather
from sinenerf.viewer.snapshot import snapshot, upright_axes


def open3d_or_skip():
    try:
        import open3d  # noqa: F401
    except OSError as error:
        pytest.skip(f"open3d cannot load ({error}): apt-get install libusb-1.0-0 libgl1 libgomp1 libx11-6")


@pytest.mark.parametrize("up", ["x", "y", "z", "-x", "-y", "-z"])
def test_up_is_turned_to_y(up):
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1 if up.startswith("-") else 1
    rotation = upright_axes(up)
    np.testing.assert_allclose(rotation @ axis, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_a_snapshot_shows_what_is_up_and_right():
    open3d_or_skip()
    arm = trimesh.creation.box([0.2, 0.2, 0.2]).apply_translation([0.7, 0.7, 0])  # right and up, seen from the front
    picture = Model(np.asarray(arm.vertices), np.asarray(arm.faces), True).picture(Framing(60, 60, 0, 0), 0.0)
    rows, columns = np.nonzero((picture < 250).any(2))
    assert rows.mean() < 25 and columns.mean() > 35


def test_normals_of_a_ball_point_outward():
    ball = trimesh.creation.icosphere(3)
    normals = vertex_normals(np.asarray(ball.vertices), np.asarray(ball.faces))
    assert (normals * ball.vertices).sum(1).min() > 0.99


def test_snapshots_and_turntables_are_written(shape, scene_file, tmp_path):
    open3d_or_skip()
    from PIL import Image

    made = run_sinenerf(
        "snapshot", shape[0], "--original", shape[1], "--output", tmp_path / "x.png", "--turntable", tmp_path / "x.gif",
        "--frames", 3, "--width", 90, "--height", 80, "--resolution", 32,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    with Image.open(tmp_path / "x.png") as image:
        assert image.size[0] == 180 and image.size[1] > 80 and np.asarray(image).std() > 10
    with Image.open(tmp_path / "x.gif") as film:
        assert film.n_frames == 3
    written = snapshot(gather([scene_file]), None, tmp_path / "x.mp4", Framing(24, 18, labels=False), frames=2)
    assert written == [tmp_path / "x.mp4"] and written[0].stat().st_size > 500
