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
import torch
from jaxtyping import Bool, Float, Int

if TYPE_CHECKING:
    import trimesh

    from sinenerf.occupancy.field import OccupancyField

COARSE = 64
"""Cells a side where the search starts, or up to twice as many."""
SMALLEST = 1e-3
"""Least distance of a grid value from the level, in logits."""
# corner order of libigl's marching cubes: round the lower face, then round the upper
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
FACES = np.array([[0, 3, 4, 7], [1, 2, 5, 6], [0, 1, 4, 5], [2, 3, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]])
BEHIND = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])

Cells = Int[np.ndarray, "_ 3"]


class LevelError(ValueError):
    """The field has no surface at this level. The message gives its range and a level inside, if there is one."""


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


def extract(
    field: "OccupancyField", resolution: int = 512, level: float = 0.5, largest_component: bool = False
) -> Extraction:
    """The closed surface where the occupancy passes a level; what is solid at the cube's wall is capped there.

    Args:
        field: with its weights kept, for speed (`OccupancyField.load` and `fit` return it so).
        resolution: cells along a side of the cube.
        level: occupancy between 0 and 1.
        largest_component: keep only the connected piece with the most faces, so that nothing floats.

    Raises:
        LevelError: the field does not reach the level, or nowhere falls below it.
        ValueError: resolution under 2, or a level that no occupancy has.
    """
    import trimesh

    made = find_surface(field, resolution, level)
    faces = made.faces
    if largest_component:
        piece = trimesh.graph.connected_component_labels(trimesh.graph.face_adjacency(faces), node_count=len(faces))
        faces = faces[piece == np.bincount(piece).argmax()]
    mesh = trimesh.Trimesh(made.vertices, faces, process=False)
    mesh.remove_unreferenced_vertices()
    return Extraction(mesh, made.evaluations)


def find_surface(
    field: "OccupancyField",
    resolution: int,
    level: float = 0.5,
    quick: bool = False,
    watch: Callable[[int], None] | None = None,
) -> Surface:
    """What `extract` makes a mesh of.

    Args:
        quick: start coarser and split cells by their corners alone, not by the slope, at a third of the evaluations:
            pieces smaller than a coarse cell are missed.
        watch: called with the number of evaluations so far, now and then; what it raises ends the search.

    Raises:
        LevelError, ValueError: as `extract`.
    """
    import igl

    if resolution < 2:
        raise ValueError(f"resolution is {resolution}: use 2 or more")
    if not 0 < level < 1:
        raise LevelError(f"level is {level:g}: occupancy lies between 0 and 1. Try --level 0.5")
    grid = _Grid(field, resolution, math.log(level / (1 - level)), watch)
    keys, index = np.unique(grid.corners(grid.search(quick)), return_inverse=True)
    vertices, values = grid.points(keys), grid.values(keys)
    # no vertex may lie on another in a file's float32: a reader that merges them would see holes
    values = np.where(values > 0, np.maximum(values, SMALLEST), np.minimum(values, -SMALLEST))
    # libigl calls what is below the level inside
    surface, faces, _ = igl.marching_cubes(-values.astype(np.float64), vertices, index.reshape(-1, 8), 0.0)
    return Surface(field.placement.from_cube(surface), faces.astype(np.int64), grid.evaluations)


