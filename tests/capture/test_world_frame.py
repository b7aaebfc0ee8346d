"""Which way is up, from cameras that people hold."""

import numpy as np
import pytest

from sinenerf.capture.world_frame import angles_from_mean, rotation_to_z, up_direction
from sinenerf.datasets.orbit_cameras import OrbitSettings, orbit_poses

UP = np.array([0.0, 1.0, 0.0])
"""Of the generated room."""


def degrees_off(up):
    return np.degrees(np.arccos(np.clip(up @ UP, -1, 1)))


def test_up_from_cameras_all_around_that_look_down():
    assert degrees_off(up_direction(orbit_poses(OrbitSettings(views=40)))) < 1


def test_cameras_on_one_side_that_look_down_do_not_tilt_the_scene():
    poses = orbit_poses(OrbitSettings(views=20, turn=90))
    assert degrees_off(poses[:, :, 1].mean(0) / np.linalg.norm(poses[:, :, 1].mean(0))) > 12
    assert degrees_off(up_direction(poses)) < 4


def test_cameras_held_on_their_side_do_not_count():
    poses = orbit_poses(OrbitSettings(views=20))
    right, up = poses[:4, :, 0].copy(), poses[:4, :, 1].copy()
    poses[:4, :, 0], poses[:4, :, 1] = up, -right
    assert degrees_off(up_direction(poses)) < 1.5


def test_alike_cameras_leave_the_mean_of_their_axes():
    poses = np.repeat(orbit_poses(OrbitSettings(views=5))[:1], 5, axis=0)
    np.testing.assert_allclose(up_direction(poses), poses[0, :, 1], atol=1e-6)


def test_the_rotation_turns_up_to_z():
    poses = orbit_poses(OrbitSettings(views=5))
    turn = rotation_to_z(UP, poses)
    np.testing.assert_allclose(turn @ UP, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    looks = -turn @ poses[0, :, 2]
    assert looks[0] == pytest.approx(0, abs=1e-9) and looks[1] > 0.5


def test_angles_tell_one_side_from_all_around():
    assert angles_from_mean(orbit_poses(OrbitSettings(views=20, turn=40))).max() < 50
    assert angles_from_mean(orbit_poses(OrbitSettings(views=40))).max() > 75
