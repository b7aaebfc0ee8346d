"""The compiled sine against float64, and what it is used for against torch's operations."""

import numpy as np
import pytest
from numba import njit

from sinenerf.common import sine_kernels
from sinenerf.common.sine_kernels import GROUP, LARGEST_PHASE, TILE, _sine, add_gradients, add_sine


@njit
def _sines(phases, shift):
    return np.array([_sine(phase, shift) for phase in phases])


@pytest.mark.parametrize("largest", [1e-3, np.pi, 300.0, LARGEST_PHASE])
def test_sine_and_cosine_are_exact_to_rounding(largest):
    phases = np.random.default_rng(0).uniform(-largest, largest, 200_000).astype(np.float32)
    phases[:5] = 0, largest, -largest, np.float32(np.pi / 2), np.float32(np.pi)
    for shift, function in ((0, np.sin), (0.5, np.cos)):
        error = _sines(phases, np.float32(shift)) - function(phases.astype(np.float64))
        assert np.abs(error).max() < 1.3e-7, "two units in the last place of 1"
    assert _sines(phases[:1], np.float32(0))[0] == 0


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (GROUP, 8, TILE), (2 * GROUP + 3, 9, 2 * TILE + 3)])
def test_blocks_are_those_of_float64(shape):
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b, upstream, block = (rng.normal(size=s).astype(np.float32) for s in ((k, n), (m, k), (m, n), (m, n)))
    out, grad_a, grad_b = np.full_like(block, np.nan), np.ones_like(a), np.ones_like(b)
    add_sine(a, b, np.float32(0.5), block, out)
    add_gradients(upstream, a, b, grad_a, grad_b)
    phases = b.astype(np.float64) @ a
    slopes = upstream * np.cos(phases)
    np.testing.assert_allclose(out, block + 0.5 * np.sin(phases), atol=3e-6)
    add_sine(a, b, np.float32(0.5), block, block)
    np.testing.assert_array_equal(block, out)
    np.testing.assert_allclose(grad_a, 1 + b.T @ slopes, atol=1e-5)
    np.testing.assert_allclose(grad_b, 1 + slopes @ a.T, atol=1e-3)


def test_series_is_more_exact_than_a_float():
    r = np.linspace(1e-3, np.pi / 2, 1000)
    odd = np.float64([1, *sine_kernels.SERIES])
    assert np.abs(sum(c * r ** (2 * i + 1) for i, c in enumerate(odd)) - np.sin(r)).max() < 3e-10
