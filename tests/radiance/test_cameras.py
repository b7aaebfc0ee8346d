"""Rays of cameras, and camera paths around a scene."""

import math

import numpy as np
import pytest
import torch
from support.radiance_fields import a_capture

from sinenerf.radiance.cameras import Camera, capture_of, look_at


def test_rays_go_through_pixel_centres():
    camera = Camera(np.eye(4)[:3], 10.0, 10.0, 2.0, 1.0, 4, 2)
    origins, directions = camera.rays()
    assert origins.shape == directions.shape == (8, 3)
    torch.testing.assert_close(directions[0] / -directions[0, 2:], torch.tensor([-0.15, 0.05, -1.0]))
    half = camera.resized(0.5)
    assert (half.width, half.height, half.fx, half.cx) == (2, 1, 5.0, 1.0)


def test_rays_of_a_pixel_range_are_a_slice_of_all_rays():
    camera = Camera(np.eye(3, 4), 20.0, 21.0, 12.0, 9.0, 24, 18)
    for all_rays, part in zip(camera.rays(), camera.rays(30, 71), strict=True):
        assert torch.equal(all_rays[30:71], part)


def test_the_path_stays_near_home_and_looks_at_the_scene():
    capture = a_capture()
    path = capture.spiral(12)
    for camera in path:
        offset = camera.pose[:, 3] - capture.home.pose[:, 3]
        assert np.abs(offset).max() <= 0.31
        np.testing.assert_allclose(camera.pose[:, :3].T @ camera.pose[:, :3], np.eye(3), atol=1e-9)
        target = capture.home.pose[:, 3] - capture.focus * capture.home.pose[:, 2]
        forward = (target - camera.pose[:, 3]) / np.linalg.norm(target - camera.pose[:, 3])
        np.testing.assert_allclose(-camera.pose[:, 2], forward, atol=1e-9)


def test_the_path_around_an_object_keeps_its_distance():
    """The mean position of cameras all around an object lies inside it, so home must be one of the cameras."""
    angles = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    target, up = np.array([0.1, 0.2, -0.1]), np.array([0.0, 0, 1])
    offsets = [np.array([math.cos(a), math.sin(a), 0.3 + 0.2 * (i % 3)]) for i, a in enumerate(angles)]
    poses = np.stack([look_at(target + 2 * offset, target, up) for offset in offsets])
    capture = capture_of(poses, Camera(poses[0], 20.0, 20.0, 12.0, 9.0, 24, 18), np.eye(4)[:3], 1.0, False)
    assert any(np.allclose(capture.home.pose, pose) for pose in poses)
    assert capture.home.pose[2, 3] == pytest.approx(-0.1 + 2 * 0.5)  # the median height
    path = capture.spiral(20)
    for camera, following in zip(path, path[1:] + path[:1], strict=True):
        offset = camera.pose[:, 3] - target
        assert 1.9 < np.linalg.norm(offset) < 2.8
        np.testing.assert_allclose(camera.pose[:, 2], offset / np.linalg.norm(offset), atol=1e-6)
        assert camera.pose[:, 1] @ following.pose[:, 1] > 0.9 and camera.pose[2, 1] > 0
