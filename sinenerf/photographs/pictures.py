"""Decoding photographs of any common format as 8-bit colour, in the size and turn of their cameras."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from sinenerf.common.picture_files import (
    ORIENTATION,
    QUARTER_TURNS,
    TooManyPixelsError,
    open_picture,
    read_exif,
    upright,
)
from sinenerf.photographs.posed_photographs import CaptureError

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".heic", ".heif", ".tif", ".tiff", ".bmp"}
HEIF = {".heic", ".heif"}
PLAIN = {"RGB", "RGBA", "L"}
"""Pillow's names of the formats that need no conversion: 8 bits per channel, colour or grey."""
TOLERANCE = 0.02
"""Relative difference of proportions that is put down to rounding."""


def list_pictures(folder: Path) -> list[Path]:
    """The photographs in a folder, sorted by name; empty if the folder does not exist."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith("."))


def load_picture(path: Path, size: tuple[int, int] | None = None, transparent: bool = False) -> "Image":
    """Decode a photograph as 8-bit RGB, or as RGBA.

    Args:
        size: width and height of the camera's picture. A photograph of another size is turned as its EXIF data say if
            only then the proportions agree, and resized. By default it stays as the file has it.
        transparent: return RGBA.

    Raises:
        CaptureError: the file does not exist, is no picture or damaged, its pixels cannot be converted, or its
            proportions are not those of the camera.
    """
    image = to_eight_bits(path, turned(path, decode(path), size)).convert("RGBA" if transparent else "RGB")
    return image if size is None else resized(image, size)


def resized(image: "Image", size: tuple[int, int]) -> "Image":
    """A picture in another size: by the mean of whole blocks of pixels where they divide evenly.

    Otherwise such blocks would shift details by up to half a pixel, and a smooth window of the same sharpness is used.
    """
    from PIL.Image import Resampling

    if image.size == size:
        return image
    even = image.width % size[0] == image.height % size[1] == 0
    return image.resize(size, Resampling.BOX if even else Resampling.HAMMING)


def decode(path: Path) -> "Image":
    """A whole photograph as its file has it, in any pixel format.

    Raises:
        CaptureError: the file does not exist, is no picture, is too large, or is damaged.
    """
    if not path.is_file():
        what = "is a folder, not a photograph" if path.is_dir() else "no such photograph"
        raise CaptureError(f"{path}: {what}. Copy the photograph to this place, or remove its view")
    if path.suffix.lower() in HEIF:
        _register_heif()
    try:
        with open_picture(path) as image:
            image.load()
    except TooManyPixelsError as error:
        raise CaptureError(f"{path}: has {error}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise CaptureError(f"{path}: cannot be decoded ({error}). Copy the photograph again") from None
    return image


def size_on_disk(path: Path) -> tuple[int, int]:
    """Width and height of a photograph as its file has it, by its head alone where that suffices.

    Raises:
        CaptureError: as `decode`.
    """
    if path.suffix.lower() not in HEIF:
        with suppress(OSError, ValueError, SyntaxError), open_picture(path) as image:
            return image.size
    return decode(path).size


def to_eight_bits(path: Path, image: "Image") -> "Image":
    """The picture with 8 bits per channel: RGB, RGBA or grey.

    Raises:
        CaptureError: its numbers have no known range.
    """
    from PIL import Image

    if image.mode in PLAIN and not (image.mode != "RGBA" and "transparency" in image.info):
        return image
    if image.mode.startswith("I"):  # 16 bits of grey
        return Image.fromarray((np.asarray(image, np.float64) / 257).round().clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        raise CaptureError(f"{path}: its pixels are floating-point numbers of no known range: save it as 8-bit RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def load_mask(path: Path, size: tuple[int, int]) -> Bool[np.ndarray, "height width"]:
    """A mask in the size of its photograph: true where the photograph counts, as white pixels say.

    Args:
        size: width and height of the photograph.

    Raises:
        CaptureError: it is damaged, has other proportions, or is black everywhere.
    """
    from PIL import Image

    picture = decode(path).convert("L")
    if not same_proportions(picture.size, size):
        raise CaptureError(
            f"{path}: this mask is {picture.width}x{picture.height}, of other proportions than the photograph of "
            f"{size[0]}x{size[1]}"
        )
    counts = np.array(picture.resize(size, Image.Resampling.BOX)) >= 128
    if not counts.any():
        raise CaptureError(f"{path}: this mask is black everywhere. White pixels count: invert it, or remove it")
    return counts


def turned(path: Path, image: "Image", size: tuple[int, int] | None) -> "Image":
    """A photograph in the turn in which it has the proportions of its camera.

    As in COLMAP and nerfstudio, the EXIF orientation counts only where the pixels as they lie do not agree.

    Args:
        size: width and height of the camera's picture; None to leave the photograph as it lies.

    Raises:
        CaptureError: the proportions agree in no turn.
    """
    if size is None or same_proportions(image.size, size):
        return image
    orientation = read_exif(image).get(ORIENTATION)
    if orientation in QUARTER_TURNS and same_proportions(image.size[::-1], size):
        return upright(image, orientation)
    raise CaptureError(
        f"{path}: is {image.width}x{image.height}, but its camera is for {size[0]}x{size[1]}: the proportions must "
        "agree. Use the photographs that the cameras were estimated from"
    )


def same_proportions(size: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two sizes have the same proportions, but for rounding to whole pixels."""
    ratio, expected = size[0] / size[1], other[0] / other[1]
    smallest = min(*size, *other)
    return abs(ratio - expected) <= max(TOLERANCE, 1 / smallest) * expected


def _register_heif() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
