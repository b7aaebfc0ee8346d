"""Blender, nerfstudio and COLMAP data through nerfstudio's own parsers: a scene box stands in for NDC."""

import json
import shutil

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_commands import TINY, run

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
pytestmark = pytest.mark.slow


def opengl_poses(scene):
    """(N, 4, 4) camera-to-world, x right, y up, z backwards; and height, width, focal length."""
    table = np.load(scene / "poses_bounds.npy")[:, :15].reshape(-1, 3, 5)
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    poses[:, :3] = np.stack([table[:, :, 1], -table[:, :, 0], table[:, :, 2], table[:, :, 3]], axis=2)
    return poses, table[0, :, 4]


def names(scene):
    return sorted(path.name for path in (scene / "images").iterdir())


def nerfstudio_data(scene, target):
    poses, (height, width, focal) = opengl_poses(scene)
    shutil.copytree(scene / "images", target / "images")
    camera = {"fl_x": focal, "fl_y": focal, "cx": width / 2, "cy": height / 2, "w": int(width), "h": int(height)}
    frames = [
        {"file_path": f"images/{name}", "transform_matrix": pose.tolist()}
        for name, pose in zip(names(scene), poses, strict=True)
    ]
    (target / "transforms.json").write_text(json.dumps({**camera, "camera_model": "OPENCV", "frames": frames}))
    return "nerfstudio-data", ["--eval-mode", "interval"]


def blender_data(scene, target):
    poses, (_, width, focal) = opengl_poses(scene)
    shutil.copytree(scene / "images", target / "train")
    frames = [
        {"file_path": f"./train/{name.removesuffix('.png')}", "transform_matrix": pose.tolist()}
        for name, pose in zip(names(scene), poses, strict=True)
    ]
    angle = 2 * np.arctan(width / (2 * focal))
    for split in ("train", "val", "test"):
        (target / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))
    return "blender-data", []


def colmap_data(scene, target):
    poses, (height, width, focal) = opengl_poses(scene)
    shutil.copytree(scene / "images", target / "images")
    model = target / "sparse"
    model.mkdir()
    (model / "cameras.txt").write_text(
        f"1 PINHOLE {int(width)} {int(height)} {focal} {focal} {width / 2} {height / 2}\n"
    )
    lines = []
    for index, (name, pose) in enumerate(zip(names(scene), poses, strict=True), start=1):
        rotation = (pose[:3, :3] * [1, -1, -1]).T  # world to camera, y down and z forwards
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        translation = -rotation @ pose[:3, 3]
        lines += [" ".join(map(str, [index, w, x, y, z, *translation, 1, name])), "0 0 -1"]
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    (model / "points3D.txt").write_text("")
    return "colmap", ["--colmap-path", "sparse", "--load-3D-points", "False", "--downscale-factor", "1"]


@pytest.mark.parametrize("layout", [nerfstudio_data, blender_data, colmap_data])
def test_other_data_trains_evaluates_and_exports(layout, scene, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    parser, options = layout(scene, data)
    run(
        "ns-train",
        "sine-nerf-small",
        *TINY,
        "--max-num-iterations=60",
        f"--output-dir={tmp_path}/runs",
        f"--data={data}",
        parser,
        *options,
    )
    config = next(tmp_path.rglob("config.yml"))
    run("ns-eval", f"--load-config={config}", f"--output-path={tmp_path}/metrics.json")
    assert np.isfinite(json.loads((tmp_path / "metrics.json").read_text())["results"]["psnr"])
    mesh = ["--output", tmp_path / "scene.ply", "--resolution", 24, "--min-faces", 1, "--no-seen-only"]
    run("sinenerf", "export-mesh", config.parent, *mesh)
    assert (tmp_path / "scene.ply").stat().st_size > 500
