"""A plane of symmetry, and the fold of space along it.

A field that is symmetric by construction needs to know one half of its shape: a point beyond the plane is evaluated
where its mirror image is. All its parameters then describe that half. `symmetry` finds the plane of a mesh.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Points = Float[np.ndarray, "n 3"]
Vector = Float[np.ndarray, "3"]

UNIT = 2**14
"""Whole numbers that make 1, for the offset; the normal is as exact."""


def reflect(points: Points, normal: Vector, offset: float) -> Points:
    """The mirror images of points in the plane n x = c, for a unit normal n."""
    return points - 2 * (points @ normal - offset)[:, None] * normal


@dataclass(frozen=True)
class Mirror:
    """A plane n x = c of the cube, in whole numbers. The side n x >= c is the one that a field knows."""

    normal: tuple[int, int, int]
    """A multiple of n, not zero."""
    offset: int
    """c times 2^14."""

    @classmethod
    def of(cls, normal: Vector, offset: float) -> "Mirror":
        """The nearest plane that a file can hold."""
        x, y, z = np.rint(normal / np.linalg.norm(normal) * UNIT).astype(int).tolist()
        common = math.gcd(x, y, z)  # a plane across an axis takes few bytes in a file
        return cls((x // common, y // common, z // common), round(offset * UNIT))

    def plane(self) -> tuple[Vector, float]:
        """Unit normal and offset."""
        normal = np.array(self.normal, np.float64)
        return normal / np.linalg.norm(normal), self.offset / UNIT

    def reflect(self, points: Points) -> Points:
        """The mirror images of points of the cube."""
        return reflect(points, *self.plane())

    def fold(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """The same points, those beyond the plane replaced by their mirror images."""
        normal, offset = self.plane()
        n = torch.tensor(normal.tolist(), dtype=points.dtype, device=points.device)  # some GPUs have no float64
        beyond = (points @ n - offset).clamp_max(0)
        return points - 2 * beyond[..., None] * n

    def __str__(self) -> str:
        (x, y, z), offset = self.plane()
        return f"{x:.5g} x + {y:.5g} y + {z:.5g} z = {offset:.5g} in the cube"
