"""The `llff-data` parser: what nerfstudio gets to see of a scene."""

import shutil

import numpy as np
import pytest
import torch

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.nerf.dataparser import LLFFDataParserConfig
from sinenerf.nerf.warp import NDC


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


def test_the_transform_undoes_itself(scene):
    """Points of the capture's own coordinates, moved as the parser says, project where the capture has them."""
    parsed = parse(scene)
    table = np.load(scene / "poses_bounds.npy")[1, :15].reshape(3, 5)  # the first training view
    position = torch.from_numpy(table[:, 3]).float()
    moved = parsed.dataparser_scale * (
        parsed.dataparser_transform[:, :3] @ position + parsed.dataparser_transform[:, 3]
    )
    torch.testing.assert_close(moved, parsed.cameras.camera_to_worlds[0, :, 3], atol=1e-5, rtol=1e-5)


def test_a_pixels_ray_fills_the_cube(scene):
    """The corner of the mean camera's picture is the corner of the NDC cube."""
    parsed = parse(scene)
    warp = NDC(**parsed.metadata["ndc"])
    corner = torch.tensor([[warp.tan_x, warp.tan_y, -1.0]])
    torch.testing.assert_close(warp.warp_points(3 * corner)[:, :2], torch.ones(1, 2))
    assert warp.tan_x == pytest.approx(float(parsed.cameras.width[0] / (2 * parsed.cameras.fx[0])))


def test_spherified_scenes_have_a_box_in_place_of_ndc(scene):
    parsed = parse(scene, spherify=True)
    assert parsed.metadata == {}
    assert torch.equal(parsed.scene_box.aabb, torch.tensor([[-1.0] * 3, [1.0] * 3]))


def test_a_broken_scene_ends_the_program_with_one_line(scene, tmp_path):
    copy = shutil.copytree(scene, tmp_path / "scene")
    (copy / "poses_bounds.npy").unlink()
    with pytest.raises(SystemExit, match=r"^sinenerf: .*poses_bounds.npy: no such file") as stop:
        parse(copy)
    assert "\n" not in str(stop.value)
    with pytest.raises(SystemExit, match="no such folder"):
        parse(tmp_path / "nowhere")
