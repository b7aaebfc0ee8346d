"""Reading captures of a transforms.json: nerfstudio's, instant-ngp's, or Blender's set of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sinenerf.photographs import camera_numbers as numbers
from sinenerf.photographs.camera_checks import check_cameras
from sinenerf.photographs.file_paths import FileFinder, check_placed, find_masks, name_below, without_missing
from sinenerf.photographs.pictures import size_on_disk
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs

SPLITS = ("train", "val", "test")


def read_transforms(path: Path, strict: bool = False) -> PosedPhotographs:
    """Read a transforms.json: cameras in its own pixels, photographs that exist.

    Args:
        path: the file. Of Blender's transforms_train.json the set is read: those of transforms_test.json are held out.
        strict: refuse missing photographs.

    Raises:
        CaptureError: a camera is invalid, or too many photographs are missing.
    """
    content, frames = numbers.read_frames(path)
    held_out: set[str] = set()
    if path.name == "transforms_train.json" and (other := path.with_name("transforms_test.json")).is_file():
        _, tested = numbers.read_frames(other)
        frames |= tested
        held_out = set(tested)
    places = sorted(frames, key=lambda where: _file_path(frames[where], where).replace("\\", "/"))
    finder = FileFinder(path.parent)
    wanted = [_file_path(frames[where], where) for where in places]
    found = [finder.find(name) for name in wanted]
    photographs = _cameras(content, [frames[where] for where in places], places, found, path)
    check_cameras(photographs, [f"{where} ({name})" for where, name in zip(places, wanted, strict=True)])
    named = tuple(p or path.parent / name for p, name in zip(found, wanted, strict=True))
    photographs = replace(
        photographs,
        paths=named,
        names=tuple(name_below(path.parent, p) for p in named),
        masks=_masks([frames[where] for where in places], places, finder),
        named_held_out=_held_out(content, wanted, places, held_out, path),
        points=_points(content, path),
    )
    photographs = without_missing(photographs, [p is not None for p in found], strict, wanted)
    if len(set(photographs.paths)) < len(photographs):
        double = next(p for p in photographs.paths if photographs.paths.count(p) > 1)
        photographs = photographs.noted(f"{path}: {double.name} has several frames")
    return find_masks(check_placed(photographs))


def _file_path(keys: dict[str, Any], where: str) -> str:
    name = keys.get("file_path")
    if not isinstance(name, str) or not name.strip():
        raise CaptureError(f"{where}: has no file_path, so it has no photograph. Add it, or remove the frame")
    return name


def _cameras(
    content: dict[str, Any], frames: list[dict[str, Any]], places: list[str], found: list[Path | None], path: Path
) -> PosedPhotographs:
    """The views without photographs."""
    poses, lenses, distortion, models = [], [], [], set[str]()
    for keys, where, picture in zip(frames, places, found, strict=True):
        poses.append(numbers.matrix_of(keys, "transform_matrix", where))
        lenses.append(lens_of(keys, where, picture))
        distortion.append(numbers.distortion_of(keys, where))
        models.add(numbers.camera_model(keys, where, "Undistort the photographs"))
    placed = numbers.to_capture(np.stack(poses), content, path)
    return PosedPhotographs.of_cameras("transforms", path, path.parent, places, placed, lenses, distortion, models)


def lens_of(keys: dict[str, Any], where: str, picture: Path | None) -> tuple[float, ...]:
    """fx, fy, cx, cy, width, height in pixels: of the photograph on the disk where the file gives no size.

    Raises:
        CaptureError: the focal length is not known, or a number is out of bounds.
    """
    found = (1, 1) if picture is None or ("w" in keys and "h" in keys) else size_on_disk(picture)
    width, height = numbers.size_of(keys, found, where)
    fx, fy = numbers.focal_length(keys, "x", width, where), numbers.focal_length(keys, "y", height, where)
    if fx is None and fy is None:
        raise CaptureError(f"{where}: has neither fl_x nor camera_angle_x: its focal length is not known. Add one")
    cx, cy = numbers.principal_point(keys, width, height, where)
    return fx or fy or np.nan, fy or fx or np.nan, cx, cy, width, height


def _masks(frames: list[dict[str, Any]], places: list[str], finder: FileFinder) -> tuple[Path | None, ...] | None:
    masks: list[Path | None] = []
    for keys, where in zip(frames, places, strict=True):
        name = keys.get("mask_path")
        masks.append(finder.find(name) if isinstance(name, str) else None)
        if name is not None and masks[-1] is None:
            raise CaptureError(f"{where}: its mask {name} is not there. Copy it to its place, or remove mask_path")
    return tuple(masks) if any(masks) else None


def _held_out(
    content: dict[str, Any], wanted: list[str], places: list[str], tested: set[str], path: Path
) -> tuple[int, ...] | None:
    """Views that a second file, or lists of file names, hold out."""
    if tested:
        return tuple(i for i, where in enumerate(places) if where in tested)
    for split in ("test", "val"):
        names = content.get(f"{split}_filenames")
        if not names:
            continue
        if not isinstance(names, list) or not set(names) <= set(wanted):
            raise CaptureError(f"{path}: {split}_filenames names photographs that no frame has. Correct the list")
        return tuple(i for i, name in enumerate(wanted) if name in set(names))
    return None


def _points(content: dict[str, Any], path: Path) -> np.ndarray | None:
    """The sparse cloud that ns-process-data leaves beside the file."""
    name = content.get("ply_file_path")
    cloud = FileFinder(path.parent).find(name) if isinstance(name, str) else None
    if cloud is None:
        return None
    import trimesh

    try:
        points = np.asarray(trimesh.load(cloud, process=False).vertices, dtype=np.float64)
    except Exception:  # trimesh raises many kinds; the cloud is a help, and training goes on without it
        return None
    undo = numbers.undo_applied(content, path)
    points = points[np.isfinite(points).all(1)] @ undo[:3, :3].T + undo[:3, 3]
    return points / numbers.applied_scale(content, path) if len(points) else None
