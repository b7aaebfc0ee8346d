"""The grid of marching cubes, evaluated near the surface alone: see `sinenerf.occupancy.surface`."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

COARSE = 64
"""Cells a side where the search starts, or up to twice as many."""
LARGEST = 96
"""Cells near the surface, for each cell of one face of the cube, beyond which a field is noise. A dragon has 11, a
field after two steps of training 70, a cube of `COARSE` cells a side 64 in all."""
# corner order of libigl's marching cubes: round the lower face, then round the upper
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
FACES = np.array([[0, 3, 4, 7], [1, 2, 5, 6], [0, 1, 4, 5], [2, 3, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]])
BEHIND = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])

Cells = Int[np.ndarray, "_ 3"]
Logits = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
"""A field as a function: logits of the occupancy at points of the cube [-1, 1]^3, differentiable by the points."""


class LevelError(ValueError):
    """The field has no surface at this level, or is noise there. The message says what may help: a level inside the
    field's range, if there is one, or a resolution."""


class Grid:
    """The finest grid, its vertices numbered, and the field's logit over the level at those that were asked for.

    The arrays span the whole grid, but memory is taken only where they are written, and nothing has to be sorted.
    """

    def __init__(
        self,
        logits: Logits,
        resolution: int,
        threshold: float,
        watch: Callable[[int], None] | None = None,
    ) -> None:
        self.logits, self.resolution, self.threshold = logits, resolution, threshold
        self.watch, self.evaluations = watch, 0
        self.low, self.high = math.inf, -math.inf  # of the field's own logits over the threshold
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
            with torch.no_grad():
                logits = self.logits(torch.from_numpy(points).float()).float().cpu().numpy()
            values = logits - np.float32(self.threshold)
            self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
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
        """The cells of the finest grid that the surface passes: LevelError where there are none, or most."""
        coarse = COARSE // 2 if quick else COARSE
        stride = 2 ** max(0, int(math.log2(self.resolution / coarse)))
        ticks = np.arange(0, self.resolution, stride)
        cells = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
        if np.isnan(self.values(self.corners(cells, stride))).any():
            raise LevelError("the field is not a number somewhere: it was not trained to the end")
        while stride > 1:
            cells = cells[self._near(cells, stride, quick)]
            self._check_surface(len(cells), stride)
            stride //= 2
            cells = (cells[:, None] + stride * CORNERS).reshape(-1, 3)
            cells = cells[(cells < self.resolution).all(1)]
        found = self._follow(cells)
        if not len(found) or self.low > 0:  # what was found is the cube's wall
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
        slopes = np.empty(len(keys), dtype=np.float32)
        for start in range(0, len(keys), 2**14):
            points = torch.from_numpy(self.points(keys[start : start + 2**14])).float().requires_grad_()
            with torch.enable_grad():
                (gradient,) = torch.autograd.grad(self.logits(points).sum(), points)
            slopes[start : start + 2**14] = gradient.norm(dim=1).numpy()
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
            self._check_surface(sum(map(len, found)), 1)
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

    def _check_surface(self, cells: int, stride: int) -> None:
        """Raise LevelError where so many cells lie near the surface that finer ones would not fit into memory."""
        side = self.resolution / stride
        if cells > LARGEST * side**2:
            raise LevelError(
                f"the field is noise: its surface may pass {cells:,} of {side**3:,.0f} cells. Try --resolution {COARSE}"
            )

    def _no_surface(self) -> LevelError:
        """Naming the field's range, as far as it was evaluated."""
        logits = self.threshold, self.low + self.threshold, self.high + self.threshold
        level, low, high = ((1 + math.tanh(logit / 2)) / 2 for logit in logits)
        return LevelError(
            f"no surface at level {level:g}: the occupancy runs from {low:.3g} to {high:.3g}. "
            f"Try --level {(low + high) / 2:.3g}"
        )


def _crossed(values: Float[np.ndarray, "n 8"]) -> Bool[np.ndarray, " n"]:
    """Whether the corners of cells lie on both sides of the level."""
    return (values.max(1) > 0) & (values.min(1) <= 0)
