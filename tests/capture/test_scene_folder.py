"""A captured scene as other programs read it: nerfstudio's parsers, COLMAP, and any reader of PLY."""

import json
import os

import numpy as np
import pytest
import trimesh
from PIL import Image


@pytest.fixture(scope="module")
def transforms(captured):
    return json.loads((captured.scene / "transforms.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model(captured):
    import pycolmap

    return pycolmap.Reconstruction(captured.scene / "colmap" / "sparse" / "0")


def test_files(captured):
    assert sorted(path.name for path in captured.scene.iterdir()) == [
        "capture.json",
        "colmap",
        "contact_sheet.jpg",
        "images",
        "masks",
        "sparse",
        "sparse_pc.ply",
        "transforms.json",
    ]
    assert all(name.isascii() and " " not in name for name in captured.placed)
    assert sorted(os.listdir(captured.scene / "images")) == sorted(captured.placed)


def test_photographs_have_the_sizes_that_their_cameras_say(captured, transforms):
    for frame in transforms["frames"]:
        for name in (frame["file_path"], frame["mask_path"]):
            with Image.open(captured.scene / name) as image:
                assert image.size == (frame["w"], frame["h"]) and image.height > image.width


def test_points_are_seen_where_the_features_are(model, transforms):
    """Projected by transforms.json's numbers alone, each point lies at its feature of COLMAP's model."""
    frames = {frame["file_path"].removeprefix("images/"): frame for frame in transforms["frames"]}
    assert set(frames) == {model.images[i].name for i in model.reg_image_ids()}
    for image in model.images.values():
        frame = frames[image.name]
        seen = [point for point in image.points2D if point.has_point3D()]
        world = np.array([model.points3D[point.point3D_id].xyz for point in seen])
        pose = np.array(frame["transform_matrix"])
        local = (world - pose[:3, 3]) @ pose[:3, :3]
        pixels = local[:, :2] / -local[:, 2:] * [frame["fl_x"], -frame["fl_y"]] + [frame["cx"], frame["cy"]]
        distance = np.linalg.norm(pixels - [point.xy for point in seen], axis=1)
        assert len(seen) > 50 and np.median(distance) < 0.7


def test_the_points_are_the_models_and_coloured(captured, model):
    cloud = trimesh.load(captured.scene / "sparse_pc.ply")
    assert len(cloud.vertices) == captured.points == model.num_points3D() > 300
    points = np.array([point.xyz for point in model.points3D.values()])
    np.testing.assert_allclose(cloud.vertices, points, atol=1e-5)
    assert np.asarray(cloud.colors)[:, :3].std() > 20


def test_z_is_up_and_the_cameras_are_at_a_mean_distance_of_one(captured, transforms):
    poses = np.array([frame["transform_matrix"] for frame in transforms["frames"]])
    assert poses[:, 2, 1].min() > 0.75
    assert np.linalg.norm(poses[:, :3, 3], axis=1).mean() == pytest.approx(1, abs=0.05)
    cloud = trimesh.load(captured.scene / "sparse_pc.ply")
    np.testing.assert_allclose(np.median(cloud.vertices, axis=0), 0, atol=1e-4)


def test_masks_leave_out_what_the_users_masks_left_out(captured, model):
    covered = {}
    names = {source: name for name, source in captured.placed.items()}
    for source in ("with alpha.png", "with mask.jpg", "nine.jpg"):
        name = names[source]
        with Image.open(captured.scene / "masks" / f"{name}.png") as image:
            mask = np.asarray(image)
        covered[source] = (mask == 0).mean()
        image = next(image for image in model.images.values() if image.name == name)
        columns, rows = np.array([point.xy for point in image.points2D]).astype(int).T
        inside = (columns >= 0) & (rows >= 0) & (columns < mask.shape[1]) & (rows < mask.shape[0])
        assert (mask[rows[inside], columns[inside]] == 255).mean() > 0.98
    assert covered["with alpha.png"] == pytest.approx(60 / 426, abs=0.04)
    assert covered["with mask.jpg"] == pytest.approx(126 / 426 / 2, abs=0.04)
    assert covered["nine.jpg"] == 0


@pytest.mark.slow
def test_nerfstudios_parsers_read_the_same_cameras(captured, transforms):
    import torch
    from nerfstudio.data.dataparsers.colmap_dataparser import ColmapDataParserConfig
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    plain = {"orientation_method": "none", "center_method": "none", "auto_scale_poses": False, "eval_mode": "all"}
    config = NerfstudioDataParserConfig(data=captured.scene, load_3D_points=True, **plain)
    ours = config.setup().get_dataparser_outputs("train")
    order = np.argsort([frame["file_path"] for frame in transforms["frames"]])
    poses = np.array([transforms["frames"][i]["transform_matrix"] for i in order])[:, :3]
    assert [path.name for path in ours.image_filenames] == sorted(captured.placed)
    np.testing.assert_allclose(ours.cameras.camera_to_worlds.numpy(), poses, atol=1e-5)
    torch.testing.assert_close(ours.dataparser_transform[:3, :3], torch.eye(3))
    assert len(ours.metadata["points3D_xyz"]) == captured.points
    colmap = ColmapDataParserConfig(data=captured.scene, downscale_factor=1, **plain)
    theirs = colmap.setup().get_dataparser_outputs("train")
    places = [path.name for path in theirs.image_filenames]
    assert sorted(places) == sorted(captured.placed)
    same = [places.index(path.name) for path in ours.image_filenames]
    for name in ("fx", "fy", "cx", "cy", "width", "height"):
        values, expected = getattr(theirs.cameras, name)[same].float(), getattr(ours.cameras, name).float()
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-3)


def test_the_model_is_where_splatting_programs_look_too(captured):
    first, second = captured.scene / "colmap" / "sparse" / "0", captured.scene / "sparse" / "0"
    assert sorted(os.listdir(first)) == sorted(os.listdir(second))
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes()
