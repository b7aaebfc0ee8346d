"""The `llff-data` parser: the cameras, box and transform of a scene, and the scenes that it refuses."""

import shutil

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin.dataparser import LLFFDataParserConfig
from sinenerf.radiance.warps import NDC


def parse(scene, split="train", **options):
    return LLFFDataParserConfig(data=scene, **options).setup().get_dataparser_outputs(split=split)


def test_split_and_cameras(scene):
    train, test = parse(scene), parse(scene, "test")
    assert [p.name for p in test.image_filenames] == ["image000.png", "image008.png"]
    assert len(train.image_filenames) == len(train.cameras) == 7
    focal = np.load(scene / "poses_bounds.npy")[0, 14]
    torch.testing.assert_close(train.cameras.fx, torch.full((7, 1), focal, dtype=torch.float32))
    assert (train.cameras.width == 48).all() and (train.cameras.cx == 24).all()


def test_focal_length_scales_with_the_photographs(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    half = parse(copy, downscale_factor=2)
    assert (half.cameras.width == 24).all() and (copy / "images_2").is_dir()
    torch.testing.assert_close(half.cameras.fx, parse(copy, downscale_factor=1).cameras.fx / 2)
    assert half.metadata == parse(copy, downscale_factor=1).metadata  # the cube is the same


def test_the_transform_maps_the_captures_cameras_to_the_parsers(scene):
    """A camera in the capture's coordinates, moved by the parser's transform, is the parser's camera."""
    parsed = parse(scene)
    table = np.load(scene / "poses_bounds.npy")[1, :15].reshape(3, 5)  # the first training view
    position = torch.from_numpy(table[:, 3]).float()
    moved = parsed.dataparser_scale * (
        parsed.dataparser_transform[:, :3] @ position + parsed.dataparser_transform[:, 3]
    )
    torch.testing.assert_close(moved, parsed.cameras.camera_to_worlds[0, :, 3], atol=1e-5, rtol=1e-5)


def test_the_mean_cameras_frustum_fills_the_cube(scene):
    """The corner of the mean camera's image is the corner of the NDC cube."""
    parsed = parse(scene)
    warp = NDC(**parsed.metadata["ndc"])
    corner = torch.tensor([[warp.tan_x, warp.tan_y, -1.0]])
    torch.testing.assert_close(warp.warp_points(3 * corner)[:, :2], torch.ones(1, 2))
    assert warp.tan_x == pytest.approx(float(parsed.cameras.width[0] / (2 * parsed.cameras.fx[0])))


def test_spherified_scenes_have_a_box_instead_of_ndc(scene):
    parsed = parse(scene, spherify=True)
    assert parsed.metadata == {}
    low, high = parsed.scene_box.aabb
    far = torch.from_numpy(np.load(scene / "poses_bounds.npy")[1:8, 16]).float() * parsed.dataparser_scale
    for camera, focal, depth in zip(parsed.cameras.camera_to_worlds, parsed.cameras.fx, far, strict=True):
        corners = torch.tensor([[x, y, -1.0] for x in (-24 / focal, 24 / focal) for y in (-18 / focal, 18 / focal)])
        seen = (depth * corners) @ camera[:, :3].T + camera[:, 3]
        assert (seen >= low - 1e-5).all() and (seen <= high + 1e-5).all()
    assert (low <= -1).all() and (high >= 1).all()


def test_one_very_far_bound_does_not_enlarge_the_box_without_limit(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    table = np.load(copy / "poses_bounds.npy")
    table[3, 16] = 1e6
    np.save(copy / "poses_bounds.npy", table)
    assert parse(copy, spherify=True).scene_box.aabb.abs().max() == 8
    assert parse(copy, spherify=True, box_limit=4.0).scene_box.aabb.abs().max() == 4


def turned(scene, degrees, view=5):
    """The scene, with a camera turned about its own vertical axis."""
    table = np.load(scene / "poses_bounds.npy")
    pose = table[view, :15].reshape(3, 5)
    axis = np.radians(degrees) * pose[:, 0]
    pose[:, :3] = Rotation.from_rotvec(axis).as_matrix() @ pose[:, :3]
    np.save(scene / "poses_bounds.npy", table)


def test_a_capture_from_all_sides_is_not_forward_facing(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    turned(copy, 40)
    parse(copy)
    turned(copy, 110)
    message = r"image005.png: view 5 looks 1[34]\d degrees away .* llff-data --spherify True$"
    with pytest.raises(SystemExit, match=message):
        parse(copy)
    parse(copy, spherify=True)


def test_a_ring_around_an_object_is_not_forward_facing(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    table = np.load(copy / "poses_bounds.npy")
    for view, row in enumerate(table):
        pose = row[:15].reshape(3, 5)
        turn = Rotation.from_euler("YX", [40 * view, -20], degrees=True).as_matrix()
        pose[:, 0], pose[:, 1], pose[:, 2], pose[:, 3] = -turn[:, 1], turn[:, 0], turn[:, 2], 4 * turn[:, 2]
    np.save(copy / "poses_bounds.npy", table)
    with pytest.raises(SystemExit, match=r"looks 70 degrees away .* its corners 90 or more"):
        parse(copy)
    parse(copy, spherify=True)


@pytest.mark.parametrize(
    "setting", [{"downscale_factor": 0}, {"downscale_factor": -2}, {"widest": 0}, {"bound_factor": 0.0}]
)
def test_settings_that_are_not_positive_are_refused(scene, setting):
    (name,) = setting
    with pytest.raises(SystemExit, match=f"^sinenerf: --{name.replace('_', '-')} is .*positive"):
        parse(scene, **setting)


def test_photographs_too_small_to_shrink_are_refused(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    with pytest.raises(SystemExit, match=r"image000.png: 48x36 pixels are too few for 1/1000 of the size"):
        parse(copy, downscale_factor=1000)
    assert not (copy / "images_1000").exists()


@pytest.mark.parametrize(
    ("name", "parser"),
    [
        ("transforms.json", "nerfstudio-data"),
        ("transforms_train.json", "blender-data"),
        ("colmap/sparse/0", "colmap"),
        ("sparse/0", "colmap --colmap-path sparse/0"),
    ],
)
def test_error_names_the_parser_of_another_kind_of_capture(tmp_path, name, parser):
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(SystemExit, match=f"has {name} .* --data {tmp_path} {parser}$"):
        parse(tmp_path)


def test_a_broken_scene_ends_the_program_with_one_line(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    (copy / "poses_bounds.npy").unlink()
    with pytest.raises(SystemExit, match=r"^sinenerf: .*poses_bounds.npy: no such file") as stop:
        parse(copy)
    assert "\n" not in str(stop.value)
    with pytest.raises(SystemExit, match="no such folder"):
        parse(tmp_path / "nowhere")
