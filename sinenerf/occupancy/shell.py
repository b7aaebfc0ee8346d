"""A shell around a surface that encloses nothing: paper, cloth, a boat's hull. Inside is where the surface is near."""

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from sinenerf.occupancy.solid import Placement, Points, Solid

if TYPE_CHECKING:
    import trimesh


class Shell(Solid):
    """All points closer to a surface than half a thickness; holes and the orientation of faces do not matter.

    Args:
        mesh: a mesh prepared as a sheet (`mesh_input.prepare_mesh`).
        placement: with half the thickness as margin, or that of a field fitted to this shell.
        thickness: of the shell, in the mesh's unit.
    """

    def __init__(self, mesh: "trimesh.Trimesh", placement: Placement, thickness: float) -> None:
        super().__init__(mesh, placement)
        self.thickness = thickness / placement.scale

    def contains(self, points: Points) -> Bool[np.ndarray, " n"]:
        """Whether each point is closer to the surface than half the thickness."""
        return super().distance(points) < self.thickness / 2

    def distance(self, points: Points) -> Float[np.ndarray, " n"]:
        """Distance of each point from the shell's boundary, in cube units, to within half the thickness inside it."""
        return abs(super().distance(points) - self.thickness / 2)

    def near_surface(self, count: int, distance: float, random: np.random.Generator) -> Points:
        """Points of both sides of the shell, with Gaussian offsets of standard deviation `distance` per axis."""
        import trimesh

        points, faces = trimesh.sample.sample_surface(self.mesh, count, seed=random)
        side = random.choice((-0.5, 0.5), (count, 1)) * self.thickness * self.mesh.face_normals[faces]
        return np.asarray(points) + side + distance * random.standard_normal((count, 3))

    @property
    def ambiguous_fraction(self) -> float:
        """0: each point is closer than half the thickness, or it is not."""
        return 0.0


def thickness_of(text: float | str, mesh: "trimesh.Trimesh") -> float:
    """A thickness in a mesh's unit, from a number in that unit or, as in '2%', a percentage of its longest side.

    Raises:
        ValueError: it is not a positive number or percentage, or as much as the mesh is long.
    """
    longest = float(mesh.extents.max())
    words = str(text).strip()
    try:
        thickness = float(words[:-1]) / 100 * longest if words.endswith("%") else float(words)
    except ValueError:
        thickness = math.nan
    if not 0 < thickness < longest:
        raise ValueError(
            f"thickness is {text}: give a number in the mesh's unit or a percentage of its longest side "
            f"({longest:.4g}), such as 2%, above 0 and below that side"
        )
    return thickness
