"""From a field to a mesh: coarse to fine, only cells near the surface are evaluated, then marching cubes.

The grid over the cube [-1, 1]^3 has `resolution` cells a side. Search starts on cells some powers of two larger. A cell
is split where its corners disagree, or where the field's own slope says that the surface may pass between them:
|f| <= |grad f| times the cell's diagonal. On the finest level the surface is followed: a face that it crosses opens the
cell behind. What the search finds is exactly what evaluating the whole grid would give (asserted in the tests).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.surface_grid import Grid, LevelError, Logits

if TYPE_CHECKING:
    import trimesh

SMALLEST = 1e-3
"""Least distance of a grid value from the level, in logits."""


@dataclass(frozen=True)
class Extraction:
    """A mesh and what it cost."""

    mesh: "trimesh.Trimesh"
    """In the coordinates of the mesh that the field was fitted to."""
    evaluations: int
    """Points at which the field was evaluated."""


@dataclass(frozen=True)
class Surface:
    """Bare arrays: for a viewer's first picture, which cannot wait until trimesh is imported."""

    vertices: Float[np.ndarray, "v 3"]
    """In the coordinates of the mesh that the field was fitted to."""
    faces: Int[np.ndarray, "f 3"]
    evaluations: int


def extract_surface(
    logits: Logits, placement: Placement, resolution: int = 512, level: float = 0.5, largest_component: bool = False
) -> Extraction:
    """The closed surface where the occupancy passes a level; what is solid at the cube's wall is capped there.

    Args:
        logits: of the occupancy, such as `OccupancyField.logits`; fast if the field keeps its weights, as `load` and
            `fit` return it.
        placement: of the cube, in the coordinates of the mesh to return.
        resolution: cells along a side of the cube.
        level: occupancy between 0 and 1.
        largest_component: keep only the connected piece with the most faces, so that nothing floats.

    Raises:
        LevelError: the field does not reach the level, or nowhere falls below it, or is noise.
        ValueError: resolution under 2, or a level that no occupancy has.
    """
    import trimesh

    made = find_surface(logits, placement, resolution, level)
    faces = made.faces
    if largest_component:
        piece = trimesh.graph.connected_component_labels(trimesh.graph.face_adjacency(faces), node_count=len(faces))
        faces = faces[piece == np.bincount(piece).argmax()]
    mesh = trimesh.Trimesh(made.vertices, faces, process=False)
    mesh.remove_unreferenced_vertices()
    return Extraction(mesh, made.evaluations)


def find_surface(
    logits: Logits,
    placement: Placement,
    resolution: int,
    level: float = 0.5,
    quick: bool = False,
    watch: Callable[[int], None] | None = None,
) -> Surface:
    """The bare arrays that `extract_surface` makes a mesh of.

    Args:
        quick: start coarser and split cells by their corners alone, not by the slope, at a third of the evaluations:
            pieces smaller than a coarse cell are missed.
        watch: called with the number of evaluations so far, now and then; what it raises ends the search.

    Raises:
        LevelError, ValueError: as `extract_surface`.
    """
    import igl

    if resolution < 2:
        raise ValueError(f"resolution is {resolution}: use 2 or more")
    if not 0 < level < 1:
        raise LevelError(f"level is {level:g}: occupancy lies between 0 and 1. Try --level 0.5")
    grid = Grid(logits, resolution, math.log(level / (1 - level)), watch)
    keys, index = np.unique(grid.corners(grid.search(quick)), return_inverse=True)
    vertices, values = grid.points(keys), grid.values(keys)
    # no vertex may lie on another in a file's float32: a reader that merges them would see holes
    values = np.where(values > 0, np.maximum(values, SMALLEST), np.minimum(values, -SMALLEST))
    # libigl calls what is below the level inside
    surface, faces, _ = igl.marching_cubes(-values.astype(np.float64), vertices, index.reshape(-1, 8), 0.0)
    return Surface(placement.from_cube(surface), faces.astype(np.int64), grid.evaluations)