class _Grid:
    """The finest grid, its vertices numbered, and the field's logit over the level at those that were asked for.

    The arrays span the whole grid, but memory is taken only where they are written, and nothing has to be sorted.
    """

    def __init__(
        self,
        field: "OccupancyField",
        resolution: int,
        threshold: float,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        self.field, self.resolution, self.threshold = field, resolution, threshold
        self.watch, self.evaluations = watch, 0
        self._known = np.zeros((resolution + 1) ** 3, dtype=bool)
        self._values = np.zeros((resolution + 1) ** 3, dtype=np.float32)

    def points(self, keys: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Vertices in the cube."""
        side = self.resolution + 1
        cell = np.stack([keys // side**2, keys // side % side, keys % side], axis=1)
        return 2 * cell / self.resolution - 1

    def corners(self, cells: Cells, stride: int = 1) -> Int[np.ndarray, "_ 8"]:
        """Numbers of the vertices at the corners of each cell."""
        side = self.resolution + 1
        ends = np.stack([cells, np.minimum(cells + stride, self.resolution)], 1)  # the last coarse cells may be cut
        x, y, z = np.moveaxis(ends * np.array([side * side, side, 1]), 2, 0)
        return x[:, CORNERS[:, 0]] + y[:, CORNERS[:, 1]] + z[:, CORNERS[:, 2]]

    def values(self, keys: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Logit over the threshold at vertices, each evaluated once. The cube's wall counts as just outside."""
        missing = self._distinct(keys[~self._known[keys]])
        if len(missing):
            points = self.points(missing)
            values = self.field.evaluate(points) - np.float32(self.threshold)
            outside = (abs(points) >= 1).any(1)
            self._values[missing] = np.where(outside, np.minimum(values, np.float32(-1e-3)), values)
            self._known[missing] = True
            self.evaluations += len(missing)
            if self.watch is not None:
                self.watch(self.evaluations)
        return self._values[keys]

    def _distinct(self, keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " _"]:
        asked = np.zeros(len(self._known), dtype=bool)  # zeros_like would write, and so take, all of it
        asked[keys] = True
        return np.flatnonzero(asked)

    def search(self, quick: bool = False) -> Cells:
        """The cells of the finest grid that the surface passes: LevelError where there are none."""
        coarse = COARSE // 2 if quick else COARSE
        stride = 2 ** max(0, int(math.log2(self.resolution / coarse)))
        ticks = np.arange(0, self.resolution, stride)
        cells = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
        if np.isnan(self.values(self.corners(cells, stride))).any():
            raise LevelError("the field is not a number somewhere: it was not trained to the end")
        while stride > 1:
            near = self._near(cells, stride, quick)
            stride //= 2
            cells = (cells[near][:, None] + stride * CORNERS).reshape(-1, 3)
            cells = cells[(cells < self.resolution).all(1)]
        found = self._follow(cells)
        if not len(found):
            raise self._no_surface()
        return found

    def _near(self, cells: Cells, stride: int, quick: bool) -> Bool[np.ndarray, " _"]:
        """Whether the surface passes a cell, or the slope at a corner could bring it there."""
        keys = self.corners(cells, stride)
        near = _crossed(self.values(keys))
        if quick:
            return near
        distinct, index = np.unique(keys[~near], return_inverse=True)
        diagonal = math.sqrt(3) * 2 * stride / self.resolution
        steep = abs(self._values[distinct]) <= self._slopes(distinct) * diagonal
        near[~near] = steep[index.reshape(-1, 8)].any(1)
        return near

    def _slopes(self, keys: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Length of the field's gradient, in logits per cube unit."""
        device = next(self.field.parameters()).device
        slopes = np.empty(len(keys), dtype=np.float32)
        for start in range(0, len(keys), 2**14):
            points = torch.from_numpy(self.points(keys[start : start + 2**14])).float().to(device).requires_grad_()
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad(self.field.logits(points).sum(), points)
            slopes[start : start + 2**14] = gradient.norm(dim=1).cpu().numpy()
        return slopes

    def _follow(self, cells: Cells) -> Cells:
        """The crossed cells among these, and all that the surface reaches from them through the faces of cells."""
        found = [np.empty((0, 3), dtype=np.int64)]
        seen = np.zeros(self.resolution**3, dtype=bool)
        while len(cells):
            seen[self._numbers(cells)] = True
            values = self.values(self.corners(cells))
            crossed = _crossed(values)
            cells, positive = cells[crossed], values[crossed] > 0
            found.append(cells)
            on_face = positive[:, FACES]
            cell, face = np.nonzero(on_face.any(2) & ~on_face.all(2))
            behind = cells[cell] + BEHIND[face]
            behind = behind[((behind >= 0) & (behind < self.resolution)).all(1)]
            behind = behind[~seen[self._numbers(behind)]]
            _, first = np.unique(self._numbers(behind), return_index=True)
            cells = behind[first]
        return np.concatenate(found)

    def _numbers(self, cells: Cells) -> Int[np.ndarray, " _"]:
        return (cells[:, 0] * self.resolution + cells[:, 1]) * self.resolution + cells[:, 2]

    def _no_surface(self) -> LevelError:
        """Naming the field's range, as far as it was evaluated."""
        logits = np.float64(self._values[self._known]) + self.threshold
        level, low, high = ((1 + math.tanh(v / 2)) / 2 for v in (self.threshold, logits.min(), logits.max()))
        return LevelError(
            f"no surface at level {level:g}: the occupancy runs from {low:.3g} to {high:.3g}. "
            f"Try --level {(low + high) / 2:.3g}"
        )


def _crossed(values: Float[np.ndarray, "n 8"]) -> Bool[np.ndarray, " n"]:
    """Whether the corners of cells lie on both sides of the level."""
    return (values.max(1) > 0) & (values.min(1) <= 0)
