"""Scenes for the page: pictures of a radiance field from the browser's own camera, given up as soon as it moves."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sinenerf.viewer.assets import Item

if TYPE_CHECKING:
    from sinenerf.radiance.cameras import Camera
    from sinenerf.radiance.field import RadianceField
    from sinenerf.radiance.render import Output

LARGEST_SIDE = 1024
"""Bound on a picture's sides, which the page names."""
WHAT = ("rgb", "depth", "accumulation", "normals")


@dataclass(frozen=True)
class Look:
    """What a page asks for: a picture of so many pixels, from a camera of its own."""

    pose: np.ndarray
    """(3, 4) camera to world, in OpenGL axes."""
    tan: float
    """Tangent of half of the vertical field of view."""
    width: int
    """Pixels across."""
    height: int
    """Pixels down."""
    what: "Output" = "rgb"
    """Which output of the field is shown."""

    @classmethod
    def parse(cls, given: dict[str, str]) -> "Look":
        """From the page's query.

        Raises:
            ValueError: a number that is missing, not finite, or out of bounds.
        """
        try:
            numbers = np.array([float(v) for v in given["pose"].split(",")])
            tan, width, height = float(given["tan"]), int(given["width"]), int(given["height"])
        except (KeyError, ValueError):
            raise ValueError("a picture is asked for by pose, tan, width and height") from None
        what = given.get("what", "rgb")
        sizes = 1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE and 0 < tan < 100
        if numbers.shape != (12,) or not np.isfinite(numbers).all() or not sizes or what not in WHAT:
            raise ValueError(f"a picture has 12 numbers of pose, sides up to {LARGEST_SIDE}, and is one of {WHAT}")
        return cls(numbers.reshape(3, 4), tan, width, height, what)  # type: ignore[arg-type]

    def view(self) -> "Camera":
        """The camera, looking along the middle of the picture."""
        from sinenerf.radiance.cameras import Camera

        focal = self.height / 2 / self.tan
        return Camera(self.pose, focal, focal, self.width / 2, self.height / 2, self.width, self.height)


def scene_of(item: Item) -> dict[str, Any]:
    """What the page has to know of a scene before its first picture: where the camera starts, and its label."""
    field = radiance(item)
    assert field.capture is not None
    home = field.capture.home
    target = home.pose[:, 3] - field.capture.focus * home.pose[:, 2]
    return {
        "facts": item.facts(),
        "pose": home.pose.ravel().tolist(),
        "target": target.tolist(),
        "tan": home.height / 2 / home.fy,
        "aspect": home.width / home.height,
    }


def radiance(item: Item) -> "RadianceField":
    """The field of a scene."""
    return item.load().field  # type: ignore[return-value]


def picture_bytes(item: Item, look: Look, check: Callable[[], None]) -> bytes:
    """A picture as JPEG. `check` is called a few times a second and may raise to give up."""
    from sinenerf.radiance.render import picture

    return jpeg(picture(radiance(item), look.view(), look.what, check))


def flythrough(item: Item, frames: int, side: int) -> Iterator[bytes]:
    """JPEGs along a closed path around the home view, the longer side of `side` pixels."""
    from sinenerf.radiance.render import picture

    field = radiance(item)
    assert field.capture is not None
    for view in field.capture.spiral(frames):
        yield jpeg(picture(field, view.resized(side / max(view.width, view.height))))


def jpeg(pixels: np.ndarray) -> bytes:
    """(height, width, 3) uint8 as a JPEG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()
