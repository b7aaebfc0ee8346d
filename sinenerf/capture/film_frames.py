"""The sharpest picture of each stretch of a film, by ffmpeg (imageio-ffmpeg brings its own)."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sinenerf.capture.options import CaptureError

JUDGED = 960
"""Longer side at which the pictures of a film are compared, in pixels."""


@dataclass(frozen=True)
class FilmFrame:
    """A picture of a film."""

    index: int
    """Its number, from 0."""
    seconds: float
    """Its time."""


def sharpness(grey: UInt8[np.ndarray, "height width"]) -> float:
    """Mean square of the Laplacian: the more fine detail, the larger."""
    values = grey.astype(np.float32)
    laplacian = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:] - 4 * values[1:-1, 1:-1]
    return float((laplacian**2).mean()) if laplacian.size else 0.0


def sharpest_frames(film: Path, count: int, advance: Callable[[int], None]) -> list[FilmFrame]:
    """The sharpest picture of each of `count` stretches of equal length, in order; all, if the film has fewer.

    Args:
        advance: called with the number of stretches judged so far.

    Raises:
        CaptureError: the file is not a film.
    """
    import imageio_ffmpeg

    try:
        expected, seconds = imageio_ffmpeg.count_frames_and_secs(str(film))
    except (OSError, RuntimeError, ValueError):
        raise _unreadable(film) from None
    scores = []
    # the longer side is limited, whichever it is
    limit = f"scale='min({JUDGED},iw)':'min({JUDGED},ih)':force_original_aspect_ratio=decrease"
    for picture in _pictures(film, limit, "pgm"):
        scores.append(sharpness(picture))
        advance(min(count, len(scores) * count // max(expected, 1)))
    return pick_sharpest(np.array(scores), len(scores) / seconds if seconds else 25.0, count)


def pick_sharpest(scores: Float[np.ndarray, " n"], rate: float, count: int) -> list[FilmFrame]:
    """The picture of the highest score in each of `count` stretches."""
    stretches = np.array_split(np.arange(len(scores)), min(count, len(scores)) or 1)
    best = [int(stretch[scores[stretch].argmax()]) for stretch in stretches if len(stretch)]
    return [FilmFrame(index, index / rate) for index in best]


def read_frames(film: Path, frames: list[FilmFrame]) -> Iterator[Image.Image]:
    """The pictures of a film with the given numbers, upright, in full size.

    Raises:
        CaptureError: as `sharpest_frames`.
    """
    chosen = "+".join(f"eq(n\\,{frame.index})" for frame in frames)
    for picture in _pictures(film, f"select='{chosen}'", "ppm"):
        yield Image.fromarray(picture)


def _pictures(film: Path, filters: str, kind: str) -> Iterator[np.ndarray]:
    """The pictures that ffmpeg makes of a film, as arrays (height, width) from pgm or (height, width, 3) from ppm."""
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(film), "-map", "0:v:0"]
    command += ["-vf", filters, "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", kind]
    command += ["-pix_fmt", "gray" if kind == "pgm" else "rgb24", "-"]  # else 16 bits for an HDR film
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            while process.stdout.readline():  # "P5" or "P6"
                width, height = map(int, process.stdout.readline().split())
                process.stdout.readline()  # the largest value, 255
                shape = (height, width) if kind == "pgm" else (height, width, 3)
                data = process.stdout.read(int(np.prod(shape)))
                yield np.frombuffer(data, np.uint8).reshape(shape)
        except ValueError:  # the film ends in the middle of a picture
            return
        finally:
            process.kill()


def _unreadable(film: Path) -> CaptureError:
    return CaptureError(f"{film}: cannot be read as a film. Play it to see whether it is whole, or save it as .mp4")
