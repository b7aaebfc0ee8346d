"""The grid of marching cubes, evaluated only near the surface: see `sinenerf.occupancy.surface`."""

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

COARSE = 64
"""Cells per side of the coarsest grid, which may have up to twice as many."""
MAX_CELLS = 96
"""Cells near the surface, per cell of one face of the cube, beyond which a field counts as noise. A dragon has 11 and a
field after two training steps 70; a cube with `COARSE` cells per side has 64 altogether."""
# corner order of libigl's marching cubes: around the lower face, then around the upper one
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])
FACES = np.array([[0, 3, 4, 7], [1, 2, 5, 6], [0, 1, 4, 5], [2, 3, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]])
BEHIND = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])

Cells = Int[np.ndarray, "_ 3"]
Logits = Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
"""Logits of the occupancy at points of the cube [-1, 1]^3, differentiable with respect to the points."""


class LevelError(ValueError):
    """The field has no surface at this level, or is NaN or noise. Where possible the message suggests a level within
    the field's range or a resolution."""


class Grid:
    """The finest grid, with the field's logit minus the threshold at the vertices evaluated so far.

    The arrays span the whole grid, so nothing has to be sorted; the system allocates only the pages that are written.
    """

    def __init__(self, logits: Logits, resolution: int, threshold: float) -> None:
        self.logits, self.resolution, self.threshold = logits, resolution, threshold
        self.evaluations = 0
        self.low, self.high = math.inf, -math.inf  # range of the field's logits minus the threshold
        self._known = np.zeros((resolution + 1) ** 3, dtype=bool)
        self._values = np.zeros((resolution + 1) ** 3, dtype=np.float32)

    def points(self, keys: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Coordinates of vertices in the cube, from their indices."""
        side = self.resolution + 1
        cell = np.stack([keys // side**2, keys // side % side, keys % side], axis=1)
        return 2 * cell / self.resolution - 1

    def corners(self, cells: Cells, stride: int = 1) -> Int[np.ndarray, "_ 8"]:
        """Indices of the vertices at the corners of each cell of `stride` finest cells per side."""
        side = self.resolution + 1
        ends = np.stack([cells, np.minimum(cells + stride, self.resolution)], 1)  # the last coarse cells may be cut
        x, y, z = np.moveaxis(ends * np.array([side * side, side, 1]), 2, 0)
        return x[:, CORNERS[:, 0]] + y[:, CORNERS[:, 1]] + z[:, CORNERS[:, 2]]

    def values(self, keys: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Logit minus the threshold at vertices, each evaluated once. The cube's wall counts as just outside."""
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
        return self._values[keys]

    def _distinct(self, keys: Int[np.ndarray, " n"]) -> Int[np.ndarray, " _"]:
        """Distinct keys in ascending order."""
        requested = np.zeros(len(self._known), dtype=bool)  # zeros_like would write, and so allocate, all of it
        requested[keys] = True
        return np.flatnonzero(requested)

    def search(self) -> Cells:
        """The cells of the finest grid that the surface crosses.

        Raises:
            LevelError: there are none or too many, or the field is NaN.
        """
        stride = 2 ** max(0, int(math.log2(self.resolution / COARSE)))
        ticks = np.arange(0, self.resolution, stride)
        cells = np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 3)
        if np.isnan(self.values(self.corners(cells, stride))).any():
            raise LevelError("the field is NaN at some points: its training was not completed")
        while stride > 1:
            cells = cells[self._near_surface(cells, stride)]
            self._check_surface(len(cells), stride)
            stride //= 2
            cells = (cells[:, None] + stride * CORNERS).reshape(-1, 3)
            cells = cells[(cells < self.resolution).all(1)]
        crossed = self._follow_surface(cells)
        if not len(crossed) or self.low > 0:  # the only surface is the cube's wall
            raise self._no_surface()
        return crossed

    def _near_surface(self, cells: Cells, stride: int) -> Bool[np.ndarray, " _"]:
        """Whether the surface crosses a cell, or could do so by the gradient at a corner."""
        keys = self.corners(cells, stride)
        near = _crossed(self.values(keys))
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

    def _follow_surface(self, cells: Cells) -> Cells:
        """The crossed cells among these, and all cells that the surface reaches from them across cell faces."""
        crossed_cells = [np.empty((0, 3), dtype=np.int64)]
        seen = np.zeros(self.resolution**3, dtype=bool)
        while len(cells):
            seen[self._indices(cells)] = True
            values = self.values(self.corners(cells))
            crossed = _crossed(values)
            cells, positive = cells[crossed], values[crossed] > 0
            crossed_cells.append(cells)
            self._check_surface(sum(map(len, crossed_cells)), 1)
            on_face = positive[:, FACES]
            cell, face = np.nonzero(on_face.any(2) & ~on_face.all(2))
            behind = cells[cell] + BEHIND[face]
            behind = behind[((behind >= 0) & (behind < self.resolution)).all(1)]
            behind = behind[~seen[self._indices(behind)]]
            _, first = np.unique(self._indices(behind), return_index=True)
            cells = behind[first]
        return np.concatenate(crossed_cells)

    def _indices(self, cells: Cells) -> Int[np.ndarray, " _"]:
        return (cells[:, 0] * self.resolution + cells[:, 1]) * self.resolution + cells[:, 2]

    def _check_surface(self, cells: int, stride: int) -> None:
        """Raise LevelError if so many cells lie near the surface that finer ones would not fit into memory."""
        side = self.resolution / stride
        if cells > MAX_CELLS * side**2:
            raise LevelError(
                f"the field is noise: its surface may cross {cells:,} of {side**3:,.0f} cells. "
                f"Try --resolution {COARSE}"
            )

    def _no_surface(self) -> LevelError:
        """The error for a level without a surface, naming the range of the evaluated occupancies."""
        logits = self.threshold, self.low + self.threshold, self.high + self.threshold
        level, low, high = ((1 + math.tanh(logit / 2)) / 2 for logit in logits)
        return LevelError(
            f"no surface at level {level:g}: the occupancy runs from {low:.3g} to {high:.3g}. "
            f"Try --level {(low + high) / 2:.3g}"
        )


def _crossed(values: Float[np.ndarray, "n 8"]) -> Bool[np.ndarray, " n"]:
    """Whether the corners of each cell lie on both sides of the level."""
    return (values.max(1) > 0) & (values.min(1) <= 0)
