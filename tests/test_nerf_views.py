"""Cameras of files, and paths around a scene."""

import json
import math

import numpy as np
import pytest
import torch
from radiance_fields import a_capture

from sinenerf.nerf.views import Capture, View, capture_of, look_at, read_views


def test_rays_go_through_the_pixels_middles():
    view = View(np.eye(4)[:3], 10.0, 10.0, 2.0, 1.0, 4, 2)
    origins, directions = view.rays()
    assert origins.shape == directions.shape == (8, 3)
    torch.testing.assert_close(directions[0] / -directions[0, 2:], torch.tensor([-0.15, 0.05, -1.0]))
    half = view.resized(0.5)
    assert (half.width, half.height, half.fx, half.cx) == (2, 1, 5.0, 1.0)


def test_some_rays_are_those_of_all():
    view = View(np.eye(3, 4), 20.0, 21.0, 12.0, 9.0, 24, 18)
    for all_of_them, some in zip(view.rays(), view.rays(30, 71), strict=True):
        assert torch.equal(all_of_them[30:71], some)


def test_the_path_stays_near_home_and_looks_at_the_scene():
    capture = a_capture()
    path = capture.spiral(12)
    for view in path:
        offset = view.pose[:, 3] - capture.home.pose[:, 3]
        assert np.abs(offset).max() <= 0.31
        np.testing.assert_allclose(view.pose[:, :3].T @ view.pose[:, :3], np.eye(3), atol=1e-9)
        target = capture.home.pose[:, 3] - capture.focus * capture.home.pose[:, 2]
        forward = (target - view.pose[:, 3]) / np.linalg.norm(target - view.pose[:, 3])
        np.testing.assert_allclose(-view.pose[:, 2], forward, atol=1e-9)


def test_the_path_of_an_object_goes_round_it():
    """Cameras all around, whose middle lies within the object: home was there, and looked anywhere."""
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    target, up = np.array([0.1, 0.2, -0.1]), np.array([0.0, 0, 1])
    around = [np.array([math.cos(a), math.sin(a), 0.3 + 0.2 * (i % 3)]) for i, a in enumerate(angles)]
    poses = np.stack([look_at(target + 2 * place, target, up) for place in around])
    capture = capture_of(poses, View(poses[0], 20.0, 20.0, 12.0, 9.0, 24, 18), np.eye(4)[:3], 1.0, False)
    assert any(np.allclose(capture.home.pose, pose) for pose in poses)
    assert capture.home.pose[2, 3] == pytest.approx(-0.1 + 2 * 0.5)  # of the middling height
    path = capture.spiral(20)
    for view, following in zip(path, path[1:] + path[:1], strict=True):
        offset = view.pose[:, 3] - target
        assert 1.9 < np.linalg.norm(offset) < 2.8
        np.testing.assert_allclose(view.pose[:, 2], offset / np.linalg.norm(offset), atol=1e-6)
        assert view.pose[:, 1] @ following.pose[:, 1] > 0.9 and view.pose[2, 1] > 0


@pytest.mark.parametrize("keys", [{}, {"applied_transform": [[0, 1, 0, 5], [1, 0, 0, 0], [0, 0, -1, 2]]}, "colmap"])
@pytest.mark.parametrize("scale", [None, 0.25])
def test_transforms_are_read_as_nerfstudio_reads_them(keys, scale, scene, tmp_path):
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig
    from test_nerf_other_data import nerfstudio_data

    nerfstudio_data(scene, tmp_path)
    if keys == "colmap":  # an early ns-process-data, which turned the axes and did not say so
        (tmp_path / "colmap/sparse/0").mkdir(parents=True)
        keys = {}
    path = tmp_path / "transforms.json"
    content = json.loads(path.read_text()) | keys | ({} if scale is None else {"applied_scale": scale})
    path.write_text(json.dumps(content))
    config = NerfstudioDataParserConfig(data=tmp_path, eval_mode="all", load_3D_points=False)
    parsed = config.setup().get_dataparser_outputs("train")
    motion, cameras = parsed.dataparser_transform.double().numpy(), parsed.cameras
    capture = Capture(motion, float(parsed.dataparser_scale), a_capture().home, np.ones(3), 1.0)
    views = read_views(path, capture)
    poses = cameras.camera_to_worlds.double().numpy()
    np.testing.assert_allclose(np.stack([view.pose for view in views]), poses, atol=1e-5)
    assert views[0].fx == pytest.approx(float(cameras.fx[0])) and views[0].width == 48


def test_transforms_json(tmp_path):
    capture = a_capture()
    pose = np.eye(4)
    pose[:3, 3] = [1, 2, 3]
    path = tmp_path / "transforms.json"
    frame = {"transform_matrix": pose.tolist()}
    path.write_text(json.dumps({"camera_angle_x": 1.0, "frames": [frame, {**frame, "fl_x": 7.0, "w": 10, "h": 8}]}))
    first, second = read_views(path, capture)
    np.testing.assert_allclose(first.pose[:, 3], 0.5 * (capture.motion @ [1, 2, 3, 1]))
    np.testing.assert_allclose(first.pose[:, :3], capture.motion[:, :3])
    assert first.fx == pytest.approx(24 / (2 * math.tan(0.5))) and (first.width, first.height) == (24, 18)
    assert (second.fx, second.width, second.cx) == (7.0, 10, 5.0)
    path.write_text(json.dumps({"camera_angle_x": 0, "frames": [frame]}))
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        read_views(path, capture)
    path.write_text(json.dumps({"frames": [{}]}))
    with pytest.raises(ValueError, match="is no transforms"):
        read_views(path, capture)
    with pytest.raises(FileNotFoundError):
        read_views(tmp_path / "none.json", capture)
