"""Reading LLFF folders: photographs and `poses_bounds.npy`.

This has one row per photograph, in the order of the sorted file names: a 3x5 matrix [R | t | (H, W, f)], then near and
far. The columns of R point down, right and backwards; H, W and f are the height, width and focal length of the
full-size photograph.
"""

import re
from pathlib import Path

import numpy as np

from sinenerf.common.picture_files import plain_name
from sinenerf.photographs.camera_checks import check_cameras
from sinenerf.photographs.colmap_model import find_model, registered_names
from sinenerf.photographs.file_paths import find_masks
from sinenerf.photographs.pictures import decode, list_pictures
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs, listed

TABLE = "poses_bounds.npy"


def read_llff(root: Path) -> PosedPhotographs:
    """Read an LLFF folder. Its photographs are the largest there are: of `images`, else of the `images_N` of least N.

    Raises:
        CaptureError: the table is invalid, or does not have as many rows as there are photographs.
    """
    table = read_table(root / TABLE)
    found = sorted(root.glob("images*"), key=_shrunk_by)
    folder = next((f for f in found if _shrunk_by(f) < np.inf and list_pictures(f)), root / "images")
    paths, notes = _matched(folder, len(table), root)
    names = tuple(f"{folder.name}/{path.name}" for path in paths)
    return find_masks(from_table(table, root / TABLE, tuple(paths), names).noted(*notes))


def read_table(path: Path) -> np.ndarray:
    """The (N, 17) numbers of a `poses_bounds.npy`.

    Raises:
        CaptureError: the file does not exist or is no such array.
    """
    if not path.is_file():
        raise CaptureError(
            f"{path}: no such file. Every LLFF folder has one; LLFF's imgs2poses.py makes it from COLMAP's poses"
        )
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise CaptureError(f"{path}: not a readable .npy array of numbers ({error})") from None
    if table.ndim != 2 or table.shape[1] != 17 or not len(table) or not np.issubdtype(table.dtype, np.number):
        raise CaptureError(f"{path}: has shape {table.shape} of {table.dtype}, but must be (views, 17) numbers")
    return table.astype(np.float64)


def from_table(table: np.ndarray, source: Path, paths: tuple[Path, ...], names: tuple[str, ...]) -> PosedPhotographs:
    """The views of a table (N, 17) in OpenGL axes, in the pixels that it speaks of.

    Raises:
        CaptureError: a rotation, size, focal length or bound is invalid.
    """
    places = [f"{source}: view {view}" for view in range(len(table))]
    for where, row in zip(places, table, strict=True):
        if not np.isfinite(row).all():
            raise CaptureError(f"{where}: has NaN or infinite numbers. Run the pose estimation again, or remove it")
        if (row[[4, 9, 14]] <= 0).any():
            raise CaptureError(f"{where}: height, width, focal length {row[[4, 9, 14]].tolist()} must be positive")
    down, right, back, position, hwf = np.moveaxis(table[:, :15].reshape(-1, 3, 5), 2, 0)
    height, width, focal = hwf.T
    photographs = PosedPhotographs(
        source,
        source.parent,
        "llff",
        paths,
        names,
        np.stack([right, -down, back, position], axis=2),
        focal,
        focal,
        width / 2,
        height / 2,
        width,
        height,
        bounds=table[:, 15:],
    )
    check_cameras(photographs, places)
    return photographs


def _shrunk_by(folder: Path) -> float:
    """N of images_N, 1 of images, infinity of any other folder."""
    match = re.fullmatch(r"images(?:_(\d+))?", folder.name)
    return float(match[1] or 1) if match else np.inf


def _matched(folder: Path, rows: int, root: Path) -> tuple[list[Path], list[str]]:
    """The photographs of the rows, and a note on those that have none."""
    paths = list_pictures(folder)
    if len(paths) == rows:
        return paths, []
    if not paths:
        inside = [f for f in sorted(folder.glob("*")) if f.is_dir() and list_pictures(f)]
        where = f", but its subfolder {inside[0].name} has: move them up" if inside else ""
        raise CaptureError(f"{folder}: has no photographs{where}")
    known = _registered(root)
    if len(known) == rows and folder.name == "images":  # LLFF's own program writes the rows in the order of these
        named = {plain_name(path.name): path for path in paths}
        if all(plain_name(name) in named for name in known):
            odd = [path.name for path in paths if plain_name(path.name) not in set(map(plain_name, known))]
            note = f"{folder}: {len(odd)} of {len(paths)} photographs have no camera: {listed(odd)}"
            return [named[plain_name(name)] for name in sorted(known)], [note]
        lacking = [name for name in known if plain_name(name) not in named]
        raise CaptureError(f"{folder}: {listed(lacking)} missing, of {rows} views in {root / TABLE}. Copy them here")
    raise CaptureError(
        f"{folder}: {len(paths)} photographs, but {rows} views in {root / TABLE}: there must be as many"
        + _odd_ones(paths, rows, folder)
    )


def _registered(root: Path) -> list[str]:
    """Names of the photographs with a pose in the COLMAP model beside the table, if there is a readable one."""
    model = find_model(root)
    return [] if model is None else registered_names(model)


def _odd_ones(paths: list[Path], rows: int, folder: Path) -> str:
    """Photographs that differ from the others by name or size, and other files, as a hint."""
    kinds = [re.sub(r"\d+", "#", path.stem) + path.suffix.lower() for path in paths]
    usual = max(set(kinds), key=kinds.count)
    odd = [path.name for path, kind in zip(paths, kinds, strict=True) if kind != usual]
    if not odd and len(paths) > rows:
        sizes = {path: _size(path) for path in paths}
        common = max(set(sizes.values()), key=list(sizes.values()).count)
        odd = [path.name for path, size in sizes.items() if size != common]
    if odd and len(odd) < len(paths) / 2:
        return f". {listed(odd)} differs from the others: is it one of them?"
    others = [p.name for p in sorted(folder.iterdir()) if p not in paths and p.is_file() and not p.name.startswith(".")]
    return f". Not counted: {listed(others)}" if others else ""


def _size(path: Path) -> tuple[int, int]:
    try:
        return decode(path).size
    except CaptureError:
        return 0, 0
