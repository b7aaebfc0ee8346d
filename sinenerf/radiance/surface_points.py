"""Points on what the cameras of a capture see: one for each pixel of home, and what other views show besides."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sinenerf.common.progress import track
from sinenerf.radiance.cameras import Camera, Capture
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.lens_distortion import UNDISTORTED
from sinenerf.radiance.warps import NDC

FACING_VIEWS, AROUND_VIEWS = 7, 13
"""Cameras that the points are sampled from, of a capture that faces one way, and of one around something."""
PILOT = 48
"""Pixels along the longer side of the small pictures from which the size of the others is estimated."""
OPAQUE = 0.5
"""Least accumulation of a ray that ends on something, rather than on a uniform background."""
SAME = 0.05
"""Relative difference of the depths of two points of one surface."""


@dataclass(frozen=True)
class SurfacePoints:
    """Coloured points with normals."""

    positions: Float[np.ndarray, "n 3"]
    normals: Float[np.ndarray, "n 3"]
    """Of length 1, outwards."""
    colours: Float[np.ndarray, "n 3"]
    """From 0 to 1, in sRGB, as seen from the first camera that sees the point."""
    towards: Float[np.ndarray, "n 3"]
    """Of length 1, to that camera."""
    spacing: Float[np.ndarray, " n"]
    """Length of that camera's pixel at the point's depth."""

    def moved(self, motion: Float[np.ndarray, "4 4"]) -> "SurfacePoints":
        """The same points after a similarity."""
        scale = abs(np.linalg.det(motion[:3, :3])) ** (1 / 3)
        turn = motion[:3, :3].T / scale
        positions = self.positions @ motion[:3, :3].T + motion[:3, 3]
        normals, towards = self.normals @ turn, self.towards @ turn
        return SurfacePoints(positions, normals, self.colours, towards, scale * self.spacing)


def sampling_views(capture: Capture, forward_facing: bool) -> list[Camera]:
    """Home, and cameras where the photographs were taken: on the path around home for a capture that faces one way; for
    any other around the point that home looks at, at home's distance and height."""
    home = capture.home
    if forward_facing:
        return [home, *capture.spiral(FACING_VIEWS - 1, reach=1.0)]
    target = home.pose[:, 3] - capture.focus * home.pose[:, 2]
    return [_turned(home, target, angle) for angle in np.linspace(0, 2 * math.pi, AROUND_VIEWS, endpoint=False)]


def _turned(camera: Camera, target: np.ndarray, angle: float) -> Camera:
    """A camera after a turn about the vertical axis, z, through a point."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    pose = turn @ camera.pose
    pose[:, 3] += target - turn @ target
    return replace(camera, pose=pose)


def sample_surface(
    field: RadianceField, count: int, views: list[Camera] | None = None, progress: bool = False
) -> SurfacePoints:
    """About `count` points, in scene coordinates: at the median depth of each pixel of the first view, and of those
    pixels of the others that show what no view before them has shown.

    Args:
        views: cameras in the scene, whose lens distortion is left out; by default `sampling_views`.
        progress: show a bar with the time left.

    Raises:
        ValueError: fewer than one point is asked for, or the views see nothing.
    """
    if count < 1:
        raise ValueError(f"{count} points: ask for at least one")
    assert field.capture is not None
    views = views or sampling_views(field.capture, isinstance(field.warp, NDC))
    views = [replace(view, distortion=UNDISTORTED) for view in views]
    pilot = [view.resized(PILOT / max(view.width, view.height)) for view in views]
    few = len(_sampled(field, pilot, progress).positions)
    if few == 0:
        raise ValueError("the views see nothing but the background: there is no surface to sample")
    factor = math.sqrt(count / few)
    return _sampled(field, [view.resized(factor) for view in pilot], progress)


def _sampled(field: RadianceField, views: list[Camera], progress: bool) -> SurfacePoints:
    none = np.zeros((0, 3))
    points = SurfacePoints(none, none, none, none, np.zeros(0))
    for view in track(views, "Sampling the surface", show=progress):
        outputs = {name: values.flatten(0, 1) for name, values in field.render(view, normals=True).items()}
        origins, directions = view.rays()
        positions = origins + directions * outputs["depth"]
        spacing = ((origins - positions) @ torch.from_numpy(view.pose[:, 2]).float()) / view.fx
        new = SurfacePoints(
            *(
                values.double().numpy()
                for values in (positions, outputs["normals"], outputs["rgb"], -directions, spacing)
            )
        )
        shown = _is_shown(field, outputs, positions) & ~_is_known(points.positions, view, new.positions)
        pairs = zip(vars(points).values(), vars(new).values(), strict=True)
        points = SurfacePoints(*(np.concatenate([old, values[shown]]) for old, values in pairs))
    return points


def _is_shown(field: RadianceField, outputs: dict[str, Tensor], positions: Tensor) -> Bool[np.ndarray, " n"]:
    """Which pixels show something."""
    shown = (positions.isfinite() & outputs["normals"].isfinite()).all(1)
    if field.config.background != "last_sample":
        shown &= outputs["accumulation"][:, 0] >= OPAQUE
    return shown.numpy()


def _is_known(
    known: Float[np.ndarray, "m 3"], view: Camera, positions: Float[np.ndarray, "n 3"]
) -> Bool[np.ndarray, " n"]:
    """Which pixels of a view show known points: one lies in the pixel or next to it, about as deep."""
    local = (known - view.pose[:, 3]) @ view.pose[:, :3]
    local = local[local[:, 2] < 0]
    depth = -local[:, 2]
    x = np.floor(view.fx * local[:, 0] / depth + view.cx)
    y = np.floor(view.cy - view.fy * local[:, 1] / depth)
    inside = (x >= 0) & (x < view.width) & (y >= 0) & (y < view.height)
    x, y, depth = x[inside].astype(int), y[inside].astype(int), depth[inside]
    seen = ((view.pose[:, 3] - positions) @ view.pose[:, 2]).reshape(view.height, view.width)
    same = abs(depth - seen[y, x]) < SAME * seen[y, x]
    hit = np.zeros((view.height, view.width), bool)
    hit[y[same], x[same]] = True
    padded = np.pad(hit, 1)
    near = [padded[i : i + view.height, j : j + view.width] for i in range(3) for j in range(3)]
    return np.logical_or.reduce(near).ravel()
