"""Blocks of scale sin(B A) and their gradients on a CPU in float32, compiled by numba.

torch makes one pass over memory for the product, one for its sine and one for each use. Here a few thousand phases at a
time stay in the nearest cache from the product to the use, and the sine costs 17 operations. The products are those of
`matrix_kernels`, for whose tiles blocks are copied and filled up with zeros. Each loop over phases is a function of its
own on contiguous rows: then the compiler uses vectors.
"""

from typing import Any

import numpy as np
from numba import njit

from sinenerf.common.matrix_kernels import COLUMNS, COMPILED, ROWS, add_outer, multiply_add

LARGEST_PHASE = 10_000.0
"""Up to here `_sine` is within 1.3e-7: the multiples of pi that it subtracts have at most 13 bits."""
TILE, GROUP = 2 * COLUMNS, 2 * ROWS
"""Columns and rows of the phases that are computed at once."""
ORDERED: dict[str, Any] = COMPILED | {"fastmath": {"contract"}}
"""Options that keep the order of operations, on which the reduction of a phase depends."""

ROUNDER = np.float32(1.5 * 2**23)
"""x + ROUNDER is ROUNDER plus the whole number closest to x, for |x| < 2^22, and its last bit tells odd from even."""
PI = [np.float32(part) for part in (3.140625, 0.0009670257568359375, 6.2771141529083252e-07, 1.2154201256553421e-10)]
PI_0, PI_1, PI_2, PI_3 = PI
"""pi in parts, of which the first three have so few bits that their multiples are exact (Cody and Waite 1980)."""
SERIES = [np.float32(c) for c in (-1.666666716e-1, 8.333348669e-3, -1.984277187e-4, 2.760962161e-6, -2.520169140e-8)]
C_3, C_5, C_7, C_9, C_11 = SERIES
"""sin r = r + C_3 r^3 + ... + C_11 r^11 within 3e-10 for |r| <= pi / 2. Each is fitted with those before it rounded."""
ZERO, HALF = np.float32(0), np.float32(0.5)


@njit(**COMPILED)
def add_sine(a, b, scale, base, out):
    """out = base + scale sin(b a) for contiguous float32 a (k, n), b (m, k), base and out (m, n); scale float32."""
    (m, n), k = out.shape, len(a)
    tiles = _tiles(a, k)
    factors, phases = np.empty((GROUP, k), np.float32), np.empty((GROUP, TILE), np.float32)
    for first in range(0, m, GROUP):
        last = min(first + GROUP, m)
        _copy(b[first:last], factors)
        for t in range(len(tiles)):
            start, stop = t * TILE, min((t + 1) * TILE, n)
            phases[:] = ZERO
            multiply_add(factors, tiles[t], phases)
            for i in range(first, last):
                _add_sines(phases[i - first, : stop - start], scale, base[i, start:stop], out[i, start:stop])


@njit(**COMPILED)
def add_gradients(upstream, a, b, grad_a, grad_b):
    """grad_a += b^T d and grad_b += d a^T, d = upstream cos(b a): the gradients of sum(upstream sin(b a))."""
    (m, n), k = upstream.shape, len(a)
    rank = (k + ROWS - 1) // ROWS * ROWS
    tiles = _tiles(a, rank)
    of_tiles = np.zeros_like(tiles)
    factors, of_factors = np.zeros((GROUP, rank), np.float32), np.empty((GROUP, rank), np.float32)
    slopes, turned = np.empty((GROUP, TILE), np.float32), np.empty((rank, GROUP), np.float32)
    for first in range(0, m, GROUP):
        last = min(first + GROUP, m)
        _copy(b[first:last], factors)
        turned[:] = factors.T
        of_factors[:] = ZERO
        for t in range(len(tiles)):
            start, stop = t * TILE, min((t + 1) * TILE, n)
            slopes[:] = ZERO
            multiply_add(factors, tiles[t], slopes)
            for i in range(first, last):
                _times_cosines(slopes[i - first, : stop - start], upstream[i, start:stop])
            add_outer(slopes, tiles[t], of_factors)
            multiply_add(turned, slopes, of_tiles[t])
        grad_b[first:last] += of_factors[: last - first, :k]
    for t in range(len(tiles)):
        start, stop = t * TILE, min((t + 1) * TILE, n)
        grad_a[:, start:stop] += of_tiles[t, :k, : stop - start]


@njit(**COMPILED)
def _tiles(a, rows):
    """The columns of a, TILE at a time, with as many rows, filled up with zeros."""
    tiles = np.empty(((a.shape[1] + TILE - 1) // TILE, rows, TILE), np.float32)
    for t in range(len(tiles)):
        _copy(a[:, t * TILE : (t + 1) * TILE], tiles[t])
    return tiles


@njit(**COMPILED)
def _copy(block, out):
    """Copy a block into the corner of a larger array, whose other values become 0."""
    rows, columns = block.shape
    out[:rows, :columns] = block
    out[:rows, columns:] = ZERO
    out[rows:] = ZERO


@njit(**COMPILED)
def _add_sines(phases, scale, base, out):
    for j in range(len(phases)):
        out[j] = base[j] + scale * _sine(phases[j], ZERO)


@njit(**COMPILED)
def _times_cosines(phases, upstream):
    """Replace each phase by upstream cos(phase)."""
    for j in range(len(phases)):
        phases[j] = upstream[j] * _sine(phases[j], HALF)


@njit(**ORDERED)
def _sine(x, shift):
    """sin(x + shift pi), shift 0 or 1/2: (-1)^n sin(r), r = x - (n - shift) pi, where |r| is least."""
    rounded = x * np.float32(1 / np.pi) + shift + ROUNDER
    m = rounded - ROUNDER - shift
    r = (((x - m * PI_0) - m * PI_1) - m * PI_2) - m * PI_3
    z = r * r
    y = r + r * z * (C_3 + z * (C_5 + z * (C_7 + z * (C_9 + z * C_11))))
    sign = np.int32(np.float32(rounded).view(np.int32) << np.int32(31))
    return np.int32(np.float32(y).view(np.int32) ^ sign).view(np.float32)
