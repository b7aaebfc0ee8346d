"""Blocks of scale sin(B A) and their gradients on a CPU in float32, compiled by numba.

torch makes one pass over memory for the product, one for its sine and one for each use. Here about a thousand phases
at a time stay in the nearest cache from the product to the use, and the sine costs 17 operations. Each loop over them
is a function of its own on contiguous rows: then the compiler uses vectors.
"""

from typing import Any

import numpy as np
from numba import njit

from sinenerf.common.matrix_kernels import COMPILED

LARGEST_PHASE = 10_000.0
"""Up to here `_sine` is within 1.3e-7: the multiples of pi that it subtracts have at most 13 bits."""
TILE = 1024
"""Phases that are computed at once."""
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
def add_sine(a, b, scale, out):
    """out += scale sin(b a) for contiguous float32 a (k, n), b (m, k), out (m, n)."""
    memory = np.empty(TILE, np.float32)
    for start in range(0, out.shape[1], TILE):
        stop = min(start + TILE, out.shape[1])
        phases = memory[: stop - start]
        for i in range(len(out)):
            _product(b, i, a, start, stop, phases)
            _add_sines(phases, scale, out[i, start:stop])


@njit(**COMPILED)
def add_gradients(upstream, a, b, grad_a, grad_b):
    """grad_a += b^T d and grad_b += d a^T, d = upstream cos(b a): the gradients of sum(upstream sin(b a))."""
    memory = np.empty(TILE, np.float32)
    for start in range(0, upstream.shape[1], TILE):
        stop = min(start + TILE, upstream.shape[1])
        slopes = memory[: stop - start]
        for i in range(len(upstream)):
            _product(b, i, a, start, stop, slopes)
            _times_cosines(slopes, upstream[i, start:stop])
            for k in range(len(a)):
                grad_b[i, k] += _dot_and_add(slopes, a[k, start:stop], b[i, k], grad_a[k, start:stop])


@njit(**COMPILED)
def _product(b, i, a, start, stop, phases):
    """phases = b[i] @ a[:, start:stop]."""
    phases[:] = ZERO
    for k in range(len(a)):
        _add_multiple(phases, b[i, k], a[k, start:stop])


@njit(**COMPILED)
def _add_multiple(out, factor, x):
    for j in range(len(out)):
        out[j] += factor * x[j]


@njit(**COMPILED)
def _add_sines(phases, scale, out):
    for j in range(len(phases)):
        out[j] += scale * _sine(phases[j], ZERO)


@njit(**COMPILED)
def _times_cosines(phases, upstream):
    """Replace each phase by upstream cos(phase)."""
    for j in range(len(phases)):
        phases[j] = upstream[j] * _sine(phases[j], HALF)


@njit(**COMPILED)
def _dot_and_add(x, y, factor, out):
    """The scalar product of x and y; out += factor x."""
    total = ZERO
    for j in range(len(x)):
        total += x[j] * y[j]
        out[j] += factor * x[j]
    return total


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
