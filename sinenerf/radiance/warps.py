"""Warps of a scene into the cube [-1, 1]^3 in which its networks are evaluated: NDC, the scene's bounding box, or a
contraction of all space.

All have the same three methods, so that rendering works with any of them. Samples are placed by a parameter u, from 0
where the sampled part of a ray begins to 1 where it ends. "World" is the space of nerfstudio's cameras.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Points = Float[Tensor, "*batch 3"]
Distances = Float[Tensor, "*batch 1"]
Parameters = Float[Tensor, "rays edges"]
"""Values of u, from 0 to 1."""

_FORWARD = 1e-3  # smallest -z component of a direction: the frustum cannot represent rays that point sideways or back
_FAR_FACE = 1 - 1e-4  # keeps infinity at a finite distance, about ten thousand times the near plane's
_FARTHEST_SAMPLE = 0.999  # of a contraction: a thousand radii away


class CubeRays(NamedTuple):
    """Rays that are straight in the cube, from `near` to `far` in cube units along a unit direction."""

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    near: Float[Tensor, "rays 1"]
    far: Float[Tensor, "rays 1"]
    distances: Callable[[Parameters], Parameters]
    """Distances in the world of the points at u."""

    def points(self, u: Parameters) -> Float[Tensor, "rays edges 3"]:
        """The points at u, in the cube."""
        return self.origins[:, None] + self.directions[:, None] * self._lengths_from_origin(u)[..., None]

    def lengths(self, u: Parameters) -> Float[Tensor, "rays bins"]:
        """Lengths in the cube of the bins between neighbouring u."""
        return self._lengths_from_origin(u).diff()

    def _lengths_from_origin(self, u: Parameters) -> Parameters:
        return self.near + u * (self.far - self.near)


class WorldRays(NamedTuple):
    """Rays whose samples are placed in the world and warped one by one: the warp may bend them."""

    origins: Float[Tensor, "rays 3"]
    directions: Float[Tensor, "rays 3"]
    warp_points: Callable[[Points], Points]
    """From the world to the cube."""
    distances: Callable[[Parameters], Parameters]
    """Distances in the world of the points at u."""

    def points(self, u: Parameters) -> Float[Tensor, "rays edges 3"]:
        """The points at u, in the cube."""
        return self.warp_points(self.origins[:, None] + self.directions[:, None] * self.distances(u)[..., None])

    def lengths(self, u: Parameters) -> Float[Tensor, "rays bins"]:
        """Lengths in the cube of the chords between neighbouring u."""
        return self.points(u).diff(dim=1).norm(dim=-1)


SampledRays = CubeRays | WorldRays


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
        before = self._near_distance(origins, forward)

        def distances(u: Parameters) -> Parameters:
            fraction = u.clamp(0, _FAR_FACE)
            return before + start[..., 2:] * fraction / ((1 - fraction) * forward[..., 2:])

        return CubeRays(cube_start, step / length, torch.zeros_like(length), length, distances)

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
        leave = torch.maximum(enter, leave)

        def distances(u: Parameters) -> Parameters:
            return (enter + u * (leave - enter)) * max(self.half)

        return CubeRays(start, directions, enter, leave, distances)


@dataclass(frozen=True)
class Contraction:
    """All space in the cube (Barron et al. 2022, mip-NeRF 360, equation 10, with the maximum norm in place of the
    Euclidean one, so that it fills the cube).

    The cube around the centre with half side r fills the inner half of the cube, undistorted; what lies m r away fills
    the rest, at 1 - 1 / 2m from the middle. Straight rays are bent.
    """

    centre: tuple[float, float, float]
    radius: float
    """Half the side r of the cube that is not distorted, in world units."""
    near: float = 0.05
    """Distance from a ray's origin at which its samples begin, in world units."""
    up: ClassVar[Literal["z"]] = "z"
    """Axis of the world that points up."""

    def warp_points(self, points: Points) -> Points:
        """Map world points to the cube."""
        scaled = (points - points.new_tensor(self.centre)) / self.radius
        norm = scaled.abs().amax(-1, keepdim=True).clamp(min=1)
        return scaled * (2 - 1 / norm) / (2 * norm)

    def unwarp_points(self, points: Points) -> Points:
        """The inverse of `warp_points`; points on the cube's faces stay at a finite distance."""
        norm = points.abs().amax(-1, keepdim=True).clamp(0.5, _FAR_FACE)
        return points / (norm * (2 - 2 * norm)) * self.radius + points.new_tensor(self.centre)

    def warp_rays(self, origins: Points, directions: Points) -> WorldRays:
        """Rays sampled from the near distance on, evenly in disparity as seen from `radius` before it: half of the
        samples lie within `radius` behind the near distance."""

        def distances(u: Parameters) -> Parameters:
            fraction = u.clamp(0, _FARTHEST_SAMPLE)
            return self.near + self.radius * fraction / (1 - fraction)

        return WorldRays(origins, directions, self.warp_points, distances)


Warp = NDC | Box | Contraction


def between(warp: Warp, origins: Points, directions: Points, near: Distances, far: Distances) -> WorldRays:
    """World rays sampled evenly between bounds of their own, which may lie anywhere."""
    return WorldRays(origins, directions, warp.warp_points, lambda u: near + u * (far - near))
