"""Reading COLMAP models, binary or text, with pycolmap."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinenerf.common.reconstruction import opengl_pose, placed_images, placed_names, sparse_points
from sinenerf.photographs.camera_checks import check_cameras
from sinenerf.photographs.file_paths import FileFinder, check_placed, find_masks, name_below, without_missing
from sinenerf.photographs.posed_photographs import FISHEYE, PINHOLE, CaptureError, PosedPhotographs

if TYPE_CHECKING:
    import pycolmap

PLACES = ("", "sparse", "colmap/sparse", "colmap")
"""Folders of a capture in which a model, or numbered models, may lie."""
PHOTOGRAPHS = ("images", "", "input")
"""Folders of a capture that a model's names may count from."""
DISTORTED = "distorted/sparse"
"""Where Gaussian splatting's convert.py keeps models of the photographs as taken, which are in `input`."""
LENSES = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
}
"""Parameters of the camera models that nerfstudio's distortion can express, in COLMAP's order."""


def find_model(root: Path) -> Path | None:
    """The folder of a capture's COLMAP model, of several the one with most photographs; None without one."""
    models = [model for place in PLACES for model in _models(root / place)] or _models(root / DISTORTED)
    return max(models, key=_count, default=None)


def read_colmap(path: Path, strict: bool = False, image_path: Path | None = None) -> PosedPhotographs:
    """Read a COLMAP model: cameras in its own pixels, photographs that exist.

    Args:
        path: the capture's folder, or that of the model in it.
        strict: refuse missing photographs.
        image_path: the folder that the model's names count from; by default one of `PHOTOGRAPHS`.

    Raises:
        CaptureError: the model or a camera is invalid, or too many photographs are missing.
    """
    folder = find_model(path)
    if folder is None:
        raise CaptureError(f"{path}: has no COLMAP model (cameras and images, as .bin or .txt)")
    model = _open(folder)
    images = placed_images(model)
    if not images:
        raise CaptureError(f"{folder}: no photograph has a pose in this model. Estimate the poses again")
    root = _root(folder, path) if image_path is None else image_path.parent
    folders: tuple[str, ...] = PHOTOGRAPHS if image_path is None else (image_path.name,)
    if image_path is None and root / DISTORTED in (folder, *folder.parents):
        folders = ("input", "")
    finder = FileFinder(root)
    found = [finder.find(image.name, folders) for image in images]
    paths = tuple(p or root / folders[0] / image.name for p, image in zip(found, images, strict=True))
    names, points = [image.name for image in images], sparse_points(model)
    points = points[np.isfinite(points).all(1)]
    photographs = _cameras(model, images, folder, root)
    photographs = replace(
        photographs,
        paths=paths,
        names=tuple(name_below(root, p) for p in paths),
        model_names=tuple(names),
        points=points if len(points) else None,
        named_held_out=_held_out(root, names),
    )
    check_cameras(photographs, [f"{folder}: {name}" for name in names])
    photographs = without_missing(photographs, [p is not None for p in found], strict, names)
    return find_masks(check_placed(photographs))


def registered_names(folder: Path) -> list[str]:
    """File names of the photographs with a pose in a model; none if it cannot be read."""
    try:
        model = _open(folder)
    except CaptureError:
        return []
    return placed_names(model)


def _open(folder: Path) -> "pycolmap.Reconstruction":
    import pycolmap

    level, pycolmap.logging.minloglevel = pycolmap.logging.minloglevel, 3
    try:
        return pycolmap.Reconstruction(folder)
    except (ValueError, RuntimeError, OSError, LookupError, MemoryError, OverflowError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise CaptureError(f"{folder}: not a readable COLMAP model ({reason}). Copy or export it again") from None
    finally:
        pycolmap.logging.minloglevel = level


def _file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / f"{name}.bin", folder / f"{name}.txt") if p.is_file()), None)


def _models(folder: Path) -> list[Path]:
    """The models in a folder: its own, then those in its numbered subfolders."""
    numbered = sorted(f for f in folder.iterdir() if f.name.isdecimal()) if folder.is_dir() else []
    return [f for f in (folder, *numbered) if _file(f, "images") and _file(f, "cameras")]


def _count(folder: Path) -> int:
    """Number of photographs in a model."""
    file = _file(folder, "images")
    assert file is not None
    if file.suffix == ".bin":
        head = file.read_bytes()[:8]
        return struct.unpack("<Q", head)[0] if len(head) == 8 else 0
    lines = [line for line in file.read_text(errors="replace").splitlines() if not line.startswith("#")]
    return len(lines) // 2


def _root(folder: Path, path: Path) -> Path:
    """The capture's folder: the nearest one, from that of the model up to three above, that has photographs."""
    candidates = [path, *folder.parents[:3]] if path != folder else [folder, *folder.parents[:3]]
    return next((p for p in candidates if (p / "images").is_dir() or (p / "input").is_dir()), path)


def _held_out(root: Path, names: list[str]) -> tuple[int, ...] | None:
    """The views that nerfstudio's test_list.txt holds out."""
    file = root / "test_list.txt"
    if not file.is_file():
        return None
    listed = set(file.read_text(encoding="utf-8-sig").splitlines())
    return tuple(i for i, name in enumerate(names) if name in listed)


def _cameras(
    model: "pycolmap.Reconstruction", images: list["pycolmap.Image"], folder: Path, root: Path
) -> PosedPhotographs:
    poses, lenses, distortion, models = [], [], [], set[str]()
    for image in images:
        camera = model.cameras[image.camera_id]
        keys = _parameters(camera, f"{folder}: camera {image.camera_id}")
        poses.append(opengl_pose(image))
        focal_x, focal_y = keys.get("fx", keys.get("f", np.nan)), keys.get("fy", keys.get("f", np.nan))
        lenses.append((focal_x, focal_y, keys["cx"], keys["cy"], float(camera.width), float(camera.height)))
        distortion.append([keys.get(name, 0.0) for name in ("k1", "k2", "k3", "k4", "p1", "p2")])
        models.add(FISHEYE if camera.model.name == "OPENCV_FISHEYE" else PINHOLE)
    names = [image.name for image in images]
    return PosedPhotographs.of_cameras("colmap", folder, root, names, np.stack(poses), lenses, distortion, models)


def _parameters(camera: "pycolmap.Camera", where: str) -> dict[str, Any]:
    names = LENSES.get(camera.model.name)
    if names is None:
        raise CaptureError(
            f"{where}: is {camera.model.name}, which only COLMAP knows. Undistort the photographs: colmap "
            "image_undistorter"
        )
    return dict(zip(names, map(float, camera.params), strict=True))
