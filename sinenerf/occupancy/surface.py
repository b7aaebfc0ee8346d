"""Surface of a field as a mesh: a coarse-to-fine search for the cells near the surface, then marching cubes.

The grid over the cube [-1, 1]^3 has `resolution` cells per side. The search starts on cells that are larger by a power
of two. A cell is split if its corners lie on both sides of the surface, or if the field's gradient allows the surface
to pass between them: |f| <= |grad f| times the cell's diagonal. On the finest level the surface is followed across cell
faces: the cell behind each crossed face is visited too. The tests assert that the result equals that of evaluating the
whole grid.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sinenerf.occupancy.pieces import largest_pieces, without_specks
from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.surface_grid import Grid, LevelError, Logits

if TYPE_CHECKING:
    import trimesh

MIN_OFFSET = 1e-3
"""Smallest distance of a grid value from the level, in logits."""


@dataclass(frozen=True)
class Surface:
    """The surface of a field."""

    vertices: Float[np.ndarray, "v 3"]
    """In the coordinates of the mesh that the field was fitted to."""
    faces: Int[np.ndarray, "f 3"]
    evaluations: int
    """Points at which the field was evaluated."""

    @cached_property
    def mesh(self) -> "trimesh.Trimesh":
        """The same, as a mesh."""
        import trimesh

        return trimesh.Trimesh(self.vertices, self.faces, process=False)


def extract_surface(
    logits: Logits, placement: Placement, resolution: int = 512, level: float = 0.5, largest_component: bool = False
) -> Surface:
    """The closed surface at a level of the occupancy, without specks if the placement counts its pieces. Solid parts
    that reach the cube's wall are capped there.

    Args:
        logits: logits of the occupancy, such as `OccupancyField.logits`; fast if the field caches its weights, as those
            from `load` and `fit` do.
        placement: placement of the cube, in the coordinates of the surface to return.
        resolution: cells per side of the cube.
        level: occupancy between 0 and 1.
        largest_component: keep only the connected piece with the most faces, whatever the placement says of pieces.

    Raises:
        LevelError: (a ValueError) the field does not reach the level, is nowhere below it, is NaN or noise; or the
            level is not between 0 and 1.
        ValueError: the resolution is less than 2.
    """
    import igl

    if resolution < 2:
        raise ValueError(f"resolution is {resolution}: use 2 or more")
    if not 0 < level < 1:
        raise LevelError(f"level is {level:g}: occupancy lies between 0 and 1. Try --level 0.5")
    grid = Grid(logits, resolution, math.log(level / (1 - level)))
    keys, index = np.unique(grid.corners(grid.search()), return_inverse=True)
    vertices, values = grid.points(keys), grid.values(keys)
    # vertices must stay distinct in a file's float32, or a reader that merges equal ones would open holes
    values = np.where(values > 0, np.maximum(values, MIN_OFFSET), np.minimum(values, -MIN_OFFSET))
    # libigl takes values below the level as inside
    surface, faces, _ = igl.marching_cubes(-values.astype(np.float64), vertices, index.reshape(-1, 8), 0.0)
    faces = faces.astype(np.int64)
    if largest_component:
        surface, faces = largest_pieces(surface, faces, 1)
    elif placement.pieces:
        surface, faces = without_specks(surface, faces, placement.pieces)
    return Surface(placement.from_cube(surface), faces, grid.evaluations)
