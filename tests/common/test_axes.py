"""Axes that point up, and the rotations to y up."""

from typing import get_args

import numpy as np
import pytest
import trimesh

from sinenerf.common.axes import Up, up_vector, upright_axes, upright_quaternion


@pytest.mark.parametrize("up", get_args(Up))
def test_up_is_turned_to_y(up):
    rotation = upright_axes(up)
    np.testing.assert_allclose(rotation @ up_vector(up), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    x, y, z, w = upright_quaternion(up)
    np.testing.assert_allclose(trimesh.transformations.quaternion_matrix([w, x, y, z])[:3, :3], rotation, atol=1e-12)


def test_the_vectors_are_those_of_the_names():
    assert up_vector("z").tolist() == [0, 0, 1] and up_vector("-x").tolist() == [-1, 0, 0]
