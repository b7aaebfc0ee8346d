"""The `sine-data` parser: cameras, warp, box and transform of captures of every kind."""

import shutil

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from support.capture_layouts import blender_data, colmap_data, nerfstudio_data

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin.dataparser import SineDataParserConfig
from sinenerf.radiance.warps import NDC


def parse(scene, split="train", **options):
    return SineDataParserConfig(data=scene, **options).setup().get_dataparser_outputs(split=split)


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


@pytest.mark.parametrize("layout", [nerfstudio_data, blender_data, colmap_data])
def test_other_kinds_give_the_same_views(layout, scene, tmp_path):
    layout(scene, tmp_path)
    ours, expected = parse(tmp_path, warp="box"), parse(scene, warp="box")
    count = 9 if layout is blender_data else 7  # Blender's files name the held-out views
    assert len(ours.image_filenames) == count and not {"ndc", "contraction"} & set(ours.metadata)
    torch.testing.assert_close(ours.cameras.fx[:7], expected.cameras.fx)
    if layout is not blender_data:
        torch.testing.assert_close(
            ours.cameras.camera_to_worlds, expected.cameras.camera_to_worlds, atol=1e-5, rtol=1e-5
        )
        torch.testing.assert_close(ours.dataparser_transform, expected.dataparser_transform, atol=1e-5, rtol=1e-5)


def turned(scene, degrees, view=5):
    """The scene, with a camera turned about its own vertical axis."""
    table = np.load(scene / "poses_bounds.npy")
    pose = table[view, :15].reshape(3, 5)
    axis = np.radians(degrees) * pose[:, 0]
    pose[:, :3] = Rotation.from_rotvec(axis).as_matrix() @ pose[:, :3]
    np.save(scene / "poses_bounds.npy", table)


def test_a_capture_from_all_sides_is_contracted(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    assert "ndc" in parse(copy).metadata
    turned(copy, 150)
    assert "contraction" in parse(copy).metadata
    with pytest.raises(SystemExit, match=r"poses_bounds.npy: view 5 looks 1[34]\d degrees away .*contraction$"):
        parse(copy, warp="ndc")
    assert not {"ndc", "contraction"} & set(parse(copy, warp="box").metadata)


@pytest.mark.parametrize("setting", [{"downscale_factor": 0}, {"downscale_factor": -2}, {"widest": 0}])
def test_settings_that_are_not_positive_are_refused(scene, setting):
    (name,) = setting
    with pytest.raises(SystemExit, match=f"^sinenerf: --{name.replace('_', '-')} is .*positive"):
        parse(scene, **setting)


def test_photographs_too_small_to_shrink_are_refused(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    with pytest.raises(SystemExit, match=r"image000.png: 48x36 pixels are too few for 1/1000 of the size"):
        parse(copy, downscale_factor=1000)
    assert not (copy / "images_1000").exists()


def test_a_broken_scene_ends_the_program_with_one_line(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    (copy / "poses_bounds.npy").unlink()
    with pytest.raises(SystemExit, match=r"^sinenerf: .*has photographs, but no cameras: no poses_bounds.npy") as stop:
        parse(copy)
    assert "\n" not in str(stop.value)
    with pytest.raises(SystemExit, match="no such folder"):
        parse(tmp_path / "nowhere")
