"""Where captures are placed in the scene, and which warp is chosen for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sinenerf.codec.container import RADIANCE, Container
from sinenerf.photographs.posed_photographs import FISHEYE, PINHOLE, PosedPhotographs
from sinenerf.radiance.cameras import Camera, capture_of, look_at
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.header import header_of, read_header
from sinenerf.radiance.placement import corner_angles, place, seen_depths
from sinenerf.radiance.warps import NDC, Box, Contraction

UP = np.array([0.0, 1.0, 0.0])
MIDDLE = np.array([3.0, 1.0, -2.0])
TANGENTS = np.full((12, 2), [0.6, 0.4])


def ring(radius=4.0, height=1.0, arc=2 * np.pi):
    angles = np.linspace(0, arc, 12, endpoint=False)
    around = np.stack([radius * np.sin(angles), np.full(12, height), radius * np.cos(angles)], axis=1)
    return np.stack([look_at(MIDDLE + offset, MIDDLE, UP) for offset in around])


def row():
    return np.stack([look_at(np.array([x, 0.1 * x, 0]), np.array([x, 0, -5]), UP) for x in np.linspace(-0.5, 0.5, 12)])


def cloud(scale=1.0, centre=MIDDLE):
    return centre + scale * np.random.default_rng(0).standard_normal((500, 3))


def test_a_capture_around_something_is_contracted():
    points = np.concatenate([cloud(0.5), cloud(8.0)])
    placed = place(ring(), TANGENTS, points)
    assert isinstance(placed.warp, Contraction) and "look up to" in placed.reason
    position = placed.moved(ring())[:, :, 3]
    # what the cameras see at the middle, 0.4 times their distance, is the unit ball
    np.testing.assert_allclose(np.linalg.norm(position, axis=1), 1 / 0.4, rtol=1e-6)
    np.testing.assert_allclose(position[:, 2], 1 / np.sqrt(17) / 0.4, rtol=1e-6)  # up is z
    assert 0 < placed.warp.near < 1 / 0.4
    assert placed.extent[1].min() > 3 and (placed.extent[0] == -placed.extent[1]).all()


def test_the_middle_of_a_room_seen_from_inside_is_that_of_its_points():
    outwards = ring(radius=0.5, height=0.0)
    outwards[:, :, [0, 2]] *= -1
    placed = place(outwards, TANGENTS, cloud(3.0))
    assert isinstance(placed.warp, Contraction)
    middle = placed.scale * (placed.motion[:, :3] @ np.median(cloud(3.0), axis=0) + placed.motion[:, 3])
    np.testing.assert_allclose(middle, 0, atol=1e-6)
    assert isinstance(place(outwards, TANGENTS).warp, Contraction)  # without points, too


def test_photographs_that_face_one_way_are_seen_through_ndc():
    points = cloud(0.5, np.array([0.0, 0, -5]))
    placed = place(row(), TANGENTS, points)
    assert isinstance(placed.warp, NDC) and placed.warp.near == 1
    assert (placed.warp.tan_x, placed.warp.tan_y) == pytest.approx((0.6, 0.4))
    depths = seen_depths(row(), TANGENTS, points)
    assert placed.scale == pytest.approx(1 / (0.75 * depths[:, 0].min()))
    position = placed.moved(row())
    np.testing.assert_allclose(position[:, :, 3].mean(0), 0, atol=1e-6)
    assert (position[:, 2, 2] > 0.99).all()
    # the same from depth bounds, as poses_bounds.npy has them
    assert place(row(), TANGENTS, depths=depths).scale == pytest.approx(placed.scale)


def test_cameras_that_walk_towards_the_scene_are_not_seen_through_ndc():
    poses = np.stack([look_at(np.array([0.1 * z, 0, z]), np.array([0, 0, -9.0]), UP) for z in np.linspace(-3, 3, 12)])
    placed = place(poses, TANGENTS, cloud(0.5, np.array([0.0, 0, -5])))
    assert isinstance(placed.warp, Contraction) and "stand far before" in placed.reason


def test_an_object_without_background_is_put_into_a_box():
    placed = place(ring(), TANGENTS, cloud(0.1), transparent=True)
    assert isinstance(placed.warp, Box)
    np.testing.assert_allclose(np.linalg.norm(placed.moved(ring())[:, :, 3], axis=1), 1)
    inside = placed.warp.warp_points(
        torch.from_numpy(placed.scale * (cloud(0.1) @ placed.motion[:, :3].T + placed.motion[:, 3]))
    )
    assert (inside.abs() <= 1).all(1).float().mean() > 0.9 and inside.abs().max() > 0.7


@pytest.mark.parametrize("kind", ["box", "contraction"])
def test_the_choice_can_be_overridden(kind):
    placed = place(row(), TANGENTS, cloud(0.5, np.array([0.0, 0, -5])), kind=kind)
    assert type(placed.warp).__name__.lower() == kind and placed.reason == "as asked for"


def test_ndc_is_refused_where_it_cannot_represent_a_view():
    with pytest.raises(
        ValueError, match=r"looks .* degrees away from the mean of all views, .*Choose the warp contraction"
    ):
        place(ring(), TANGENTS, cloud(), kind="ndc")
    with pytest.raises(ValueError, match="NDC needs the depth of the scene"):
        place(row(), TANGENTS, kind="ndc")
    with pytest.raises(ValueError, match="no camera sees a point"):
        place(row(), TANGENTS, cloud(0.1, np.array([0.0, 0, 50])))


def test_fisheyes_that_see_90_degrees_or_more_off_their_axes_are_not_seen_through_ndc():
    """The half width of their pictures in focal lengths is an angle, and was taken for a tangent."""
    points = cloud(0.5, np.array([0.0, 0, -5]))
    lens = (np.full(12, value) for value in (100.0, 100.0, 157.0, 120.0, 314.0, 240.0))
    fisheyes = PosedPhotographs(Path(), Path(), "transforms", (), ("",) * 12, row(), *lens, model=FISHEYE)
    assert corner_angles(fisheyes) == pytest.approx(np.degrees(np.hypot(1.57, 1.2)))
    assert fisheyes.tangents == pytest.approx(np.tan(np.radians(60)))
    placed = place(row(), fisheyes.tangents, points, corners=corner_angles(fisheyes))
    assert isinstance(placed.warp, Contraction) and "see up to 1" in placed.reason
    with pytest.raises(ValueError, match="NDC cannot represent it"):
        place(row(), fisheyes.tangents, points, kind="ndc", corners=corner_angles(fisheyes))
    narrow = replace(fisheyes, fx=fisheyes.fx * 3, fy=fisheyes.fy * 3)
    placed = place(row(), narrow.tangents, points, corners=corner_angles(narrow))
    assert (placed.warp.tan_x, placed.warp.tan_y) == pytest.approx((np.tan(1.57 / 3), np.tan(0.4)))


def test_corners_are_seen_through_the_lens():
    """As of a centred picture without distortion these fisheyes see 85 degrees off their axes, and NDC was chosen."""
    angle, k1 = 1.6, -0.03
    radius = 100 * angle * (1 + k1 * angle**2)
    lens = [np.full(12, size) for size in (100.0, 100.0, 0.8 * radius, 0.6 * radius, 1.6 * radius, 1.2 * radius)]
    views = PosedPhotographs(Path(), Path(), "transforms", (), ("",) * 12, row(), *lens, model=FISHEYE)
    views = replace(views, distortion=np.tile([k1, 0, 0, 0, 0, 0.0], (12, 1)))
    assert corner_angles(views) == pytest.approx(np.degrees(angle))
    points = cloud(0.5, np.array([0.0, 0, -5]))
    placed = place(row(), views.tangents, points, corners=corner_angles(views))
    assert isinstance(placed.warp, Contraction) and "see up to 92" in placed.reason
    beside = replace(views, distortion=None, model=PINHOLE, cx=np.zeros(12), cy=np.zeros(12))
    assert corner_angles(beside) == pytest.approx(np.degrees(np.arctan(2 * radius / 100)))


def test_up_can_be_given():
    tilted = place(ring(height=3.0, arc=0.5), TANGENTS, cloud(0.3), kind="contraction", up=UP)
    np.testing.assert_allclose(tilted.motion[:, :3] @ UP, [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("kind", ["ndc", "box", "contraction"])
def test_a_file_has_the_cameras_of_the_training_also_in_map_coordinates(kind):
    """The file's motion is of float32 numbers: in UTM coordinates the cameras moved by centimetres."""
    poses = row() if kind == "ndc" else ring()
    turn = Rotation.from_euler("xyz", [3, 2, 40], degrees=True).as_matrix()
    poses = np.concatenate([turn @ poses[:, :, :3], turn @ poses[:, :, 3:] * 10], axis=2)
    poses[:, :, 3] += [500123.37, 5212345.61, 312.2]
    placed = place(poses, TANGENTS, depths=np.tile([20.0, 90.0], (12, 1)), kind=kind)
    capture = capture_of(placed.moved(poses), Camera(poses[0], 9, 9, 5, 5, 10, 10), placed.motion, placed.scale, True)
    header = header_of(RadianceConfig(), placed.warp, 1.0, capture)
    read = read_header(Container(RADIANCE, header, b"", 0))[3]
    np.testing.assert_allclose(read.to_scene(poses), placed.moved(poses), atol=1e-6)
    assert np.abs(placed.moved(poses)[:, :, 3].mean(0)).max() < 2
