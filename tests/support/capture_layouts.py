"""An LLFF scene written in the layouts of nerfstudio's parsers. Each function returns the parser's name and options."""

import json
import shutil

import numpy as np
from scipy.spatial.transform import Rotation

SCALE = ["--scene-scale", "16"]


def opengl_poses(scene):
    """Camera-to-world poses (N, 4, 4) in OpenGL axes (x right, y up, z backwards); height, width and focal length."""
    table = np.load(scene / "poses_bounds.npy")[:, :15].reshape(-1, 3, 5)
    poses = np.tile(np.eye(4), (len(table), 1, 1))
    poses[:, :3] = np.stack([table[:, :, 1], -table[:, :, 0], table[:, :, 2], table[:, :, 3]], axis=2)
    return poses, table[0, :, 4]


def image_names(scene):
    return sorted(path.name for path in (scene / "images").iterdir())


def nerfstudio_data(scene, target):
    """Convert a scene to a transforms.json."""
    poses, (height, width, focal) = opengl_poses(scene)
    shutil.copytree(scene / "images", target / "images")
    camera = {"fl_x": focal, "fl_y": focal, "cx": width / 2, "cy": height / 2, "w": int(width), "h": int(height)}
    frames = [
        {"file_path": f"images/{name}", "transform_matrix": pose.tolist()}
        for name, pose in zip(image_names(scene), poses, strict=True)
    ]
    (target / "transforms.json").write_text(json.dumps({**camera, "camera_model": "OPENCV", "frames": frames}))
    return "nerfstudio-data", ["--eval-mode", "interval", *SCALE]


def blender_data(scene, target):
    """Convert a scene to transforms_{train,val,test}.json."""
    poses, (_, width, focal) = opengl_poses(scene)
    shutil.copytree(scene / "images", target / "train")
    frames = [
        {"file_path": f"./train/{name.removesuffix('.png')}", "transform_matrix": pose.tolist()}
        for name, pose in zip(image_names(scene), poses, strict=True)
    ]
    angle = 2 * np.arctan(width / (2 * focal))
    for split in ("train", "val", "test"):
        (target / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))
    return "blender-data", []


def colmap_data(scene, target):
    """Convert a scene to a COLMAP text model."""
    poses, (height, width, focal) = opengl_poses(scene)
    shutil.copytree(scene / "images", target / "images")
    model = target / "sparse"
    model.mkdir()
    (model / "cameras.txt").write_text(
        f"1 PINHOLE {int(width)} {int(height)} {focal} {focal} {width / 2} {height / 2}\n"
    )
    lines = []
    for index, (name, pose) in enumerate(zip(image_names(scene), poses, strict=True), start=1):
        rotation = (pose[:3, :3] * [1, -1, -1]).T  # world to camera, y down and z forwards
        x, y, z, w = Rotation.from_matrix(rotation).as_quat()
        translation = -rotation @ pose[:3, 3]
        lines += [" ".join(map(str, [index, w, x, y, z, *translation, 1, name])), "0 0 -1"]
    (model / "images.txt").write_text("\n".join(lines) + "\n")
    (model / "points3D.txt").write_text("")
    return "colmap", ["--colmap-path", "sparse", "--load-3D-points", "False", "--downscale-factor", "1", *SCALE]
