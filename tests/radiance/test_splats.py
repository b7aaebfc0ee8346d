"""Discs on a surface: where they lie, how they are turned, how large they are."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sinenerf.radiance.splats import FLATNESS, RELATIVE_SIZE, splats_of
from sinenerf.radiance.surface_points import SurfacePoints


def plane(normal, spacing=0.1, side=12):
    """Points of a square grid."""
    normal = np.asarray(normal, np.float64) / np.linalg.norm(normal)
    across = np.linalg.svd(normal[None])[2][1:]
    steps = spacing * np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    positions = steps @ across
    return SurfacePoints(positions, np.tile(normal, (len(positions), 1)), np.full_like(positions, 0.25))


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0, -1), (1, 0, 0), (0, -1, 0), (1, -2, 3), (-3, 1, -1)])
def test_discs_lie_in_the_surface(normal):
    points = plane(normal)
    splats = splats_of(points)
    turned = Rotation.from_quat(splats.rotations[:, [1, 2, 3, 0]]).apply([0, 0, 1])
    assert abs((turned * points.normals).sum(1)) == pytest.approx(1, abs=1e-6)
    assert (splats.rotations[:, 0] > 0.7).all()
    inner = splats.scales[5 * 12 + 5]
    assert inner == pytest.approx(RELATIVE_SIZE * 0.1 * np.array([1, 1, FLATNESS]))


def test_a_single_point_has_a_size():
    point = SurfacePoints(np.zeros((1, 3)), np.array([[0.0, 0, 1]]), np.ones((1, 3)))
    assert (splats_of(point).scales > 0).all()
