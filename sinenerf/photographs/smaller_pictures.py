"""Smaller copies of photographs in `images_N`: chosen among those that exist, or made whole or not at all."""

import re
import tempfile
from pathlib import Path

from sinenerf.common.picture_files import plain_name
from sinenerf.photographs.pictures import decode, list_pictures, resized, to_eight_bits, turned
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs

LARGEST_FACTOR = 64
"""Largest N of the existing images_N that are looked for."""
NEARLY = 0.9
"""Share of the wanted width from which an existing images_N is used as it is."""


def factor_to_read(photographs: PosedPhotographs, width: float, widest: int) -> int:
    """N of the existing images_N that serve best for photographs of at most `widest` pixels in width.

    These are the largest that are no wider, unless they are narrower than `NEARLY` times that: then the smallest that
    are wider, to be shrunk as they are read. N is that of the photographs themselves if there are no others.

    Args:
        width: of the photographs as they are, in pixels.
    """
    base = base_factor(photographs)
    there = [base, *(factor for factor in range(base + 1, LARGEST_FACTOR + 1) if _exists(photographs, factor))]
    fitting = next((factor for factor in there if width * base / factor <= widest), None)
    if fitting == base or (fitting is not None and width * base / fitting >= NEARLY * widest):
        return fitting
    return max(factor for factor in there if width * base / factor > widest)


def base_factor(photographs: PosedPhotographs) -> int:
    """N of the images_N in which an LLFF folder without `images` has its photographs; 1 otherwise."""
    match = re.fullmatch(r"images_(\d+)", photographs.paths[0].parent.name)
    return int(match[1]) if match and photographs.kind == "llff" else 1


def smaller_pictures(photographs: PosedPhotographs, factor: int) -> tuple[Path, ...]:
    """The photographs at 1/factor of the full size, made if they do not exist.

    An existing folder of an LLFF capture may have other names: it then has to have all photographs, in their order.

    Raises:
        CaptureError: a photograph is damaged or too small, two would have the same name, or a folder cannot be written.
    """
    base = base_factor(photographs)
    if factor == base:
        return photographs.paths
    if factor % base:
        raise CaptureError(
            f"{photographs.paths[0].parent}: its photographs are at 1/{base} of the size, and 1/{factor} cannot be "
            f"made from them. Give a multiple of {base}"
        )
    if photographs.kind == "llff" and (there := list_pictures(photographs.root / f"images_{factor}")):
        return _complete(there, photographs, factor)
    targets = [_target(photographs, view, factor) for view in range(len(photographs))]
    _check_names(photographs, targets)
    if missing := [view for view, target in enumerate(targets) if not target.is_file()]:
        _write(photographs, targets, missing, factor / base)
    return tuple(targets)


def _complete(there: list[Path], photographs: PosedPhotographs, factor: int) -> tuple[Path, ...]:
    stems = {plain_name(path.stem): path for path in there}
    wanted = [plain_name(path.stem) for path in photographs.paths]
    if all(stem in stems for stem in wanted):
        return tuple(stems[stem] for stem in wanted)
    if len(there) == len(wanted):
        return tuple(there)
    folder = there[0].parent
    raise CaptureError(
        f"{folder}: has {len(there)} photographs, but there are {len(wanted)} in {photographs.paths[0].parent}. Remove "
        f"{folder.name} if a program left it incomplete: it is made again"
    )


def _exists(photographs: PosedPhotographs, factor: int) -> bool:
    """Whether there are photographs at 1/factor of the full size: of an LLFF capture some, of others all."""
    if photographs.kind == "llff":
        return bool(list_pictures(photographs.root / f"images_{factor}"))
    return all(_target(photographs, view, factor).is_file() for view in range(len(photographs)))


def _target(photographs: PosedPhotographs, view: int, factor: int) -> Path:
    """images_N/a.jpg for images/a.jpg, below the capture's folder, if it exists, else images_N/a.png."""
    first, _, rest = photographs.names[view].rpartition("/")[0].partition("/")
    if photographs.kind == "llff" or not first or Path(photographs.names[view]).is_absolute():
        first, rest = "images", ""
    named = photographs.root / f"{first}_{factor}" / rest / Path(photographs.names[view]).name
    return named if named.is_file() else named.with_suffix(".png")


def _check_names(photographs: PosedPhotographs, targets: list[Path]) -> None:
    named: dict[str, Path] = {}
    for path, target in zip(photographs.paths, targets, strict=True):
        if (other := named.setdefault(plain_name(str(target)), path)) != path:  # some file systems ignore case
            raise CaptureError(
                f"{path}: would have the same name in {target.parent} as {other.name}: rename one of them"
            )


def _write(photographs: PosedPhotographs, targets: list[Path], missing: list[int], factor: float) -> None:
    """Write all missing copies beside their places, then move them."""
    root = photographs.root
    try:
        # one folder per process: several trainings of a scene may start at once
        with tempfile.TemporaryDirectory(prefix=".smaller.", dir=root) as folder:
            made = []
            for view in missing:
                path, partial = photographs.paths[view], Path(folder) / f"{view}.png"
                image = to_eight_bits(path, turned(path, decode(path), photographs.size(view)))
                size = (round(image.width / factor), round(image.height / factor))
                if 0 in size:
                    raise CaptureError(
                        f"{path}: {image.width}x{image.height} pixels are too few for 1/{factor:g} of the size"
                    )
                resized(image, size).save(partial)
                made.append((partial, targets[view]))
            _move(made)
    except OSError as error:
        raise CaptureError(
            f"{targets[missing[0]].parent}: cannot be written ({error}). Make it yourself, or choose an existing size"
        ) from None


def _move(made: list[tuple[Path, Path]]) -> None:
    """Put copies in their places: a folder that does not exist yet at once, so that it is whole or absent."""
    by_folder: dict[Path, list[tuple[Path, Path]]] = {}
    for partial, target in made:
        by_folder.setdefault(target.parent, []).append((partial, target))
    for folder, pairs in by_folder.items():
        staged = pairs[0][0].parent / f"{len(pairs)}-{folder.name}"
        staged.mkdir()
        for partial, target in pairs:
            partial.rename(staged / target.name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.rename(folder)
        except OSError:  # it exists: it lacked some, or another process has written it first
            for _, target in pairs:
                (staged / target.name).replace(target)
