"""Films of pictures: .mp4 by imageio, .gif by Pillow, because imageio's palettes lose the rarer colours."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sinenerf.common.files import replacing

FILMS = (".mp4", ".gif")
"""Extensions of the formats."""
Picture = UInt8[np.ndarray, "height width 3"]
"""An sRGB picture; its first row is the top one."""


def write_film(path: Path, pictures: Iterable[Picture], fps: int) -> None:
    """Write a film whole or not at all.

    H.264 needs even sides: an .mp4 loses the last row or column of pictures of odd height or width. A .gif loops.

    Args:
        path: the extension, one of `FILMS`, chooses the format.
        pictures: at least one, all of one size; each is rendered as it is needed where this is a generator.
        fps: pictures per second.

    Raises:
        OSError: the folder does not exist, or the file cannot be written.
    """
    with replacing(path) as partial:
        if path.suffix.lower() == ".gif":
            first, *others = (_with_palette(picture) for picture in pictures)
            first.save(partial, save_all=True, append_images=others, duration=1000 / fps, loop=0)
        else:
            import imageio

            # the writer's own `with` does not close it after an error, and ffmpeg would write on
            with closing(imageio.get_writer(partial, fps=fps, macro_block_size=None, quality=8)) as writer:
                for picture in pictures:
                    writer.append_data(picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2])


def _with_palette(picture: Picture) -> Image.Image:
    """The picture in the 256 colours that suit it best, dithered."""
    full = Image.fromarray(picture)
    return full.quantize(palette=full.quantize(256, kmeans=1), dither=Image.Dither.FLOYDSTEINBERG)
