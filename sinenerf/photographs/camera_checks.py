"""Checks of poses and lenses, the same for captures of every kind."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs

ORTHONORMAL = 1e-2
"""Largest deviation of the rotations' R^T R from the identity."""
LARGEST_SIDE = 2**16
"""Of a picture, in pixels."""

LENS = {
    "fx": ("focal length", 1e-8, 1e8),
    "fy": ("focal length", 1e-8, 1e8),
    "cx": ("cx", -1e8, 1e8),
    "cy": ("cy", -1e8, 1e8),
    "width": ("width", 1.0, LARGEST_SIDE),
    "height": ("height", 1.0, LARGEST_SIDE),
}
"""What messages call the intrinsics, with their bounds, in pixels."""


def check_pose(where: str, pose: Float[np.ndarray, "3 4"]) -> None:
    """Check a camera-to-world matrix.

    Raises:
        CaptureError: it is not finite, or its first three columns are no rotation.
    """
    if not np.isfinite(pose).all():
        raise CaptureError(f"{where}: its pose has NaN or infinite numbers. Correct it, or remove the view")
    rotation = pose[:, :3]
    error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if error > ORTHONORMAL:
        raise CaptureError(
            f"{where}: the columns of its rotation are not orthonormal (off by {error:.2g}, {ORTHONORMAL:g} allowed): "
            "it is scaled or sheared. Write a rotation, or remove the view"
        )
    if np.linalg.det(rotation) < 0:
        raise CaptureError(
            f"{where}: its rotation is a mirror image (determinant -1): its axes must be right-handed. Turn one axis, "
            "or remove the view"
        )


def check_number(where: str, name: str, value: object, low: float, high: float) -> float:
    """A number within bounds: neither text nor true, which Python would take for numbers.

    Raises:
        CaptureError: naming the place and the value.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise CaptureError(f"{where}: {name} is {value!r}, but must be a number from {low:g} to {high:g}. Correct the file")


def check_cameras(photographs: PosedPhotographs, places: Sequence[str]) -> None:
    """Check all cameras of a capture.

    Args:
        places: where each camera stands in the file, for messages.

    Raises:
        CaptureError: naming the first camera that is wrong.
    """
    for view, where in enumerate(places):
        check_pose(where, photographs.camera_to_world[view])
        for name, (label, low, high) in LENS.items():
            check_number(where, label, float(getattr(photographs, name)[view]), low, high)
        if photographs.distortion is not None and not np.isfinite(photographs.distortion[view]).all():
            raise CaptureError(f"{where}: its lens distortion has NaN or infinite numbers. Correct the file")
        if photographs.bounds is not None and not 0 < photographs.bounds[view, 0] < photographs.bounds[view, 1]:
            near, far = photographs.bounds[view]
            raise CaptureError(f"{where}: near {near:g} and far {far:g} must satisfy 0 < near < far")
    _check_places_differ(photographs)


def _check_places_differ(photographs: PosedPhotographs) -> None:
    position = photographs.camera_to_world[:, :, 3]
    spread, size = float(np.ptp(position, axis=0).max()), float(np.abs(position).max())
    if spread <= 1e-6 * size:
        raise CaptureError(
            f"{photographs.source}: all cameras are at one place, and photographs from one place show no depth. Move "
            "between photographs, and check that the poses hold positions"
        )
