"""Reading a capture of any kind: cameras and photographs are checked and brought together, once for all kinds."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.photographs.colmap_model import find_model, read_colmap
from sinenerf.photographs.pictures import (
    PLAIN,
    decode,
    list_pictures,
    same_proportions,
    size_on_disk,
    to_eight_bits,
    turned,
)
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs, listed
from sinenerf.photographs.poses_bounds import TABLE, read_llff
from sinenerf.photographs.smaller_pictures import base_factor, factor_to_read, smaller_pictures
from sinenerf.photographs.transforms_json import read_transforms

if TYPE_CHECKING:
    from PIL.Image import Image

TRANSFORMS = ("transforms.json", "transforms_train.json")
SMALL = 200
"""Width in pixels under which a note is made."""
OPAQUE = 250
"""Alpha from which a pixel counts as opaque."""


def read_photographs(
    path: Path, factor: int | None = None, widest: int | None = None, strict: bool = False
) -> PosedPhotographs:
    """Read a capture: an LLFF folder, a transforms.json or its folder, or a COLMAP model or its folder.

    Every photograph is decoded, and its camera is scaled to its pixels.

    Args:
        path: of the capture. A folder with several kinds is read as LLFF, else by its transforms.json.
        factor: use photographs at 1/factor of the size that they really have; `images_N` are made if missing.
        widest: without a factor, the largest width in pixels; by default the photographs are used as they are. Wider
            ones are shrunk to it as they are read, and nothing is written; `images_N` nearly as wide are preferred.
        strict: refuse a capture of which photographs are missing.

    Raises:
        CaptureError: the capture cannot be used.
        OSError: it cannot be read.
    """
    return with_pictures(read_cameras_of(path, strict), factor, widest)


def with_pictures(
    photographs: PosedPhotographs, factor: int | None = None, widest: int | None = None
) -> PosedPhotographs:
    """The capture with pictures in the size that is wanted, each decoded, and its cameras in their pixels.

    Args:
        photographs: with cameras in the pixels that the capture speaks of.
        factor, widest: as `read_photographs`.

    Raises:
        CaptureError: as `read_photographs`.
    """
    if len(photographs) < 2:
        raise CaptureError(
            f"{photographs.source}: has a single view. At least two are needed, one to train on and one to hold out"
        )
    if factor is not None or widest is None:
        factor = base_factor(photographs) if factor is None else factor
        return settle(photographs, smaller_pictures(photographs, factor))
    widths = [_width(photographs, view) for view in range(len(photographs))]
    factor = factor_to_read(photographs, max(widths), widest)
    return settle(photographs, smaller_pictures(photographs, factor), widest)


def read_cameras_of(path: Path, strict: bool = False) -> PosedPhotographs:
    """The cameras of a capture of any kind, checked, in the pixels that it speaks of; photographs are not decoded.

    Raises:
        CaptureError: as `read_photographs`.
    """
    if path.suffix == ".json" and path.is_file():
        return read_transforms(path, strict)
    if path.name == TABLE:
        path = path.parent
    if not path.is_dir():
        raise CaptureError(f"{path}: no such folder. Give a folder with photographs and cameras, or a transforms.json")
    if (path / TABLE).is_file():
        return read_llff(path)
    for name in TRANSFORMS:
        if (path / name).is_file():
            return read_transforms(path / name, strict)
    if find_model(path) is not None:
        return read_colmap(path, strict)
    raise CaptureError(f"{path}: {_nothing(path)}")


def has_cameras(path: Path) -> bool:
    """Whether a path is taken for a capture with cameras, rather than for photographs without."""
    if not path.is_dir():
        return path.suffix == ".json" or path.name == TABLE
    return any((path / name).is_file() for name in (TABLE, *TRANSFORMS)) or find_model(path) is not None


def _nothing(path: Path) -> str:
    """Why a folder is no capture, and what to do."""
    kinds = f"{TABLE}, transforms.json or COLMAP model (sparse/0)"
    if list_pictures(path) or list_pictures(path / "images"):
        return f"has photographs, but no cameras: no {kinds}. Estimate their poses first: sinenerf capture"
    inside = [f.name for f in sorted(path.glob("*")) if (f / TABLE).is_file() or (f / TRANSFORMS[0]).is_file()]
    hint = f"Its subfolder {inside[0]} has one" if inside else "Give the folder that holds it"
    return f"has no {kinds}. {hint}"


def settle(photographs: PosedPhotographs, paths: tuple[Path, ...], widest: int | None = None) -> PosedPhotographs:
    """The capture with these pictures, and its cameras in their pixels.

    Args:
        photographs: with cameras in the pixels that the capture speaks of.
        paths: a picture of each view, in any size.
        widest: width in pixels to which the widest picture is to be shrunk as it is read, and all others as much.

    Raises:
        CaptureError: a picture cannot be decoded, or has other proportions than its camera.
    """
    sizes: list[tuple[int, int]] = []
    converted: dict[str, str] = {}
    transparent = False
    for view, path in enumerate(paths):
        try:
            image = turned(path, decode(path), photographs.size(view))
        except CaptureError:
            if path != photographs.paths[view] and path.is_file():
                raise CaptureError(
                    f"{path}: this smaller copy of {photographs.names[view]} is damaged or turned. Remove it, or "
                    f"{path.parent}: it is made again"
                ) from None
            raise
        if image.mode not in PLAIN:
            converted[path.name] = image.mode
        image = to_eight_bits(path, image)
        transparent = transparent or _transparent(image)
        sizes.append(image.size)
    size = np.array(sizes, dtype=np.float64)
    shrunk = 1.0 if widest is None else min(1.0, widest / size[:, 0].max())
    settled = _in_pixels(photographs, np.maximum(1, np.round(size * shrunk)), paths)
    return replace(settled, transparent=transparent).noted(*_remarks(photographs, settled, size, converted))


def _transparent(image: "Image") -> bool:
    return image.mode == "RGBA" and bool((np.asarray(image.getchannel("A")) < OPAQUE).any())


def _width(photographs: PosedPhotographs, view: int) -> int:
    """Width of a photograph in the turn of its camera, in pixels."""
    width, height = size_on_disk(photographs.paths[view])
    return width if same_proportions((width, height), photographs.size(view)) else height


def _in_pixels(photographs: PosedPhotographs, size: np.ndarray, paths: tuple[Path, ...]) -> PosedPhotographs:
    """Cameras in pixels of pictures of the given sizes (N, 2)."""
    across, down = size[:, 0] / photographs.width, size[:, 1] / photographs.height
    fx, cx, fy, cy = photographs.fx * across, photographs.cx * across, photographs.fy * down, photographs.cy * down
    return replace(photographs, paths=paths, fx=fx, fy=fy, cx=cx, cy=cy, width=size[:, 0], height=size[:, 1])


def _remarks(declared: PosedPhotographs, settled: PosedPhotographs, size: np.ndarray, converted: dict) -> list[str]:
    lines, folder = [], settled.paths[0].parent
    if converted:
        modes = ", ".join(sorted(set(converted.values())))
        lines.append(
            f"{folder}: {len(converted)} of {len(size)} photographs converted from {modes}: {listed(list(converted))}"
        )
    found, counts = np.unique(size, axis=0, return_counts=True)
    if len(found) > 1:
        parts = [f"{n} of {w:.0f}x{h:.0f}" for (w, h), n in zip(found, counts, strict=True)]
        lines.append(f"{folder}: photographs have several sizes: {listed(parts)}")
    if settled.paths == declared.paths and abs(declared.width[0] - size[0, 0]) > 1:
        lines.append(
            f"{folder}: photographs are {size[0, 0]:.0f}x{size[0, 1]:.0f}, and {settled.source.name} is for "
            f"{declared.width[0]:.0f}x{declared.height[0]:.0f}: the cameras are scaled"
        )
    if (width := settled.width.max()) < SMALL:
        how = "are only" if width == size[:, 0].max() else "are shrunk to"
        width, height = settled.size(int(settled.width.argmax()))
        lines.append(f"{folder}: photographs {how} {width}x{height}: a scene of them is coarse")
    return lines
