"""Photographs from around the table: their files, their true cameras, exposures, and existing targets."""

import json
import shutil

import numpy as np
import pytest
import trimesh
from PIL import Image

from sinenerf.datasets import orbit_capture
from sinenerf.datasets.orbit_cameras import OrbitSettings, gains, orbit_poses
from sinenerf.datasets.orbit_capture import generate_orbit, render_geometry, render_light

SETTINGS = OrbitSettings(views=6, width=72, height=96, samples=1, turn=90)


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    return generate_orbit(tmp_path_factory.mktemp("orbits") / "room", SETTINGS)


@pytest.fixture(scope="module")
def capture(orbit):
    return json.loads((orbit / "transforms.json").read_text())


def load(path):
    with Image.open(path) as image:
        return np.asarray(image)


def seen_at(capture, frame, points):
    """Pixel coordinates (N, 2) and depths (N,) of points by transforms.json alone, with OpenCV's model of the lens."""
    pose = np.array(frame["transform_matrix"])
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = -local[:, 2]
    x, y = local[:, 0] / depth, -local[:, 1] / depth
    square = x * x + y * y
    radial = 1 + capture["k1"] * square + capture["k2"] * square**2
    focal = np.array([capture["fl_x"], capture["fl_y"]])
    return np.stack([x * radial, y * radial], axis=1) * focal + [capture["cx"], capture["cy"]], depth


def test_files(orbit, capture):
    assert sorted(path.name for path in orbit.iterdir()) == [
        "images",
        "objects",
        "points.ply",
        "scene.json",
        "transforms.json",
    ]
    assert [frame["file_path"] for frame in capture["frames"]] == [f"images/view_{n:03d}.jpg" for n in range(6)]
    for frame in capture["frames"]:
        photograph = load(orbit / frame["file_path"])
        assert photograph.shape == (96, 72, 3) and photograph.std() > 25
    assert [path.name for path in orbit.parent.iterdir()] == ["room"]
    with Image.open(orbit / "images/view_000.jpg") as image:
        assert image.getexif().get_ifd(0x8769)[0xA405] == 27


def test_the_true_cameras_see_each_point_where_it_was_rendered(capture):
    _, points = render_geometry(SETTINGS, orbit_poses(SETTINGS)[2])
    pixels, depth = seen_at(capture, capture["frames"][2], points.reshape(-1, 3) @ orbit_capture.TO_Z_UP.T)
    x, y = np.meshgrid(np.arange(72) + 0.5, np.arange(96) + 0.5)
    assert (depth > 0).all()
    np.testing.assert_allclose(pixels, np.stack([x.ravel(), y.ravel()], axis=1), atol=0.02)


def test_points_lie_on_surfaces_that_photographs_show_in_their_colours(orbit, capture):
    cloud = trimesh.load(orbit / "points.ply")
    points, colours = np.asarray(cloud.vertices), np.asarray(cloud.colors)[:, :3]
    assert len(points) == 6 * orbit_capture.POINTS
    first = slice(0, orbit_capture.POINTS)
    pixels, _ = seen_at(capture, capture["frames"][0], points[first])
    column, row = np.floor(pixels.T).astype(int)
    np.testing.assert_array_equal(load(orbit / "images/view_000.jpg")[row, column], colours[first])


def test_masks_separate_the_table_from_the_room(orbit):
    front, points = render_geometry(SETTINGS, orbit_poses(SETTINGS)[1])
    np.testing.assert_array_equal(load(orbit / "objects/view_001.png") == 255, front)
    distance = np.linalg.norm(points[..., [0, 2]], axis=-1)
    assert distance[front].max() < 3.2
    assert np.median(distance[~front]) > 4


def test_each_photograph_has_its_own_exposure(orbit, capture):
    gain = gains(SETTINGS)
    np.testing.assert_allclose([frame["gain"] for frame in capture["frames"]], gain)
    assert gain.max() > 1.15 * gain.min()
    light = render_light(SETTINGS, orbit_poses(SETTINGS)[3]) * gain[3]
    encoded = load(orbit / "images/view_003.jpg") / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    assert np.median(np.abs(linear - np.clip(light, 0, 1))) < 0.02


def test_the_cameras_go_around_the_table_and_look_at_it():
    poses = orbit_poses(OrbitSettings(views=24))
    angle = np.unwrap(np.arctan2(poses[:, 0, 3], poses[:, 2, 3]))
    assert 320 < np.degrees(angle[-1] - angle[0]) < 360
    np.testing.assert_allclose(
        poses[:, :, :3].swapaxes(1, 2) @ poses[:, :, :3], np.broadcast_to(np.eye(3), (24, 3, 3)), atol=1e-12
    )
    assert np.linalg.det(poses[:, :, :3]) == pytest.approx(np.ones(24))
    assert (poses[:, 1, 1] > 0.7).all()


def test_a_second_call_goes_on_where_a_kill_ended_the_first(orbit, tmp_path, monkeypatch):
    rendered = []

    def killed_in_the_third(settings, pose):
        if len(rendered) == 3:
            raise KeyboardInterrupt
        rendered.append(pose)
        return render_light(settings, pose)

    monkeypatch.setattr(orbit_capture, "render_light", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        generate_orbit(tmp_path / "room", SETTINGS)
    assert not (tmp_path / "room").exists()
    monkeypatch.setattr(orbit_capture, "render_light", lambda *args: rendered.append(args) or render_light(*args))
    generate_orbit(tmp_path / "room", SETTINGS)
    assert len(rendered) == 6
    for path in (*(orbit / "images").iterdir(), orbit / "transforms.json", orbit / "points.ply"):
        assert (tmp_path / "room" / path.relative_to(orbit)).read_bytes() == path.read_bytes()


def test_existing_targets(orbit, tmp_path):
    before = (orbit / "transforms.json").stat().st_mtime_ns
    assert generate_orbit(orbit, SETTINGS) == orbit
    assert (orbit / "transforms.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="other settings"):
        generate_orbit(orbit, OrbitSettings(views=7))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="not overwritten"):
        generate_orbit(tmp_path, SETTINGS)
    with pytest.raises(ValueError, match="at least 2 views"):
        OrbitSettings(views=1)
    with pytest.raises(ValueError, match="seed is -1: it must be 0 or more"):
        OrbitSettings(seed=-1)


def test_a_scene_without_one_of_its_photographs_is_not_complete(orbit, tmp_path):
    scene = shutil.copytree(orbit, tmp_path / "room")
    (scene / "images" / "view_004.jpg").unlink()
    with pytest.raises(ValueError, match="missing files"):
        generate_orbit(scene, SETTINGS)
