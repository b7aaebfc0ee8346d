"""Writing films: .mp4 with imageio, .gif with Pillow, because imageio's palettes drop rare colours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sinenerf.common.files import replacing

FILMS = (".mp4", ".gif")
"""Extensions of the films that `open_film` writes."""
Picture = UInt8[np.ndarray, "height width 3"]
"""An sRGB picture; its first row is the top one."""


@contextmanager
def open_film(path: Path, fps: int) -> Iterator[Callable[[Picture], None]]:
    """Yield a function that appends a picture to the film. All pictures have one size, and a .gif repeats endlessly.

    H.264 needs even sides: in an .mp4 the last row or column of an odd side is cut off. The file is written whole or
    not at all, see `sinenerf.common.files.replacing`.
    """
    with replacing(path) as partial:
        if path.suffix.lower() == ".gif":
            frames: list[Image.Image] = []
            yield lambda picture: frames.append(_paletted(picture))
            frames[0].save(partial, save_all=True, append_images=frames[1:], duration=1000 / fps, loop=0)
        else:
            import imageio

            with imageio.get_writer(partial, fps=fps, macro_block_size=None, quality=8) as writer:
                yield lambda picture: writer.append_data(picture[: len(picture) // 2 * 2, : picture.shape[1] // 2 * 2])


def _paletted(picture: Picture) -> Image.Image:
    """The picture reduced to the 256 colours that suit it best, dithered."""
    full = Image.fromarray(picture)
    return full.quantize(palette=full.quantize(256, kmeans=1), dither=Image.Dither.FLOYDSTEINBERG)
