"""Finding photographs by the paths that a capture names, which may come from another machine, and those missing."""

import re
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path, PureWindowsPath

import numpy as np

from sinenerf.common.picture_files import plain_name
from sinenerf.photographs.pictures import PICTURE_SUFFIXES, list_pictures
from sinenerf.photographs.posed_photographs import FEWEST, CaptureError, PosedPhotographs, listed


class FileFinder:
    """Finds files below a capture's folder by the paths that the capture names.

    A path of Windows, or of another computer, is looked for by its tail below the folder. Upper and lower case and the
    form of Unicode may differ where no other file fits. An extension may be left out, as in Blender's files.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[Path, dict[str, Path]] = {}

    def find(self, name: str, folders: tuple[str, ...] = ("",), whole: bool = False) -> Path | None:
        """The file that a capture names, or None.

        Args:
            folders: where below the root a relative path may begin.
            whole: do not look for the path's tail.
        """
        parts = [part for part in re.split(r"[\\/]+", name.strip()) if part not in ("", ".")]
        drive = PureWindowsPath(name).drive
        if drive and parts and parts[0] == drive:
            parts = parts[1:]
        if not parts:
            return None
        if name.startswith("/") and (found := self._at(Path("/"), parts)):
            return found
        for start in range(1 if whole else len(parts)):
            for folder in folders:
                if found := self._at(self.root / folder, parts[start:]):
                    return found
        return None

    def _at(self, folder: Path, parts: list[str]) -> Path | None:
        path = folder.joinpath(*parts)
        if path.is_file():
            return path
        for part in parts[:-1]:
            folder = folder / ".." if part == ".." else folder / part
        if not folder.is_dir():
            return None
        if folder not in self._folders:
            entries = sorted(folder.iterdir()) if self._below_root(folder) else []
            named = {plain_name(p.stem): p for p in reversed(entries) if p.suffix.lower() in PICTURE_SUFFIXES}
            self._folders[folder] = {**named, **{plain_name(p.name): p for p in reversed(entries)}}
        return self._folders[folder].get(plain_name(parts[-1]))

    def _below_root(self, folder: Path) -> bool:
        return self.root.resolve() in (folder.resolve(), *folder.resolve().parents)


def name_below(root: Path, path: Path) -> str:
    """A photograph's name relative to the capture's folder, with slashes; its absolute path if it lies elsewhere.

    A link keeps its own place: images/a.jpg is below the folder although `images` is a link to another disk.
    """
    for inner, base in ((path.absolute(), root.absolute()), (path.resolve(), root.resolve())):
        if base in inner.parents and ".." not in inner.relative_to(base).parts:
            return inner.relative_to(base).as_posix()
    return path.absolute().as_posix()


def without_missing(
    photographs: PosedPhotographs, present: list[bool], strict: bool, wanted: list[str]
) -> PosedPhotographs:
    """The views whose photographs are there, if these are at least `FEWEST` and half of the list.

    Args:
        present: whether each photograph was found.
        strict: refuse if any is missing.
        wanted: each photograph as the capture names it.

    Raises:
        CaptureError: too many are missing, or any with `strict`.
    """
    missing = [name for name, there in zip(wanted, present, strict=True) if not there]
    if not missing:
        return photographs
    line = f"{photographs.source}: {len(missing)} of {len(present)} photographs are not there: {listed(missing)}"
    left = len(present) - len(missing)
    if strict or left < FEWEST or left < len(present) / 2:
        why = "" if strict else f". {max(FEWEST, (len(present) + 1) // 2)} are needed at least"
        raise CaptureError(f"{line}{why}. Copy them to {photographs.root}, or correct the paths")
    return photographs.chosen(np.flatnonzero(present)).noted(f"{line}. Going on with the other {left}")


def check_placed(photographs: PosedPhotographs) -> PosedPhotographs:
    """Count the photographs beside those with a camera that have none.

    Raises:
        CaptureError: fewer than `FEWEST` and fewer than half have one.
    """
    folders = {path.parent for path in photographs.paths}
    used = {plain_name(path.name) for path in photographs.paths}
    if photographs.named_held_out is not None or len(folders) != 1:
        return photographs  # splits may leave photographs out
    (folder,) = folders
    others = [path.name for path in list_pictures(folder) if plain_name(path.name) not in used]
    if not others or folder == photographs.root:
        return photographs
    count, total = len(photographs), len(photographs) + len(others)
    line = f"{photographs.source}: cameras for {count} of {total} photographs in {folder}"
    if count < FEWEST and count < total / 2:
        raise CaptureError(
            f"{line}: their poses were not found. Estimate them again, with more overlap between photographs"
        )
    return photographs.noted(f"{line}; without: {listed(others)}")


def find_masks(photographs: PosedPhotographs, folder: Path | None = None) -> PosedPhotographs:
    """The same with masks of a folder: masks/a.png (nerfstudio) or masks/a.jpg.png (COLMAP) for images/a.jpg.

    The mask of images/a.jpg may also be masks/images/a.png, and has to be if another folder has an a.jpg, too, wherever
    these folders are.

    Args:
        folder: in place of masks that are known, or of `masks` beside the photographs.

    Raises:
        CaptureError: the folder that was given has no mask of these photographs.
    """
    given, folder = folder, folder or photographs.root / "masks"
    if given is None and (photographs.masks is not None or not folder.is_dir()):
        return photographs
    finder, wanted = FileFinder(folder), _mask_names(photographs.names)
    masks = tuple(
        next((mask for file in wanted[name] if (mask := finder.find(file, whole=True))), None)
        for name in photographs.names
    )
    if given is not None and not any(masks):
        name = photographs.names[0]
        *_, long, short = wanted[name]
        raise CaptureError(f"{folder}: has no masks of these photographs. {name} would have {short} or {long}")
    return replace(photographs, masks=masks) if any(masks) else photographs


def _mask_names(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Where the mask of each photograph may be, below the folder of masks: its place there first."""
    tails = {name: _tails(name) for name in names}
    photographs_at = Counter(chain(*tails.values()))  # of cam0/0.jpg and cam1/0.jpg neither has the mask 0.png
    wanted = {}
    for name, (own, *shorter) in tails.items():
        places = [own, *(tail for tail in shorter if photographs_at[tail] == 1)]
        wanted[name] = [f"{end}.png" for place in places for end in (place, place.rpartition(".")[0])]
    return wanted


def _tails(name: str) -> list[str]:
    """A photograph's name, and what is left of it without its first folder; of an absolute name, without the second,
    too, and so on."""
    parts = name.lstrip("/").split("/")
    tails = ["/".join(parts[start:]) for start in range(len(parts))]
    return tails if Path(name).is_absolute() else tails[:2]
