"""Warps of a scene into the cube [-1, 1]^3 in which its networks are evaluated: NDC, or the scene's bounding box.

Both warps map straight rays to straight rays and have the same four methods, so that rendering works with either.
"World" is the space of nerfstudio's cameras.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Points = Float[Tensor, "*batch 3"]
Distances = Float[Tensor, "*batch 1"]

_FORWARD = 1e-3  # smallest -z component of a direction: the frustum cannot represent rays that point sideways or back
_FAR_FACE = 1 - 1e-4  # keeps infinity at a finite distance, about ten thousand times the near plane's


class CubeRays(NamedTuple):
    """Rays in the cube, from `near` to `far` in cube units along a unit direction."""

    origins: Points
    directions: Points
    near: Distances
    far: Distances


@dataclass(frozen=True)
class NDC:
    """Normalised device coordinates: a forward-facing camera's frustum as a cube (Mildenhall et al. 2020, appendix C).

    Cameras look along -z. A ray runs from the near plane, z' = -1, to infinity, z' = 1, linearly in disparity.
    """

    tan_x: float
    """Half the image's width divided by its focal length, W / 2f."""
    tan_y: float
    """Half the image's height divided by its focal length, H / 2f."""
    near: float = 1.0
    """Distance of the near plane, in world units."""
    up: ClassVar[Literal["y"]] = "y"
    """Axis of the world that points up."""

    def warp_points(self, points: Points) -> Points:
        """Map world points with z < 0 to the cube (equation 25)."""
        x, y, z = points.unbind(-1)
        z = z.clamp(max=-1e-6)
        return torch.stack([-x / (self.tan_x * z), -y / (self.tan_y * z), 1 + 2 * self.near / z], dim=-1)

    def unwarp_points(self, points: Points) -> Points:
        """The inverse of `warp_points`; points on the far face stay at a finite distance."""
        x, y, z = points.unbind(-1)
        z = 2 * self.near / (z.clamp(max=_FAR_FACE) - 1)
        return torch.stack([-x * self.tan_x * z, -y * self.tan_y * z, z], dim=-1)

    def warp_rays(self, origins: Points, directions: Points) -> CubeRays:
        """Map world rays to the cube, after moving their origins to the near plane (equations 25 and 26)."""
        start, forward = self._from_near_plane(origins, directions)
        cube_start = self.warp_points(start)
        slope = forward / forward[..., 2:] - start / start[..., 2:]
        step = torch.stack([-slope[..., 0] / self.tan_x, -slope[..., 1] / self.tan_y, 1 - cube_start[..., 2]], dim=-1)
        length = step.norm(dim=-1, keepdim=True)
        return CubeRays(cube_start, step / length, torch.zeros_like(length), length)

    def world_distance(self, origins: Points, directions: Points, t: Distances, rays: CubeRays) -> Distances:
        """Distance along the world rays of the points at t along their `rays` in the cube."""
        start, forward = self._from_near_plane(origins, directions)
        fraction = (t / rays.far).clamp(0, _FAR_FACE)
        beyond_near = start[..., 2:] * fraction / ((1 - fraction) * forward[..., 2:])
        return self._near_distance(origins, forward) + beyond_near

    def _near_distance(self, origins: Points, directions: Points) -> Distances:
        return -(self.near + origins[..., 2:]) / directions[..., 2:]

    def _from_near_plane(self, origins: Points, directions: Points) -> tuple[Points, Points]:
        forward = torch.cat([directions[..., :2], directions[..., 2:].clamp(max=-_FORWARD)], dim=-1)
        return origins + self._near_distance(origins, forward) * forward, forward


@dataclass(frozen=True)
class Box:
    """A bounding box, scaled uniformly so that its longest side fits the cube's."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    """Half the lengths of the box's sides, in world units."""
    near: float = 0.05
    """Smallest distance from a ray's origin at which it is sampled, in world units."""
    up: ClassVar[Literal["z"]] = "z"
    """Axis of the world that points up."""

    @classmethod
    def from_aabb(cls, aabb: Float[Tensor, "2 3"]) -> "Box":
        """The box between the corners of nerfstudio's `SceneBox`."""
        aabb = aabb.double()
        return cls(tuple(((aabb[1] + aabb[0]) / 2).tolist()), tuple(((aabb[1] - aabb[0]) / 2).tolist()))

    def warp_points(self, points: Points) -> Points:
        """Map world points to the cube."""
        return (points - points.new_tensor(self.centre)) / max(self.half)

    def unwarp_points(self, points: Points) -> Points:
        """The inverse of `warp_points`."""
        return points * max(self.half) + points.new_tensor(self.centre)

    def warp_rays(self, origins: Points, directions: Points) -> CubeRays:
        """Map world rays to the cube, bounded by the box; a ray that misses the box is empty (near = far)."""
        start = self.warp_points(origins)
        limit = start.new_tensor(self.half) / max(self.half)
        safe = torch.where(directions.abs() < 1e-9, torch.full_like(directions, 1e-9), directions)
        first, second = (-limit - start) / safe, (limit - start) / safe
        enter = torch.minimum(first, second).amax(-1, keepdim=True).clamp(min=self.near / max(self.half))
        leave = torch.maximum(first, second).amin(-1, keepdim=True)
        return CubeRays(start, directions, enter, torch.maximum(enter, leave))

    def world_distance(self, origins: Points, directions: Points, t: Distances, rays: CubeRays) -> Distances:
        """Distance along the world rays of the points at t along their `rays` in the cube."""
        return t * max(self.half)


Warp = NDC | Box
