"""Masks of photographs: a picture of the same name in a folder `masks`, or the photograph's own alpha channel.

White (or opaque) pixels count; black (or transparent) ones, such as passers-by or the sky, are left out.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.capture.options import CaptureError
from sinenerf.capture.photograph_files import MASKS, PHOTOGRAPHS, UnreadableError
from sinenerf.common.picture_files import (
    ORIENTATION,
    QUARTER_TURNS,
    TooManyPixelsError,
    open_picture,
    plain_name,
    read_exif,
    upright,
)

if TYPE_CHECKING:
    from PIL import Image


def find_masks(source: Path, photographs: list[Path]) -> dict[Path, Path]:
    """The masks of photographs: in `masks` in the input folder or beside it, at the same relative path.

    For `images/a/b.jpg` it is `masks/a/b.png` (nerfstudio) or `masks/a/b.jpg.png` (COLMAP). Upper and lower case may
    differ where no other mask fits.

    Raises:
        CaptureError: the input folder has masks, but no photograph has a mask. A folder beside it may be another's.
    """
    root, masks = source.resolve(), dict[str, Path]()
    for folder in (*sorted(root.glob("*")), *sorted(root.parent.glob("*"))):
        if folder.name.lower() == MASKS and folder != root:
            pictures = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PHOTOGRAPHS]
            named = {path.relative_to(folder).with_suffix("").as_posix(): path for path in pictures}
            masks = {plain_name(name): path for name, path in named.items()} | named | masks
    found = {}
    for photograph in photographs:
        relative = photograph.relative_to(source)
        names = [relative.with_suffix("").as_posix(), relative.as_posix()]
        if mask := next((masks[name] for name in (*names, *map(plain_name, names)) if name in masks), None):
            found[photograph] = mask
    own = next((mask for mask in masks.values() if root in mask.parents), None)
    if own and not found:
        wanted = photographs[0].relative_to(source)
        raise CaptureError(
            f"{source}: no photograph has the name of a mask, such as {own}. For {wanted} it is "
            f"{MASKS}/{wanted.with_suffix('.png')}: rename the masks, or move them away"
        )
    return found


def read_mask(picture: "Image.Image", path: Path | None, photograph: Path) -> "Image.Image | None":
    """The mask of a picture, in its size, of values 0 and 255; None if nothing is masked.

    Args:
        picture: the upright photograph of any size, RGB or RGBA.
        path: its mask's file, if there is one; as large as the photograph, or in the same proportions.
        photograph: the photograph's file, whose EXIF orientation turns a mask that is not upright itself.

    Raises:
        UnreadableError: the mask is damaged, too large, or has other proportions.
    """
    from PIL import Image

    keep = np.ones((picture.height, picture.width), bool)
    if picture.mode == "RGBA":
        keep &= np.asarray(picture.getchannel("A")) >= 128
    if path is not None:
        try:
            with open_picture(path) as image:
                mask = _upright(image.convert("L"), photograph)
        except TooManyPixelsError as error:
            raise UnreadableError(f"its mask {path.name} has {error}") from None
        except (OSError, SyntaxError, ValueError):
            raise UnreadableError(f"its mask {path.name} is damaged: write it again") from None
        if abs(mask.width / mask.height - picture.width / picture.height) > 0.02 * picture.width / picture.height:
            raise UnreadableError(
                f"its mask {path.name} is {mask.width}x{mask.height}, of other proportions: make it as large as the "
                "photograph"
            )
        keep &= np.asarray(mask.resize(picture.size, Image.Resampling.BOX)) >= 128
    return None if keep.all() else Image.fromarray(np.where(keep, 255, 0).astype(np.uint8))


def _upright(mask: "Image.Image", photograph: Path) -> "Image.Image":
    """The mask, turned like its photograph if it is a quarter turn off, as the pixels in the photograph's file are."""
    with open_picture(photograph) as original:
        orientation = read_exif(original).get(ORIENTATION)
        lies_as_the_file = (mask.width > mask.height) == (original.width > original.height)
    return upright(mask, orientation) if orientation in QUARTER_TURNS and lies_as_the_file else mask
