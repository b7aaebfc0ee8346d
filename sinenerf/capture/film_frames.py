"""The sharpest picture of each stretch of a film, by ffmpeg (imageio-ffmpeg brings its own)."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sinenerf.capture.options import CaptureError

JUDGED = 960
"""Longer side at which the pictures of a film are compared, in pixels."""
AT_ONCE = 1000
"""Pictures that one call of ffmpeg takes: their numbers make an argument of at most 20 kB, which any system allows."""


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
        expected, seconds = imageio_ffmpeg.count_frames_and_secs(_path_for_ffmpeg(film))
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
        CaptureError: ffmpeg takes fewer pictures.
    """
    for start in range(0, len(frames), AT_ONCE):
        chosen, taken = [frame.index for frame in frames[start : start + AT_ONCE]], 0
        for picture in _pictures(film, f"select='{_any_of(chosen)}'", "ppm"):
            yield Image.fromarray(picture)
            taken += 1
        if taken < len(chosen):
            left = f"only {start + taken} of the {len(frames)} chosen pictures can be read again"
            raise CaptureError(f"{film}: {left}. Convert the film to .mp4, or give its pictures as a folder")


def _any_of(numbers: list[int]) -> str:
    """ffmpeg's expression that is not 0 for pictures of these numbers, halved again and again: its parser refuses a sum
    of more than 100 terms, which it nests to that depth."""
    if len(numbers) == 1:
        return f"eq(n\\,{numbers[0]})"
    middle = len(numbers) // 2
    return f"({_any_of(numbers[:middle])}+{_any_of(numbers[middle:])})"


def _pictures(film: Path, filters: str, kind: str) -> Iterator[np.ndarray]:
    """The pictures that ffmpeg makes of a film, as arrays (height, width) from pgm or (height, width, 3) from ppm.

    Raises:
        CaptureError: it makes none, with its own first reason.
    """
    import imageio_ffmpeg

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", _path_for_ffmpeg(film)]
    command += ["-map", "0:v:0", "-vf", filters, "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", kind]
    command += ["-pix_fmt", "gray" if kind == "pgm" else "rgb24", "-"]  # else 16 bits for an HDR film
    made = 0
    with TemporaryFile() as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        assert process.stdout is not None
        try:
            while process.stdout.readline():  # "P5" or "P6"
                width, height = map(int, process.stdout.readline().split())
                process.stdout.readline()  # the largest value, 255
                shape = (height, width) if kind == "pgm" else (height, width, 3)
                data = process.stdout.read(int(np.prod(shape)))
                yield np.frombuffer(data, np.uint8).reshape(shape)
                made += 1
            process.wait()  # for the last of its errors
        except ValueError:  # the film ends in the middle of a picture
            return
        finally:
            process.kill()
        errors.seek(0)
        if not made and (said := errors.read().decode(errors="replace").strip()):
            cause = re.sub(r"^(\[[^]]*\] )*", "", said.splitlines()[0])  # without the names of ffmpeg's own parts
            raise CaptureError(
                f"{film}: ffmpeg makes no pictures of this film ({cause}). Convert it to .mp4, or give its pictures "
                "as a folder"
            )


def _path_for_ffmpeg(film: Path) -> str:
    """From the root: what comes before a colon would be read as a protocol, and a dash as an option."""
    return str(film.absolute())


def _unreadable(film: Path) -> CaptureError:
    return CaptureError(f"{film}: cannot be read as a film. Play it to see whether it is whole, or save it as .mp4")
