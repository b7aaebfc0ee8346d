"""Reading cameras to render, without nerfstudio, from a transforms.json or a poses_bounds.npy."""

from pathlib import Path

import numpy as np

from sinenerf.common.files import check_file
from sinenerf.photographs import camera_numbers as numbers
from sinenerf.photographs.file_paths import FileFinder
from sinenerf.photographs.pictures import size_on_disk
from sinenerf.photographs.posed_photographs import FISHEYE
from sinenerf.photographs.poses_bounds import from_table, read_table
from sinenerf.radiance.cameras import Camera, Capture, Pose
from sinenerf.radiance.lens_distortion import LensDistortion

LARGEST_SIDE = 2**14
"""Of an image to render, in pixels."""


def read_cameras(path: Path, capture: Capture) -> list[Camera]:
    """Read the cameras of a transforms.json (nerfstudio's, Blender's or instant-ngp's) or a poses_bounds.npy.

    Both are in the capture's coordinates. A camera without its own image size or focal length gets that of the training
    photographs, but the size of its own photograph where the file counts in pixels of that. Cameras of a
    transforms.json are named after their photographs if those names are unique; otherwise cameras are numbered.

    Raises:
        FileNotFoundError: the file does not exist.
        IsADirectoryError: it is a folder.
        ValueError: the file is of another kind, a camera is neither a pinhole nor a fisheye, or a number or pose is
            invalid.
    """
    check_file(path, "Give the transforms.json or the poses_bounds.npy in it")
    if path.suffix == ".npy":
        return _read_llff(path, capture)
    if path.suffix == ".json":
        return _read_transforms(path, capture)
    raise ValueError(f"{path}: not a camera file. Give a transforms.json or a poses_bounds.npy")


def _read_llff(path: Path, capture: Capture) -> list[Camera]:
    table, home = read_table(path), capture.home
    views = from_table(table, path, (), tuple(f"{i:05d}" for i in range(len(table))))
    poses = capture.to_scene(views.camera_to_world)
    focal = views.fx * home.width / views.width
    return [
        Camera(pose, f, f, home.width / 2, home.height / 2, home.width, home.height, f"{i:05d}")
        for i, (pose, f) in enumerate(zip(poses, focal.tolist(), strict=True))
    ]


def _read_transforms(path: Path, capture: Capture) -> list[Camera]:
    content, frames = numbers.read_frames(path)
    poses = np.stack([numbers.invertible_of(keys, "transform_matrix", where) for where, keys in frames.items()])
    poses = capture.to_scene(numbers.to_capture(poses, content, path))
    names, finder = _image_names(list(frames.values())), FileFinder(path.parent)
    return [
        _camera(pose, keys, _size(keys, capture.home, finder), capture.home, name, where)
        for pose, name, (where, keys) in zip(poses, names, frames.items(), strict=True)
    ]


def _image_names(frames: list[dict]) -> list[str]:
    """The photographs' file names without extension, or numbers if any of them is missing or not unique."""
    paths = [frame.get("file_path") for frame in frames]
    stems = [Path(path).stem if isinstance(path, str) else "" for path in paths]
    if all(stems) and len({stem.casefold() for stem in stems}) == len(stems):  # some file systems ignore case
        return stems
    return [f"{i:05d}" for i in range(len(frames))]


def _size(keys: dict, home: Camera, finder: FileFinder) -> tuple[int, int]:
    """Width and height where the file gives none: home's, or the photograph's if the file counts in its pixels."""
    in_pixels = {"fl_x", "fl_y", "cx", "cy"} & set(keys) and not {"w", "h"} <= set(keys)
    picture = finder.find(str(keys.get("file_path", ""))) if in_pixels else None
    return (home.width, home.height) if picture is None else size_on_disk(picture)


def _camera(pose: Pose, keys: dict, size: tuple[int, int], home: Camera, name: str, where: str) -> Camera:
    fisheye = numbers.camera_model(keys, where, "Render the run with ns-render") == FISHEYE
    width = int(numbers.number(keys, "w", size[0], 1, LARGEST_SIDE, where))
    height = int(numbers.number(keys, "h", size[1], 1, LARGEST_SIDE, where))
    own_fx = numbers.focal_length(keys, "x", width, where)
    own_fy = numbers.focal_length(keys, "y", height, where)
    fx = own_fx or own_fy or home.fx * width / home.width
    fy = own_fy or own_fx or home.fy * height / home.height
    cx, cy = numbers.principal_point(keys, width, height, where)
    distortion = LensDistortion(*numbers.distortion_of(keys, where), fisheye=fisheye)
    return Camera(pose, fx, fy, cx, cy, width, height, name, distortion)
