"""Geometry of camera poses."""

import numpy as np

from sinenerf.radiance.poses import degrees_off


def test_angles_from_the_mean_viewing_axis():
    back = np.array([[0.0, 0, 1], [0, 0, 1], [0.6, 0, 0.8], [-0.6, 0, 0.8]])
    poses = np.zeros((4, 3, 4))
    poses[:, :, 2] = back
    np.testing.assert_allclose(degrees_off(poses), [0, 0, 36.87, 36.87], atol=0.01)
    poses[:2, :, 2], poses[2:, :, 2] = [0, 0, 1], [0, 0, -1]  # the axes cancel out
    np.testing.assert_allclose(degrees_off(poses), 90)
