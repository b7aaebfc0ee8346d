"""Films of pictures: .mp4 by imageio, .gif by Pillow, since imageio's palettes drop the rarer colours."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sinenerf.common.files import replacing

FILMS = (".mp4", ".gif")
Picture = UInt8[np.ndarray, "height width 3"]


@contextmanager
def open_film(path: Path, fps: int) -> Iterator[Callable[[Picture], None]]:
    """Yields a function that takes the pictures one by one, all of one size. A .gif starts again at its end.

    H.264 has no odd sides: what is over is cut off.
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
    """In the 256 colours that suit it best, dithered."""
    full = Image.fromarray(picture)
    return full.quantize(palette=full.quantize(256, kmeans=1), dither=Image.Dither.FLOYDSTEINBERG)
