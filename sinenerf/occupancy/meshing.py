"""From a field to a mesh: coarse to fine, only cells near the surface are evaluated, then marching cubes.

The grid over the cube [-1, 1]^3 has `resolution` cells a side. Search starts on cells some powers of two larger. A cell
is split where its corners disagree, or where the field's own slope says that the surface may pass between them:
|f| <= |grad f| times the cell's diagonal. On the finest level the surface is followed: a face that it crosses opens the
cell behind. What the search finds is exactly what evaluating the whole grid would give (asserted in the tests).
"""

import math
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


def extract(field: "OccupancyField", resolution: int = 512, level: float = 0.5) -> Extraction:
    """The closed surface where the occupancy passes a level; what is solid at the cube's wall is capped there.

    Args:
        field: baked, for speed (`OccupancyField.load` and `fit` return it so).
        resolution: cells along a side of the cube.
        level: occupancy between 0 and 1.

    Raises:
        LevelError: the field does not reach the level, or nowhere falls below it.
        ValueError: resolution under 2, or a level that no occupancy has.
    """
    import igl
    import trimesh

    if resolution < 2:
        raise ValueError(f"resolution is {resolution}: use 2 or more")
    if not 0 < level < 1:
        raise LevelError(f"level is {level:g}: occupancy lies between 0 and 1. Try --level 0.5")
    grid = _Grid(field, resolution, math.log(level / (1 - level)))
    cells = grid.search()
    keys, index = grid.corners(cells)
    vertices = grid.points(keys)
    values = grid.values(keys)
    # libigl calls what is below the level inside
    surface, faces, _ = igl.marching_cubes(-values.astype(np.float64), vertices, index, 0.0)
    mesh = trimesh.Trimesh(field.placement.from_cube(surface), faces, process=False)
    return Extraction(mesh, grid.evaluations)


class _Grid:
    """The finest grid, its vertices numbered, and the field's logit over the level at those that were asked for."""

    def __init__(self, field: "OccupancyField", resolution: int, threshold: float) -> None:
        self.field, self.resolution, self.threshold = field, resolution, threshold
        self.evaluations = 0
        self._keys = np.empty(0, dtype=np.int64)
        self._values = np.empty(0, dtype=np.float32)

    def points(self, keys: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Vertices in the cube."""
        side = self.resolution + 1
        cell = np.stack([keys // side**2, keys // side % side, keys % side], axis=1)
        return 2 * cell / self.resolution - 1

    def corners(self, cells: Cells, stride: int = 1) -> tuple[Int[np.ndarray, " v"], Int[np.ndarray, "_ 8"]]:
        """(keys of the distinct corners, in order; where the corners of each cell are among them)."""
        side = self.resolution + 1
        corner = np.minimum(cells[:, None] + stride * CORNERS, self.resolution)  # the last coarse cells may be cut
        keys, index = np.unique(((corner[..., 0] * side) + corner[..., 1]) * side + corner[..., 2], return_inverse=True)
        return keys, index.reshape(-1, 8)

    def values(self, keys: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Logit over the threshold at vertices, each evaluated once. The cube's wall counts as just outside."""
        place = np.searchsorted(self._keys, keys)
        known = np.zeros(len(keys), dtype=bool)
        if len(self._keys):
            known = self._keys[np.minimum(place, len(self._keys) - 1)] == keys
        if not known.all():
            self._remember(keys[~known], self._evaluate(keys[~known]))
            place = np.searchsorted(self._keys, keys)
        return self._values[place]

    def _remember(self, keys: np.ndarray, values: np.ndarray) -> None:
        merged = np.concatenate([self._keys, keys])
        order = np.argsort(merged, kind="stable")
        self._keys, self._values = merged[order], np.concatenate([self._values, values])[order]

    def _evaluate(self, keys: np.ndarray) -> np.ndarray:
        self.evaluations += len(keys)
        points = self.points(keys)
        values = self.field.evaluate(points) - np.float32(self.threshold)
        return np.where((abs(points) >= 1).any(1), np.minimum(values, np.float32(-1e-3)), values)

    def search(self) -> Cells:
        """The cells of the finest grid that the surface passes."""
        stride = 2 ** max(0, int(math.log2(self.resolution / COARSE)))
        ticks = np.arange(0, self.resolution, stride)
        cells = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
        keys, _ = self.corners(cells, stride)
        self._check_range(self.values(keys))
        while stride > 1:
            near = self._crossed(cells, stride) | self._steep(cells, stride)
            stride //= 2
            cells = (cells[near][:, None] + stride * CORNERS).reshape(-1, 3)
            cells = cells[(cells < self.resolution).all(1)]
        return self._follow(cells)

    def _crossed(self, cells: Cells, stride: int) -> Bool[np.ndarray, " _"]:
        """Whether the corners of cells lie on both sides."""
        keys, index = self.corners(cells, stride)
        positive = (self.values(keys) > 0)[index]
        return positive.any(1) & ~positive.all(1)

    def _steep(self, cells: Cells, stride: int) -> Bool[np.ndarray, " _"]:
        """Whether the slope at some corner of a cell could bring the field to the threshold inside the cell."""
        keys, index = self.corners(cells, stride)
        values = self.values(keys)
        diagonal = math.sqrt(3) * 2 * stride / self.resolution
        return (abs(values) <= self._slopes(keys) * diagonal)[index].any(1)

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
        found = np.empty((0, 3), dtype=np.int64)
        seen = np.empty(0, dtype=np.int64)
        while len(cells):
            seen = np.union1d(seen, self._numbers(cells))
            keys, index = self.corners(cells)
            positive = (self.values(keys) > 0)[index]
            crossed = positive.any(1) & ~positive.all(1)
            cells, positive = cells[crossed], positive[crossed]
            found = np.concatenate([found, cells])
            on_face = positive[:, FACES]
            cell, face = np.nonzero(on_face.any(2) & ~on_face.all(2))
            behind = cells[cell] + BEHIND[face]
            behind = behind[((behind >= 0) & (behind < self.resolution)).all(1)]
            numbers, first = np.unique(self._numbers(behind), return_index=True)
            cells = behind[first[~np.isin(numbers, seen, assume_unique=True)]]
        return found[np.argsort(self._numbers(found))]

    def _numbers(self, cells: Cells) -> Int[np.ndarray, " _"]:
        return (cells[:, 0] * self.resolution + cells[:, 1]) * self.resolution + cells[:, 2]

    def _check_range(self, values: np.ndarray) -> None:
        """Raise LevelError where the threshold is outside the field's range, as far as the coarse grid shows it."""
        logits = values + self.threshold
        low, high = (float(1 / (1 + np.exp(-np.float64(v)))) for v in (logits.min(), logits.max()))
        if not np.isfinite([low, high]).all():
            raise LevelError("the field is not a number somewhere: it was not trained to the end")
        if values.max() > 0:
            return
        level = 1 / (1 + math.exp(-self.threshold))
        raise LevelError(
            f"no surface at level {level:g}: the occupancy runs from {low:.3g} to {high:.3g}. "
            f"Try --level {(low + high) / 2:.3g}"
        )
