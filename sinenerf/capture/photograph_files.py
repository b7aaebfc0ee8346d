"""Reading photographs of any format, upright and in 8-bit colour, without changing or trusting them."""

import os
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.capture.report import Reason
from sinenerf.common.picture_files import ORIENTATION, TooManyPixelsError, open_picture, read_exif, upright

if TYPE_CHECKING:
    from PIL import Image

PHOTOGRAPHS = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".tif", ".tiff"}
FILMS = {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm"}
MASKS = "masks"
"""Folder of masks, in the input or beside it."""
PANORAMA = 2.5
"""Longer side, as a multiple of the shorter, from which on a picture counts as stitched."""

LONGEST_NAME = 150
"""Characters of a copy's name: file systems take 255, and masks and unfinished files have longer names."""


class UnreadableError(ValueError):
    """A file cannot be used as a photograph. The message says why."""

    reason: Reason = "unreadable"


class TooLargeError(UnreadableError):
    """A photograph has more pixels than are decoded."""

    reason = "too large"


class PanoramaError(UnreadableError):
    """A picture is stitched of several photographs, by its proportions."""

    reason = "panorama"


def find_photographs(folder: Path) -> list[Path]:
    """All photographs below a folder in natural order (2 before 10). Hidden files and folders of masks are skipped.

    Links to folders are not followed.
    """
    found = []
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name.lower() != MASKS]
        found += [
            Path(where) / name
            for name in files
            if Path(name).suffix.lower() in PHOTOGRAPHS and not name.startswith(".")
        ]
    return sorted(found, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def natural_key(text: str) -> list[tuple[int, str]]:
    """A key that sorts numbers within names by their value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text.casefold())]


def open_upright(path: Path, longest: int) -> "Image.Image":
    """A photograph, turned upright by its EXIF orientation, its longer side at most `longest`; RGB, or RGBA with alpha.

    Its EXIF data by tag are in its `info["exif_tags"]`.

    Raises:
        UnreadableError: it is damaged, no picture, a panorama, or too large.
    """
    import pillow_heif
    from PIL import Image

    pillow_heif.register_heif_opener()
    try:
        with open_picture(path) as image:
            if max(image.size) > PANORAMA * min(image.size):
                raise PanoramaError("stitched: it has no single place. Take photographs instead")
            image.draft("RGB", (longest, longest))  # JPEG decodes to a half, a quarter or an eighth at no cost
            image.load()
            tags = read_exif(image)
    except UnreadableError:
        raise
    except TooManyPixelsError as error:
        raise TooLargeError(str(error)) from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError):
        raise UnreadableError("damaged or not a picture: copy it again from the camera") from None
    picture = _eight_bits(upright(image, tags.get(ORIENTATION)))
    scale = longest / max(picture.size)
    if scale < 1:
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    picture.info["exif_tags"] = tags
    return picture


def _eight_bits(image: "Image.Image") -> "Image.Image":
    """The picture as RGB or RGBA with 8 bits a channel."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, np.float64)
        values = values / 257 if values.max() > 255 else values
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).convert("RGB")
    transparent = image.has_transparency_data
    return image.convert("RGBA" if transparent else "RGB")


def focal_in_pixels(picture: "Image.Image") -> float | None:
    """The focal length by the picture's EXIF data (equivalent at 35 mm film, by the diagonal), or None."""
    try:
        equivalent = float(picture.info.get("exif_tags", {}).get(0xA405, 0))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not 5 <= equivalent <= 1000:
        return None
    return equivalent * float(np.hypot(*picture.size)) / float(np.hypot(36, 24))


def camera_name(picture: "Image.Image") -> str:
    """A name for lens, zoom and format by EXIF data and size: photographs with the same share their intrinsics."""
    tags = picture.info.get("exif_tags", {})
    values = [tags.get(tag) for tag in (0x010F, 0x0110, 0x920A, 0xA405, 0xA404)]
    return " ".join([*(str(value).strip("\0 ") for value in values if value), f"{picture.width}x{picture.height}"])


def free_name(source: str, taken: set[str], suffix: str) -> str:
    """A name of ASCII letters, digits, dot, dash and underscore, which every program reads, that is not taken yet."""
    stem = re.sub(r"\.[^./]+$", "", source).replace("/", "-")
    decomposed = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    base = re.sub(r"[^A-Za-z0-9.-]+", "_", decomposed)[-LONGEST_NAME:].strip("._-") or "photograph"
    name, number = f"{base}{suffix}", 2
    while name.casefold() in taken:
        name, number = f"{base}_{number}{suffix}", number + 1
    taken.add(name.casefold())
    return name
