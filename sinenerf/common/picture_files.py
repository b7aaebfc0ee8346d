"""Picture files of any size that a camera makes: their names, and their EXIF data, which may be damaged."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

LARGEST = 300_000_000
"""Pixels of the largest picture that is decoded. A phone's have up to 200 million."""
ORIENTATION = 0x0112
"""EXIF's tag of how the pixels are turned: a number from 1, upright, to 8."""
QUARTER_TURNS = (5, 6, 7, 8)
"""The orientations that swap width and height."""
TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""Pillow's name of what turns the pixels upright, by orientation."""
PHOTOGRAPH_TAGS = 0x8769
"""EXIF's tag of the part about the photograph: lens, exposure and so on."""


class TooManyPixelsError(ValueError):
    """A picture has more than `LARGEST` pixels. The message says how many."""


@contextmanager
def open_picture(path: Path) -> Iterator["Image.Image"]:
    """Open a picture file, whose pixels are not decoded yet. Pillow itself takes 180 megapixels for an attack.

    Raises:
        TooManyPixelsError: it has more than `LARGEST` pixels.
        OSError: it is no picture.
    """
    from PIL import Image

    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as image:
            if (count := image.width * image.height) > LARGEST:
                limit = f"at most {LARGEST / 1e6:.0f} are read: make it smaller"
                raise TooManyPixelsError(f"{count / 1e6:.0f} megapixels, {limit}")
            yield image
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_exif(image: "Image.Image") -> dict[int, Any]:
    """A picture's EXIF data by tag, with those about the photograph; empty without any, or if they are damaged."""
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(PHOTOGRAPH_TAGS)}
    except Exception:  # Pillow raises many kinds, and the pixels are good all the same
        return {}


def plain_name(name: str) -> str:
    """A file name as file systems compare it: without case, in one form of Unicode."""
    return unicodedata.normalize("NFC", name).casefold()


def upright(image: "Image.Image", orientation: Any) -> "Image.Image":
    """A picture turned upright from an EXIF orientation; as it is for any other value."""
    from PIL.Image import Transpose

    return image.transpose(Transpose[TURNS[orientation]]) if orientation in TURNS else image
