"""What every reader of captures returns: photographs, their cameras, and what else the capture says."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

Kind = Literal["llff", "transforms", "colmap"]

PINHOLE, FISHEYE = "OPENCV", "OPENCV_FISHEYE"
"""nerfstudio's names of the camera models: a pinhole with the distortion of OpenCV, and OpenCV's fisheye."""
WIDEST = 60.0
"""Degrees off the axis up to which a fisheye's field of view counts where a flat picture of it is spoken of."""
FEWEST = 5
"""Number of photographs below which a capture with missing ones, or missing cameras, is refused."""


class CaptureError(ValueError):
    """A capture that cannot be used. The message, one line, names the file, the view, the fault and its remedy."""


@dataclass(frozen=True)
class PosedPhotographs:
    """The photographs of a capture, in the order of their names, and their cameras."""

    source: Path
    """The file that the cameras were read from, or the folder of the COLMAP model."""
    root: Path
    """The capture's folder."""
    kind: Kind
    paths: tuple[Path, ...]
    """Pictures on disk. Decode them with `pictures.load_picture`, which settles their format, turn and size."""
    names: tuple[str, ...]
    """The same relative to the capture as it names them, with slashes: images/a.jpg. They stay the same when smaller
    pictures are used."""
    camera_to_world: Float[np.ndarray, "n 3 4"]
    """Poses in OpenGL axes (x right, y up, z backwards), in the capture's own coordinates."""
    fx: Float[np.ndarray, " n"]
    fy: Float[np.ndarray, " n"]
    """Focal lengths in pixels of the pictures."""
    cx: Float[np.ndarray, " n"]
    cy: Float[np.ndarray, " n"]
    """Principal points in pixels from the left and upper edges."""
    width: Float[np.ndarray, " n"]
    height: Float[np.ndarray, " n"]
    """Sizes of the pictures that are used, in whole pixels."""
    distortion: Float[np.ndarray, "n 6"] | None = None
    """k1, k2, k3, k4, p1, p2 in nerfstudio's order; None without distortion."""
    model: str = PINHOLE
    """`PINHOLE` or `FISHEYE`."""
    masks: tuple[Path | None, ...] | None = None
    """Pictures whose black pixels do not count; None for photographs without one, or if none has one."""
    points: Float[np.ndarray, "m 3"] | None = None
    """Sparse cloud of structure from motion, in the same coordinates as the poses."""
    bounds: Float[np.ndarray, "n 2"] | None = None
    """Smallest and largest depth along each viewing axis, where the capture gives them."""
    model_names: tuple[str, ...] | None = None
    """The names in the COLMAP model, which may count from another folder; None for other kinds."""
    named_held_out: tuple[int, ...] | None = None
    """Indices of the views that the capture itself names as held out."""
    transparent: bool = False
    """Whether a photograph has transparent pixels."""
    notes: tuple[str, ...] = ()
    """What was settled or left out: lines for the user."""

    @classmethod
    def of_cameras(
        cls,
        kind: Kind,
        source: Path,
        root: Path,
        names: Sequence[str],
        poses: Float[np.ndarray, "n 3 4"],
        lenses: Sequence[Sequence[float]],
        distortion: Sequence[Sequence[float]],
        models: set[str],
    ) -> "PosedPhotographs":
        """Cameras whose photographs are not known yet.

        Args:
            lenses: fx, fy, cx, cy, width, height of each view.
            distortion: k1, k2, k3, k4, p1, p2 of each view.
            models: those of all views.

        Raises:
            CaptureError: there are fisheye cameras among others.
        """
        if len(models) > 1:
            raise CaptureError(f"{source}: has fisheye cameras among others. Undistort the photographs of one kind")
        bent = np.array(distortion) if np.any(distortion) else None
        fx, fy, cx, cy, width, height = np.array(lenses).T
        return cls(source, root, kind, (), tuple(names), poses, fx, fy, cx, cy, width, height, bent, models.pop())

    def __len__(self) -> int:
        return len(self.names)

    def size(self, view: int) -> tuple[int, int]:
        """Width and height of a view's picture."""
        return int(self.width[view]), int(self.height[view])

    @property
    def tangents(self) -> Float[np.ndarray, "n 2"]:
        """Tangents of half the horizontal and vertical field of view; for a fisheye of `WIDEST` at most."""
        # in focal lengths: tangents for a pinhole, angles in radians for a fisheye
        half = np.stack([self.width / (2 * self.fx), self.height / (2 * self.fy)], axis=1)
        return np.tan(np.minimum(half, np.radians(WIDEST))) if self.model == FISHEYE else half

    def chosen(self, indices: np.ndarray) -> "PosedPhotographs":
        """Some of the views, in the given order."""
        kept: dict[str, Any] = {}
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if name in ("paths", "names", "masks", "model_names") and value is not None:
                kept[name] = tuple(value[i] for i in indices)
            elif name in VIEWS and value is not None:
                kept[name] = value[indices]
        if self.named_held_out is not None:
            place = {int(old): new for new, old in enumerate(indices)}
            kept["named_held_out"] = tuple(sorted(place[i] for i in self.named_held_out if i in place))
        return replace(self, **kept)

    def noted(self, *lines: str) -> "PosedPhotographs":
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *lines))


VIEWS = ("camera_to_world", "fx", "fy", "cx", "cy", "width", "height", "distortion", "bounds")
"""Arrays with a row for each view."""


def hold_out(photographs: PosedPhotographs, every: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """(training, held-out) indices: as the capture itself names them, else every n-th view is held out, starting with
    the first (the LLFF protocol).

    Raises:
        CaptureError: one of the two sets would be empty.
    """
    count = len(photographs)
    if photographs.named_held_out is not None:
        held_out = np.array(photographs.named_held_out, dtype=int)
    elif every < 2:
        raise CaptureError(
            f"hold-out: every {every}th of {count} views leaves nothing to test or to train on: give 2 or more"
        )
    else:
        held_out = np.arange(0, count, every)
    trained = np.setdiff1d(np.arange(count), held_out)
    if not len(held_out) or not len(trained):
        raise CaptureError(
            f"{photographs.source}: names {len(held_out)} of {count} views as held out: at least one must be, and one "
            "must be left to train on"
        )
    return trained, held_out


def listed(names: list[str], most: int = 4) -> str:
    """Names for a line of text: a, b, c and 3 more."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
