"""Surfaces of a function on a grid, with numpy alone: Blender has no scikit-image."""

from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
"""Values (n) at points (n, 3): positive inside."""
BLOCK = 4
"""Cells along a side of the blocks that are looked at whole, or not at all."""
CHUNK = 2**16
"""Points at a time."""
AXES = np.eye(3, dtype=int)


def in_parts(function: Callable[..., np.ndarray], *rows: np.ndarray) -> np.ndarray:
    """The function of arrays with as many rows each, a part of the rows at a time."""
    cuts = range(CHUNK, len(rows[0]), CHUNK)
    return np.concatenate([function(*part) for part in zip(*(np.split(array, cuts) for array in rows), strict=True)])


def sampled(function: Function, low: np.ndarray, high: np.ndarray, resolution: int) -> np.ndarray:
    """The function on a grid that spans a box, in full only near its surface.

    Args:
        low, high: (3) corners of the box.
        resolution: cells along its longest side, rounded up to whole blocks; along the others as many as make cubes.

    Returns:
        (x, y, z): far from the surface, the value at the nearest corner of a block.
    """
    sides = np.maximum(np.ceil(resolution * (high - low) / (high - low).max() / BLOCK).astype(int), 1)
    shape = BLOCK * sides + 1

    def at(indices: np.ndarray) -> np.ndarray:
        return in_parts(lambda part: function(low + (high - low) * part / (shape - 1)), indices)

    corners = BLOCK * np.indices(sides + 1).reshape(3, -1).T
    coarse = at(corners).reshape(sides + 1)
    inside = np.pad(coarse > 0, 1, mode="edge")  # one block more in all directions than those that the surface passes
    around = [inside[tuple(slice(a, a + n) for a, n in zip(o, sides, strict=True))] for o in np.ndindex(4, 4, 4)]
    passed = np.any(around, axis=0) & ~np.all(around, axis=0)
    grid = coarse.repeat(BLOCK, 0).repeat(BLOCK, 1).repeat(BLOCK, 2)[tuple(slice(n) for n in shape)]
    near = np.zeros(shape, bool)
    offsets = np.indices((BLOCK + 1,) * 3).reshape(3, -1).T
    indices = (BLOCK * np.argwhere(passed)[:, None] + offsets).reshape(-1, 3)
    near[tuple(indices.T)] = True
    grid[near] = at(np.argwhere(near))
    return grid


def surface_nets(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(vertices (n, 3) in cells from the grid's first corner, quads (m, 4)) of the surface where a grid passes 0.

    Naive surface nets (Gibson 1998): a cell that the surface passes has one vertex, the mean of where its edges cross
    the surface, and an edge that crosses it has a quad between the four cells around it. Normals point from positive to
    negative values. The surface is open where the grid ends.
    """
    cells = np.array(grid.shape) - 1
    sums, counts = np.zeros((*cells, 3), np.float32), np.zeros(cells, np.float32)
    crossings = []
    for axis in range(3):
        ends = [np.take(grid, range(o, o + cells[axis]), axis) for o in (0, 1)]
        crossed = np.argwhere((ends[0] > 0) != (ends[1] > 0))
        first, second = (end[tuple(crossed.T)] for end in ends)
        place = crossed + AXES[axis] * np.clip(first / (first - second), 0, 1)[:, None]
        crossings.append((crossed, first > 0))
        for i, j in np.ndindex(2, 2):
            cell = crossed - i * AXES[axis - 2] - j * AXES[axis - 1]
            valid = ((cell >= 0) & (cell < cells)).all(1)
            np.add.at(sums, tuple(cell[valid].T), place[valid])
            np.add.at(counts, tuple(cell[valid].T), 1)
    passed = counts > 0
    numbers = np.full(cells, -1)
    numbers[passed] = np.arange(passed.sum())
    vertices = sums[passed] / counts[passed][:, None]
    quads = []
    for axis, (crossed, outwards) in enumerate(crossings):
        u, v = AXES[axis - 2], AXES[axis - 1]
        around = np.stack([crossed - u - v, crossed - v, crossed, crossed - u], axis=1)
        valid = ((around >= 0) & (around < cells)).all((1, 2))
        quad = numbers[tuple(around[valid].transpose(2, 0, 1))]
        quads.append(np.where(outwards[valid][:, None], quad, quad[:, ::-1]))
    return vertices, np.concatenate(quads)


def without_specks(vertices: np.ndarray, faces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The vertices and faces of the `count` connected pieces with the most faces, and of others with a tenth of the
    largest one's or more, which are no specks."""
    labels, before = np.arange(len(vertices)), None
    while before is None or (labels != before).any():
        before = labels.copy()
        np.minimum.at(labels, faces, labels[faces].min(1, keepdims=True))
        labels = labels[labels]  # of the vertex that gives the label
    pieces, sizes = np.unique(labels[faces[:, 0]], return_counts=True)
    count = max(count, int((sizes >= 0.1 * sizes.max()).sum()))
    kept = faces[np.isin(labels[faces[:, 0]], pieces[np.argsort(-sizes, kind="stable")[:count]])]
    used, index = np.unique(kept, return_inverse=True)
    return vertices[used], index.reshape(kept.shape)
