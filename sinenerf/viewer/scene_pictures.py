"""Pictures of radiance fields for the page, rendered from the browser's camera and abandoned as soon as it moves."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sinenerf.viewer.assets import Asset

if TYPE_CHECKING:
    from sinenerf.radiance.cameras import Camera
    from sinenerf.radiance.field import RadianceField
    from sinenerf.radiance.render import Output

MAX_SIDE = 1024
"""Largest side, in pixels, that a page may request."""
OUTPUTS = ("rgb", "depth", "accumulation", "normals")


@dataclass(frozen=True)
class PictureRequest:
    """A picture that a page requests, from a camera of its own."""

    pose: np.ndarray
    """(3, 4) camera to world, in OpenGL axes."""
    tan: float
    """Tangent of half of the vertical field of view."""
    width: int
    """Pixels across."""
    height: int
    """Pixels down."""
    output: "Output" = "rgb"
    """Output of the field to show."""

    @classmethod
    def parse(cls, query: dict[str, str]) -> "PictureRequest":
        """Read the page's query.

        Raises:
            ValueError: a value is missing, not finite, or out of bounds.
        """
        try:
            pose = np.array([float(v) for v in query["pose"].split(",")])
            tan, width, height = float(query["tan"]), int(query["width"]), int(query["height"])
        except (KeyError, ValueError):
            raise ValueError("a picture needs the numbers pose, tan, width and height") from None
        output = query.get("output", "rgb")
        in_bounds = 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE and 0 < tan < 100
        if pose.shape != (12,) or not np.isfinite(pose).all() or not in_bounds or output not in OUTPUTS:
            raise ValueError(
                f"a picture needs a pose of 12 numbers, sides of 1 to {MAX_SIDE} pixels, and an output among {OUTPUTS}"
            )
        return cls(pose.reshape(3, 4), tan, width, height, output)  # type: ignore[arg-type]

    def camera(self) -> "Camera":
        """The camera; its optical axis passes through the middle of the picture."""
        from sinenerf.radiance.cameras import Camera

        focal = self.height / 2 / self.tan
        return Camera(self.pose, focal, focal, self.width / 2, self.height / 2, self.width, self.height)


def scene_info(asset: Asset) -> dict[str, Any]:
    """What the page needs before a scene's first picture: the initial camera, and the caption."""
    field = radiance_field(asset)
    assert field.capture is not None
    home = field.capture.home
    target = home.pose[:, 3] - field.capture.focus * home.pose[:, 2]
    return {
        "caption": asset.caption(),
        "pose": home.pose.ravel().tolist(),
        "target": target.tolist(),
        "tan": home.height / 2 / home.fy,
        "aspect": home.width / home.height,
    }


def radiance_field(asset: Asset) -> "RadianceField":
    """The field of a scene."""
    field = asset.load().field
    assert field.kind == "scene"
    return field


def render_jpeg(asset: Asset, request: PictureRequest, check: Callable[[], None]) -> bytes:
    """A picture as JPEG. `check` is called a few times a second and may raise to abandon it."""
    from sinenerf.radiance.render import picture

    return encode_jpeg(picture(radiance_field(asset), request.camera(), request.output, check))


def render_flythrough(asset: Asset, frames: int, side: int) -> Iterator[bytes]:
    """JPEGs along a closed path around the home view; `side` is their longer side in pixels."""
    from sinenerf.radiance.render import picture

    field = radiance_field(asset)
    assert field.capture is not None
    for camera in field.capture.spiral(frames):
        yield encode_jpeg(picture(field, camera.resized(side / max(camera.width, camera.height))))


def encode_jpeg(pixels: np.ndarray) -> bytes:
    """(height, width, 3) uint8 as a JPEG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue()
