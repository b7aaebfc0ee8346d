"""Discs on a surface: how they are turned, and how large they are."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sinenerf.radiance.splats import FLATNESS, RELATIVE_SIZE, splats_of
from sinenerf.radiance.surface_points import SurfacePoints


@pytest.mark.parametrize("towards", [(0, 0, 1), (0, 0, -1), (1, 0, 0), (0, -1, 0), (1, -2, 3), (-3, 1, -1)])
def test_discs_face_the_camera_and_are_as_large_as_its_pixels(towards):
    towards = np.asarray([towards], np.float64) / np.linalg.norm(towards)
    points = SurfacePoints(np.ones((1, 3)), np.array([[0.0, 0, 1]]), np.full((1, 3), 0.25), towards, np.array([0.1]))
    splats = splats_of(points)
    turned = Rotation.from_quat(splats.rotations[:, [1, 2, 3, 0]]).apply([0, 0, 1])
    assert abs((turned * towards).sum()) == pytest.approx(1, abs=1e-6)
    assert (splats.rotations[:, 0] > 0.7).all()
    assert splats.scales[0] == pytest.approx(RELATIVE_SIZE * 0.1 * np.array([1, 1, FLATNESS]))
