"""A mesh as a solid: the labels, inside or outside, that a field is fitted to.

The generalised winding number (Jacobson et al. 2013) counts how often a surface wraps around a point: 1 inside,
0 outside, and a smooth transition near holes. A point is inside if its winding number is above 1/2, which makes the
labels robust to holes, self-intersections and loose pieces. It is computed by libigl's fast winding number for triangle
soups (Barill et al. 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from sinenerf.common.axes import Up
from sinenerf.occupancy.mirror import Mirror, Points

if TYPE_CHECKING:
    import igl
    import trimesh

HALF_EXTENT = 0.95
"""Half of the shape's longest side in the cube [-1, 1]^3. The margin lets every surface close."""
CENTRE_PARTS = 64
"""The coordinates of the cube's centre are multiples of this fraction of its scale. They move it by 1/128 at most."""
LARGEST_SCALE = 0xFEFF
"""Number of the largest finite scale, of 8 bits of exponent and 8 of mantissa."""
AMBIGUOUS = 0.25
"""Winding numbers closer to 1/2 than this are ambiguous: the surface has a hole nearby."""
LARGEST_AMBIGUOUS_FRACTION = 0.1
"""Fraction of ambiguous points near the surface above which a mesh is not a solid. A hemisphere without a base has
0.06, a ball with a hole of a tenth of its height 0.002, a Moebius strip or a terrain 0.5."""


@dataclass(frozen=True)
class Placement:
    """Where the cube [-1, 1]^3 lies in the mesh's own coordinates, x = centre + scale * cube, and which axis is up.

    A file holds those whose scale has nine significant bits, and whose centre is a multiple of scale / 64: `nearest`.
    """

    centre: tuple[float, float, float]
    """Centre of the cube, in the mesh's unit."""
    scale: float
    """Length of one cube unit, in the mesh's unit."""
    up: Up = "y"
    """Axis that points up, for those who show the shape; nothing else is turned."""
    mirror: Mirror | None = None
    """Plane of the cube beyond which a field is the mirror image of itself."""
    pieces: int = 0
    """Of how many connected pieces, those with the most faces, the surface consists; others with a tenth of the largest
    one's faces or more belong to it, too. 0: of all that the field has."""

    @classmethod
    def of(cls, mesh: "trimesh.Trimesh", margin: float = 0.0, up: Up = "y") -> "Placement":
        """The placement that gives the longest side of the bounding box, with a margin on all sides in the mesh's
        unit, a half-extent of nearly 0.95."""
        low, high = np.asarray(mesh.bounds, dtype=np.float64)
        low, high = low - margin, high + margin
        return cls.nearest((low + high) / 2, float((high - low).max()) / 2 / HALF_EXTENT, up)

    @classmethod
    def nearest(cls, centre: Float[np.ndarray, "3"], scale: float, up: Up = "y") -> "Placement":
        """The nearest placement that a file holds."""
        number = (int(np.float32(scale).view(np.uint32)) + 2**14) >> 15
        number = min(max(number, 1), LARGEST_SCALE)
        steps = np.asarray(centre, np.float64) / cls.of_numbers(number, (0, 0, 0)).scale * CENTRE_PARTS
        return cls.of_numbers(number, steps.round().astype(int).tolist(), up)

    @classmethod
    def of_numbers(
        cls, scale: int, centre: Sequence[int], up: Up = "y", mirror: Mirror | None = None, pieces: int = 0
    ) -> "Placement":
        """The placement that a file holds as whole numbers: the upper 17 bits of the scale in float32, and how many
        times scale / 64 each coordinate of the centre is."""
        length = float(np.uint32(scale << 15).view(np.float32))
        x, y, z = (number * length / CENTRE_PARTS for number in centre)
        return cls((x, y, z), length, up, mirror, pieces)

    def numbers(self) -> tuple[int, list[int]]:
        """(scale, centre) for `of_numbers`, of a placement that a file holds."""
        centre = [round(coordinate / self.scale * CENTRE_PARTS) for coordinate in self.centre]
        return int(np.float32(self.scale).view(np.uint32)) >> 15, centre

    def to_cube(self, points: Points) -> Points:
        """From the mesh's coordinates to the cube's, in float64."""
        return (np.asarray(points, dtype=np.float64) - self.centre) / self.scale

    def from_cube(self, points: Points) -> Points:
        """From the cube's coordinates to the mesh's, in float64."""
        return np.asarray(points, dtype=np.float64) * self.scale + self.centre


class Solid:
    """A mesh placed in the cube, with point queries: winding number, inside or outside, distance."""

    thickness = 0.0
    """Of a `shell.Shell`, in cube units."""

    def __init__(self, mesh: "trimesh.Trimesh", placement: Placement) -> None:
        import trimesh

        self.placement = placement
        vertices = np.ascontiguousarray(placement.to_cube(np.asarray(mesh.vertices)))
        self.mesh = trimesh.Trimesh(vertices, np.asarray(mesh.faces), process=False)
        self._surface = vertices, np.ascontiguousarray(mesh.faces, dtype=np.int64)

    def winding_number(self, points: Points) -> Float[np.ndarray, " n"]:
        """Generalised winding number of the surface around each point."""
        return self._winding_tree.winding_number(np.ascontiguousarray(points, dtype=np.float64))

    def contains(self, points: Points) -> Bool[np.ndarray, " n"]:
        """Whether each point is inside: a winding number above 1/2."""
        return self.winding_number(points) > 0.5

    def distance(self, points: Points) -> Float[np.ndarray, " n"]:
        """Distance of each point from the surface, in cube units."""
        points = np.ascontiguousarray(points, dtype=np.float64)
        return np.sqrt(self._distance_tree.squared_distance(*self._surface, points)[0])

    def nearest(self, points: Points) -> Points:
        """The point of the surface nearest to each point."""
        points = np.ascontiguousarray(points, dtype=np.float64)
        return self._distance_tree.squared_distance(*self._surface, points)[2]

    @cached_property
    def _winding_tree(self) -> "igl.FastWindingNumberBVH":
        import igl

        tree = igl.FastWindingNumberBVH()
        tree.init(*self._surface)
        return tree

    @cached_property
    def _distance_tree(self) -> "igl.AABB":
        """Tree for distances, built once for all chunks of points, on the first query of a distance."""
        import igl

        tree = igl.AABB()
        tree.init(*self._surface)
        return tree

    def near_surface(self, count: int, distance: float, random: np.random.Generator) -> Points:
        """Points of the surface, uniform by area, with Gaussian offsets of standard deviation `distance` per axis."""
        import trimesh

        points, _ = trimesh.sample.sample_surface(self.mesh, count, seed=random)
        return np.asarray(points) + distance * random.standard_normal((count, 3))

    @cached_property
    def ambiguous_fraction(self) -> float:
        """Fraction of points near the surface (0.02 cube units) whose winding number is within 1/4 of 1/2.

        Raises:
            ValueError: none of these points is inside.
        """
        random = np.random.default_rng(0)
        winding = self.winding_number(self.near_surface(50_000, 0.02, random))
        if not (winding > 0.5).any():
            raise ValueError(
                "the mesh encloses no volume: no point has a winding number above 1/2. Give a solid, close its holes, "
                "or fit a shell around it: --thickness"
            )
        return float((abs(winding - 0.5) < AMBIGUOUS).mean())
