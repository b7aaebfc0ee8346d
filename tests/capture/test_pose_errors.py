"""Comparison of cameras after the similarity that aligns them."""

import numpy as np
import pytest

from sinenerf.capture.pose_errors import align, compare_poses
from sinenerf.datasets.orbit_cameras import OrbitSettings, orbit_poses


def rotation(degrees, axis=2):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.roll(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), axis + 1, axis=(0, 1))
    assert np.linalg.det(turn) == pytest.approx(1)
    return turn


@pytest.fixture
def known():
    return orbit_poses(OrbitSettings(views=45))


def moved(poses, turn, scale, shift):
    return np.concatenate([turn @ poses[:, :, :3], (scale * poses[:, :, 3] @ turn.T + shift)[:, :, None]], axis=2)


def test_a_similarity_is_no_error(known):
    found = moved(known, rotation(70) @ rotation(20, axis=0), 3.5, [4.0, -2.0, 9.0])
    errors = compare_poses(found, known)
    assert errors.views == 45
    assert max(errors.largest_rotation, errors.largest_position) < 1e-5


def test_a_turned_and_a_moved_camera_count_as_much_as_they_are_off(known):
    found = known.copy()
    found[4, :, :3] = rotation(3) @ found[4, :, :3]
    errors = compare_poses(found, known)
    assert errors.largest_rotation == pytest.approx(3, abs=1e-4)
    assert errors.rotation == pytest.approx(3 / 45, abs=1e-4)
    assert errors.largest_position < 1e-6
    found = known.copy()
    spread = np.linalg.norm(known[:, :, 3] - known[:, :, 3].mean(0), axis=1)
    found[4, 1, 3] += 0.1 * np.sqrt((spread**2).mean())
    assert compare_poses(found, known).largest_position == pytest.approx(0.1, abs=0.015)


def test_a_mirror_image_is_not_taken_for_a_rotation(known):
    turn, _, _ = align(known[:, :, 3] * [1, 1, -1], known[:, :, 3])
    assert np.linalg.det(turn) == pytest.approx(1)


def test_too_few_cameras_fix_nothing(known):
    with pytest.raises(ValueError, match="give the same 3 or more photographs twice"):
        compare_poses(known[:2], known[:2])
