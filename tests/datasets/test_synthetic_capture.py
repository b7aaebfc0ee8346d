"""The generated scene: its files, its geometry, and existing targets."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sinenerf.datasets import synthetic_capture
from sinenerf.datasets.ray_tracer import Box, Sphere, trace
from sinenerf.datasets.still_life import FOCUS, still_life
from sinenerf.datasets.synthetic_capture import camera_poses, generate_scene, pixel_directions, render_view

VIEWS, WIDTH, HEIGHT = 4, 84, 63


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return generate_scene(tmp_path_factory.mktemp("scenes") / "demo", views=VIEWS, width=WIDTH, height=HEIGHT)


@pytest.fixture(scope="module")
def table(scene):
    return np.load(scene / "poses_bounds.npy")


def load_image(scene, view):
    with Image.open(scene / "images" / f"image{view:03d}.png") as image:
        return np.asarray(image, dtype=float) / 255


def render(pose, width=WIDTH, height=HEIGHT):
    directions = pixel_directions(pose[:, :4], width, height)
    colour, depth = trace(still_life(), np.broadcast_to(pose[:, 3:4], directions.shape), directions)
    return colour, depth, pose[:, 3:4] + depth * directions


def project(points, pose):
    """Project world points (3, N) to x, y (in pixels) and depth, by a row of poses_bounds.npy alone."""
    down, right, back = pose[:, :3].T @ (points - pose[:, 3:4])
    height, width, focal = pose[:, 4]
    return width / 2 + focal * right / -back, height / 2 + focal * down / -back, -back


def test_layout(scene, table):
    assert sorted(p.name for p in scene.iterdir()) == ["images", "poses_bounds.npy", "scene.json"]
    assert sorted(p.name for p in (scene / "images").iterdir()) == [f"image{n:03d}.png" for n in range(VIEWS)]
    assert [path.name for path in scene.parent.iterdir()] == ["demo"]
    assert table.shape == (VIEWS, 17)
    assert table.dtype == np.float64
    assert load_image(scene, 0).shape == (HEIGHT, WIDTH, 3)
    hwf = table[:, :15].reshape(-1, 3, 5)[:, :, 4]
    np.testing.assert_allclose(hwf[:, :2], [[HEIGHT, WIDTH]] * VIEWS)
    fov = 2 * np.degrees(np.arctan(WIDTH / 2 / hwf[:, 2]))
    assert ((fov > 55) & (fov < 60)).all()


def test_images_are_photographs_not_flat_or_clipped(scene):
    image = load_image(scene, 0)
    assert image.std() > 0.12
    assert (image > 0.999).all(-1).mean() < 0.02
    assert (image < 0.001).all(-1).mean() < 0.02


def test_rotations_are_right_handed_and_look_at_the_scene(table):
    for pose in table[:, :15].reshape(-1, 3, 5):
        rotation, to_focus = pose[:, :3], np.array(FOCUS) - pose[:, 3]
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert -rotation[:, 2] @ to_focus / np.linalg.norm(to_focus) > 0.99
        assert rotation[1, 0] < -0.9  # down is down


@pytest.mark.parametrize("views", [2, 3, 7, 20, 23])
def test_cameras_are_spread_over_a_plane(views):
    poses = camera_poses(views, seed=1)
    distance = np.linalg.norm(poses[:, :, 3] - FOCUS, axis=1).mean()
    assert poses.shape == (views, 3, 4)
    assert len(np.unique(poses[:, :, 3].round(6), axis=0)) == views
    offsets = (poses[:, :, 3] - poses[:, :, 3].mean(0)) / distance
    assert np.abs(offsets).max() < 0.25
    assert views < 20 or np.abs(offsets[:, 0]).max() > 0.08


def test_bounds_enclose_the_depths(table):
    for row in table:
        _, depth, _ = render(row[:15].reshape(3, 5))
        near, far = row[15:]
        assert 0 < near < depth.min() < depth.max() < far
        assert near > 0.9 * depth.min()
        assert far < 1.1 * depth.max()


def colour_differences(scene, first, second):
    """Colour differences between two photographs at the surface points that both see; poses (3, 5)."""
    points = render(first)[2]
    x, y, z = project(points, second)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = (column >= 0) & (column < WIDTH) & (row >= 0) & (row < HEIGHT)
    seen = np.zeros_like(inside)
    other = render(second)[1].reshape(HEIGHT, WIDTH)
    seen[inside] = np.abs(other[row[inside], column[inside]] / z[inside] - 1) < 0.02
    assert seen.mean() > 0.5
    a, b = (load_image(scene, view) for view in (0, VIEWS - 1))
    return np.abs(a.reshape(-1, 3)[seen] - b[row[seen], column[seen]]).mean(1)


def test_a_point_has_one_colour_in_two_views(scene, table):
    first, second = table[[0, VIEWS - 1], :15].reshape(2, 3, 5)
    right = colour_differences(scene, first, second)
    assert np.median(right) < 0.02
    shifted = second.copy()
    shifted[:, 3] += 0.15 * second[:, 1]
    assert colour_differences(scene, first, shifted).mean() > 1.5 * right.mean()


def test_deterministic(scene, table, tmp_path):
    again = generate_scene(tmp_path / "again", views=VIEWS, width=WIDTH, height=HEIGHT)
    np.testing.assert_array_equal(np.load(again / "poses_bounds.npy"), table)
    np.testing.assert_array_equal(load_image(again, 3), load_image(scene, 3))
    assert not np.array_equal(camera_poses(VIEWS, seed=1), camera_poses(VIEWS, seed=0))


def test_a_second_call_goes_on_where_a_kill_ended_the_first(scene, tmp_path, monkeypatch):
    rendered = []

    def killed_in_the_third(*view):
        rendered.append(view)
        if len(rendered) == 3:
            raise KeyboardInterrupt
        return render_view(*view)

    monkeypatch.setattr(synthetic_capture, "render_view", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        generate_scene(tmp_path / "demo", views=VIEWS, width=WIDTH, height=HEIGHT)
    assert not (tmp_path / "demo").exists()
    generate_scene(tmp_path / "demo", views=VIEWS, width=WIDTH, height=HEIGHT)
    assert len(rendered) == VIEWS + 1 and [path.name for path in tmp_path.iterdir()] == ["demo"]
    for path in scene.rglob("*.*"):
        assert (tmp_path / "demo" / path.relative_to(scene)).read_bytes() == path.read_bytes()


def test_an_existing_scene_is_left_as_it_is(scene):
    before = (scene / "poses_bounds.npy").stat().st_mtime_ns
    assert generate_scene(scene, views=VIEWS, width=WIDTH, height=HEIGHT) == scene
    assert (scene / "poses_bounds.npy").stat().st_mtime_ns == before


def test_an_empty_folder_is_used(tmp_path):
    assert generate_scene(tmp_path, views=2, width=16, height=16) == tmp_path
    assert (tmp_path / "poses_bounds.npy").is_file()


def test_the_current_folder_is_used_if_it_is_empty(tmp_path, monkeypatch):
    """It cannot be replaced: the rendered views were deleted."""
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path / "demo")
    generate_scene(Path("."), views=2, width=16, height=16)
    assert (tmp_path / "demo" / "poses_bounds.npy").is_file() and len(list(tmp_path.iterdir())) == 1


def test_other_settings_are_refused(scene):
    with pytest.raises(ValueError, match="other settings"):
        generate_scene(scene, views=VIEWS, width=WIDTH, height=HEIGHT, seed=1)


def test_an_incomplete_scene_is_refused(tmp_path):
    scene = generate_scene(tmp_path / "demo", views=2, width=16, height=16)
    (scene / "images" / "image001.png").unlink()
    with pytest.raises(ValueError, match="missing files"):
        generate_scene(scene, views=2, width=16, height=16)


@pytest.mark.parametrize("content", [None, "not JSON", "[]", json.dumps({"generator": "another"})])
def test_a_foreign_folder_is_refused(tmp_path, content):
    (tmp_path / "notes.txt").write_text("mine")
    if content is not None:
        (tmp_path / "scene.json").write_text(content)
    with pytest.raises(ValueError, match="not overwritten") as error:
        generate_scene(tmp_path)
    assert "\n" not in str(error.value)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(ValueError, match="not overwritten"):
        generate_scene(tmp_path / "demo")


@pytest.mark.parametrize("size", [{"views": 1}, {"width": 8}, {"height": 0}])
def test_useless_sizes_are_refused(tmp_path, size):
    with pytest.raises(ValueError, match="at least 2 views"):
        generate_scene(tmp_path / "demo", **size)


def test_a_negative_seed_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="seed is -1: it must be 0 or more"):
        generate_scene(tmp_path / "demo", seed=-1)
    assert not list(tmp_path.iterdir())


def white(points):
    return np.ones_like(points)


def test_distances_to_known_shapes():
    scene = (Sphere((0, 0, -5), 1.0, white), Box((3, 0, -5), (0.5, 0.5, 1.0), white))
    origins = np.array([[0, 0, 0], [3, 0, 0], [0, 9, 0]]).T
    colour, distance = trace(scene, origins, np.array([[0, 0, -1]] * 3).T)
    np.testing.assert_allclose(distance, [4, 4, np.inf], rtol=1e-6)
    assert (colour[:, :2] > 0).all()
    assert (colour[:, 2] == 0).all()


def test_turned_box_shows_its_edge():
    distance = trace([Box((0, 0, -5), (1, 1, 1), white, turn=45)], np.zeros((3, 1)), np.array([[0.001, 0, -1]]).T)[1]
    assert distance[0] == pytest.approx(5 - np.sqrt(2), abs=0.01)


def test_shadow_and_highlight():
    floor, ball = Box((0, -1, 0), (9, 1, 9), white, casts_shadow=False), Sphere((0, 1, 0), 0.5, white)
    down, origins = np.array([[0, -1, 0]] * 2).T, np.array([[0, 0.3, 0], [4, 0.3, 0]]).T
    dark, bright = trace([floor, ball], origins, down, light=(0, 5, 0))[0].sum(0)
    assert dark < 0.5 * bright
    glossy = Sphere((0, 1, 0), 0.5, white, gloss=1.0)
    above, straight = np.array([[0, 4, 0]]).T, np.array([[0, -1, 0]]).T
    shine = [trace([shape], above, straight, light=(0, 5, 0))[0].sum() for shape in (ball, glossy)]
    assert shine[1] > shine[0] + 0.5
