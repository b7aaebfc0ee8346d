"""Lens distortion: undone exactly where it can be, and as nerfstudio undoes it."""

import numpy as np
import pytest

from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.lens_distortion import UNDISTORTED, LensDistortion

POSE = np.array([[0.6, 0, 0.8, 1], [0, 1, 0, 2], [-0.8, 0, 0.6, 3.0]])
LENSES = [
    LensDistortion(),
    LensDistortion(k1=-0.12, k2=0.03, k3=0.01, k4=-0.002, p1=0.004, p2=-0.003),
    LensDistortion(fisheye=True),
    LensDistortion(k1=0.05, k2=-0.01, fisheye=True),
]


def distorted(lens, x, y):
    r = x * x + y * y
    d = 1 + lens.k1 * r + lens.k2 * r**2 + lens.k3 * r**3 + lens.k4 * r**4
    return (
        d * x + 2 * lens.p1 * x * y + lens.p2 * (r + 2 * x * x),
        d * y + 2 * lens.p2 * x * y + lens.p1 * (r + 2 * y * y),
    )


@pytest.mark.parametrize("lens", LENSES, ids=["pinhole", "distorted", "fisheye", "distorted fisheye"])
def test_directions_have_the_pixels_that_they_are_of(lens):
    x, y = (values.ravel() for values in np.meshgrid(np.linspace(-0.7, 0.7, 9), np.linspace(-0.5, 0.5, 7)))
    np.testing.assert_allclose(lens.pixels(3 * lens.directions(x, y)), [x, y], atol=1e-9)


def test_distorting_the_directions_gives_the_pixels_back():
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, 9), np.linspace(-0.5, 0.5, 7))
    directions = LENSES[1].directions(x.ravel(), y.ravel())
    again = distorted(LENSES[1], directions[:, 0], -directions[:, 1])
    np.testing.assert_allclose(again, [x.ravel(), y.ravel()], atol=1e-12)


def test_a_fisheyes_radius_is_the_angle():
    x = np.linspace(0, 3, 7)
    directions = LENSES[2].directions(x, np.zeros(7))
    np.testing.assert_allclose(np.arccos(-directions[:, 2]), x, atol=1e-7)


def test_a_pinhole_is_not_bent():
    x, y = np.array([0.3, -0.2]), np.array([0.1, 0.4])
    np.testing.assert_array_equal(UNDISTORTED.directions(x, y), np.stack([x, -y, [-1, -1]], axis=1))


def test_what_cannot_be_undone_stays_finite():
    assert np.isfinite(LensDistortion(k1=-1.0).directions(np.linspace(-2, 2, 41), np.zeros(41))).all()


@pytest.mark.parametrize("lens", LENSES, ids=["pinhole", "distorted", "fisheye", "distorted fisheye"])
def test_rays_of_a_resized_camera_keep_their_distortion(lens):
    camera = Camera(POSE, 20.0, 21.0, 12.0, 9.0, 24, 18, distortion=lens)
    _, small = camera.rays()
    _, large = camera.resized(3).rays()
    np.testing.assert_allclose(large.reshape(54, 72, 3)[1::3, 1::3], small.reshape(18, 24, 3), atol=1e-6)
