"""Photographs, poses and points of a COLMAP reconstruction."""

from types import SimpleNamespace

import numpy as np
import pycolmap

from sinenerf.common.reconstruction import opengl_poses, placed_images, sparse_points

MODEL = SimpleNamespace(
    images={
        number: SimpleNamespace(name=name, cam_from_world=lambda: pycolmap.Rigid3d(pycolmap.Rotation3d(), [1, 2, 3]))
        for number, name in ((1, "b.jpg"), (2, "a.jpg"), (3, "without a pose.jpg"))
    },
    reg_image_ids=lambda: [1, 2],
    points3D={},
)


def test_placed_photographs_are_in_the_order_of_their_names():
    assert [image.name for image in placed_images(MODEL)] == ["a.jpg", "b.jpg"]


def test_cameras_look_along_their_negative_z_axis_with_y_up():
    poses = opengl_poses(MODEL)
    assert poses.shape == (2, 3, 4)
    np.testing.assert_allclose(poses[0], [[1, 0, 0, -1], [0, -1, 0, -2], [0, 0, -1, -3]], atol=1e-12)


def test_a_model_without_points_has_an_array_of_none():
    assert sparse_points(MODEL).shape == (0, 3)
