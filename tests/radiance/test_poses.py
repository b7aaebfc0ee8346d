"""NeRF's normalisation of captures."""

import numpy as np
import pytest

from sinenerf.radiance.llff import read_poses_bounds
from sinenerf.radiance.poses import PosedViews, average_pose, degrees_off, frusta, recentre, spherify


def test_recentring_puts_the_mean_camera_at_the_origin(scene):
    views = read_poses_bounds(scene / "poses_bounds.npy")
    moved, motion, scale = recentre(views)
    np.testing.assert_allclose(average_pose(moved.camera_to_world), np.eye(4), atol=1e-9)
    assert moved.bounds.min() == pytest.approx(1 / 0.75)
    old = views.camera_to_world[:, :, 3]
    np.testing.assert_allclose(
        scale * (old @ motion[:, :3].T + motion[:, 3]), moved.camera_to_world[:, :, 3], atol=1e-9
    )


def test_spherify_moves_the_point_all_cameras_look_at_to_the_origin():
    rng = np.random.default_rng(0)
    centre, poses = np.array([3.0, -2.0, 5.0]), []
    for angle in np.linspace(0, 2 * np.pi, 12, endpoint=False):
        position = centre + np.array([4 * np.cos(angle), 4 * np.sin(angle), 1.5 + 0.1 * rng.normal()])
        back = (position - centre) / np.linalg.norm(position - centre)
        right = np.cross([0, 0, 1], back)
        right /= np.linalg.norm(right)
        poses.append(np.stack([right, np.cross(back, right), back, position], 1))
    views = PosedViews(np.array(poses), np.tile([36.0, 48, 40], (12, 1)), np.tile([2.0, 6.0], (12, 1)))
    moved, motion, scale = spherify(views)
    np.testing.assert_allclose(scale * (motion[:, :3] @ centre + motion[:, 3]), 0, atol=1e-6)
    positions = moved.camera_to_world[:, :, 3]
    assert np.sqrt((positions**2).sum(1).mean()) == pytest.approx(1)
    assert (positions[:, 2] > 0).all()  # z is up


def test_angles_from_the_mean_viewing_axis():
    back = np.array([[0.0, 0, 1], [0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8]])
    poses = np.zeros((4, 3, 4))
    poses[:, :, 2] = back
    np.testing.assert_allclose(degrees_off(poses), [0, 0, 36.87, 36.87], atol=0.01)
    poses[:2, :, 2], poses[2:, :, 2] = [0, 0, 1], [0, 0, -1]  # the axes cancel out
    np.testing.assert_allclose(degrees_off(poses), 90)


def test_frusta_end_at_the_far_bound():
    """A camera at (0, 0, 5) that looks down, with an image twice as wide as it is high."""
    pose = np.array([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5]]])
    corners = frusta(PosedViews(pose, np.array([[20.0, 40, 40]]), np.array([[1.0, 4.0]])))
    assert sorted(corners[0].tolist()) == [[-2, -1, 1], [-2, 1, 1], [2, -1, 1], [2, 1, 1]]
