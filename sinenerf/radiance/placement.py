"""Where a capture lies in the scene: how its cameras are moved and scaled, and which warp suits them.

A data parser calls `place` with the cameras of all photographs and, where there is one, the sparse cloud of points that
structure from motion found.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from sinenerf.photographs.posed_photographs import FISHEYE, PosedPhotographs
from sinenerf.radiance.lens_distortion import LensDistortion
from sinenerf.radiance.poses import Poses, average_pose, degrees_off, meeting_point, transform_poses, unit
from sinenerf.radiance.warps import NDC, Box, Contraction, Warp

WarpKind = Literal["auto", "ndc", "box", "contraction"]
Points3 = Float[np.ndarray, "m 3"]
Tangents = Float[np.ndarray, "n 2"]
"""Tangents of half the horizontal and half the vertical field of view."""

FACING = 30.0
"""Degrees from the mean viewing axis within which all views look, for a capture that faces one way."""
NEAR_SHARE = 0.75
"""Where sampling begins, as a share of the depth of the nearest points (NeRF's value)."""
INWARD = 0.8
"""Share of the cameras that have the point nearest to all viewing axes before them, for a capture around something."""


@dataclass(frozen=True)
class Placement:
    """The scene's coordinates, its warp and its extent."""

    warp: Warp
    """In the scene's coordinates."""
    reason: str
    """Why this warp: half a sentence for the user."""
    motion: Float[np.ndarray, "3 4"]
    """Rigid; x_scene = scale * (motion @ [x, 1]) for x in the capture's coordinates. Of float32, as in files."""
    scale: float
    extent: Float[np.ndarray, "2 3"]
    """Smallest and largest coordinates of the scene, for nerfstudio's scene box and for meshes."""

    def moved(self, poses: Poses) -> Poses:
        """Poses of the capture in the scene's coordinates."""
        return transform_poses(poses, self.motion, self.scale)


def place(
    poses: Poses,
    tangents: Tangents,
    points: Points3 | None = None,
    depths: Float[np.ndarray, "n 2"] | None = None,
    kind: WarpKind = "auto",
    transparent: bool = False,
    up: Float[np.ndarray, "3"] | None = None,
    corners: Float[np.ndarray, " n"] | None = None,
) -> Placement:
    """Choose the scene's coordinates and warp.

    Args:
        poses: of all photographs, the held-out ones too.
        points: of the sparse cloud, in the capture's coordinates.
        depths: nearest and farthest depth along each viewing axis, where they are known; by default from the points.
        kind: ndc for photographs that face one way, box for an object without background, contraction for anything
            else; auto chooses.
        transparent: the photographs' background is transparent.
        up: direction in the capture's coordinates; by default the cameras' mean.
        corners: as `corner_angles`; by default those of pinholes whose axes meet the pictures' middles.

    Raises:
        ValueError: ndc was asked for, but a view sees what NDC cannot represent, or no depth is known.
    """
    if points is not None and len(points) == 0:
        points = None
    if depths is None and points is not None:
        depths = seen_depths(poses, tangents, points)
    off = degrees_off(poses)
    reach = off + (np.degrees(np.arctan(np.hypot(*tangents.T))) if corners is None else corners)
    if kind == "auto":
        kind, reason = _choose(poses, off, reach, depths, transparent)
    else:
        reason = "as asked for"
    if kind == "ndc":
        if reach.max() >= 90:
            raise ValueError(
                f"view {int(reach.argmax())} looks {off[reach.argmax()]:.0f} degrees away from the mean of all views, "
                "and its corners 90 or more: NDC cannot represent it. Choose the warp contraction"
            )
        return _facing_one_way(poses, tangents, depths, reason)
    if kind == "box":
        return _object(poses, tangents, points, reason, up)
    return _unbounded(poses, tangents, points, depths, reason, up)


def _choose(
    poses: Poses, off: np.ndarray, reach: np.ndarray, depths: np.ndarray | None, transparent: bool
) -> tuple[WarpKind, str]:
    if transparent:
        return "box", "the photographs' background is transparent"
    forward = -(poses[:, :, 3] - poses[:, :, 3].mean(0)) @ average_pose(poses)[:3, 2]
    if off.max() > FACING:
        return "contraction", f"the views look up to {off.max():.0f} degrees away from their mean"
    if reach.max() >= 90:
        return "contraction", f"the views see up to {reach.max():.0f} degrees away from their mean"
    if depths is None:
        return "contraction", "nothing is known about the depth of the scene"
    if forward.max() > 0.5 * depths[:, 0].min():
        return "contraction", "some cameras stand far before the others"
    return "ndc", f"all views look within {max(off.max(), 1):.0f} degrees of their mean"


def corner_angles(views: PosedPhotographs) -> Float[np.ndarray, " n"]:
    """Degrees between each viewing axis and what is seen in the farthest corner of its picture, through its lens."""
    angles = []
    for view in range(len(views)):
        bent = () if views.distortion is None else views.distortion[view].tolist()
        x = (np.array([0, 0, 1, 1]) * views.width[view] - views.cx[view]) / views.fx[view]
        y = (np.array([0, 1, 0, 1]) * views.height[view] - views.cy[view]) / views.fy[view]
        seen = LensDistortion(*bent, fisheye=views.model == FISHEYE).directions(x, y)
        angles.append(np.arctan2(np.hypot(seen[:, 0], seen[:, 1]), -seen[:, 2]).max())
    return np.degrees(angles)


def seen_depths(poses: Poses, tangents: Tangents, points: Points3) -> Float[np.ndarray, "n 2"]:
    """The depths along each viewing axis between which 98 % of the points in a view lie; those of the capture for a
    view without points."""
    bounds = np.full((len(poses), 2), np.nan)
    for view, (pose, tangent) in enumerate(zip(poses, tangents, strict=True)):
        local = (points - pose[:, 3]) @ pose[:, :3]
        depth = -local[:, 2]
        seen = (depth > 0) & (np.abs(local[:, :2]) < tangent * depth[:, None]).all(1)
        if seen.any():
            bounds[view] = np.percentile(depth[seen], [1, 99])
    if np.isnan(bounds).all():
        raise ValueError("no camera sees a point of the sparse cloud: cameras and points do not belong together")
    nearest, farthest = np.nanmin(bounds[:, 0]), np.nanmax(bounds[:, 1])
    return np.where(np.isnan(bounds), [nearest, farthest], bounds)


def _facing_one_way(poses: Poses, tangents: Tangents, depths: np.ndarray | None, reason: str) -> Placement:
    """The mean camera at the origin, looking along -z, and the near plane at -1 (Mildenhall et al. 2020)."""
    if depths is None:
        raise ValueError(
            "NDC needs the depth of the scene: a sparse cloud or depth bounds. Choose the warp contraction"
        )
    average = average_pose(poses)
    motion = _motion(average[:3, :3].T, average[:3, 3])
    scale = 1 / (NEAR_SHARE * float(depths[:, 0].min()))
    tan_x, tan_y = tangents.mean(0)
    far = scale * float(depths[:, 1].max())
    placed = Placement(NDC(float(tan_x), float(tan_y), 1.0), reason, motion, scale, np.zeros((2, 3)))
    across = np.abs(placed.moved(poses)[:, :2, 3]).max(0) + far * tangents.max(0)
    extent = np.array([[-across[0], -across[1], -far], [across[0], across[1], 0.0]])
    return Placement(placed.warp, reason, motion, scale, extent)


def _object(poses: Poses, tangents: Tangents, points: Points3 | None, reason: str, up: np.ndarray | None) -> Placement:
    """The object at the origin, the cameras' median distance from it 1, z upwards, and a box around its points."""
    centre, distance = _middle(poses, points)
    motion, scale = _frame(poses, centre, up), 1 / distance
    half = np.full(3, float(tangents.max()))  # all that a camera at the median distance sees around the centre
    extent = np.stack([-half, half])
    if points is not None:
        low, high = np.percentile(scale * (points @ motion[:, :3].T + motion[:, 3]), [1, 99], axis=0)
        margin = 0.1 * (high - low).max()
        extent = np.stack([np.maximum(low - margin, -half), np.minimum(high + margin, half)])
    middle, sides = extent.mean(0), np.maximum((extent[1] - extent[0]) / 2, 1e-3)
    box = Box(tuple(middle.tolist()), tuple(sides.tolist()))
    return Placement(box, reason, motion, scale, extent)


def _unbounded(
    poses: Poses,
    tangents: Tangents,
    points: Points3 | None,
    depths: np.ndarray | None,
    reason: str,
    up: np.ndarray | None,
) -> Placement:
    """The middle of the scene at the origin, z upwards, and what fills the photographs' smaller side there within +-1,
    which the contraction leaves undistorted."""
    centre, distance = _middle(poses, points)
    radius = distance * float(tangents.min(1).mean())
    motion, scale = _frame(poses, centre, up), 1 / radius
    near = scale * (0.1 * distance if depths is None else NEAR_SHARE * float(depths[:, 0].min()))
    far = 100.0 if depths is None else max(2.0, scale * (distance + float(depths[:, 1].max())))
    if points is not None:
        placed = scale * (points @ motion[:, :3].T + motion[:, 3])
        far = max(2.0, 1.2 * float(np.percentile(np.abs(placed).max(1), 98)))
    extent = np.array([[-far] * 3, [far] * 3])
    return Placement(Contraction((0.0, 0.0, 0.0), 1.0, near), reason, motion, scale, extent)


def _middle(poses: Poses, points: Points3 | None) -> tuple[np.ndarray, float]:
    """(the middle of the scene, its distance from the cameras): the point nearest to all viewing axes if it lies before
    the cameras; else the median of the points; without points the mean camera, as if inside a room."""
    position = poses[:, :, 3]
    centre = meeting_point(poses)
    if (np.einsum("nc,nc->n", centre - position, -poses[:, :, 2]) > 0).mean() < INWARD:
        centre = position.mean(0) if points is None else np.median(points, axis=0)
    spread = np.linalg.norm(position - position.mean(0), axis=1).max()
    return centre, max(float(np.median(np.linalg.norm(position - centre, axis=1))), spread, 1e-9)


def _frame(poses: Poses, centre: np.ndarray, up: np.ndarray | None) -> np.ndarray:
    """The rigid motion (3, 4) that takes the centre to the origin and the upward direction to z."""
    mean_up = poses[:, :, 1].mean(0)
    z = unit(mean_up if up is None and np.linalg.norm(mean_up) > 1e-6 else np.array([0.0, 0, 1]) if up is None else up)
    x = unit(np.cross(np.eye(3)[np.abs(z).argmin()], z))
    rotation = np.stack([x, np.cross(z, x), z])
    return _motion(rotation, centre)


def _motion(rotation: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The motion (3, 4) that takes the centre to about the origin.

    Rounded as in a file before anything is moved by it: a field's file then has the same cameras as its training, also
    in map coordinates, where the rounding is a fraction of a metre.
    """
    rotation = rotation.astype(np.float32).astype(np.float64)
    return np.column_stack([rotation, (-rotation @ centre).astype(np.float32)])
