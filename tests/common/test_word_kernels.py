"""Products of words against numpy's."""

import numpy as np
import pytest

from sinenerf.common.word_kernels import SUPPORTED, multiply_words, pair_rows, round_block

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="needs AVX")


def rounded(values: np.ndarray) -> np.ndarray:
    """Bits of the nearest bfloat16, by the kernel."""
    bits = np.empty(values.shape, np.uint16)
    round_block(values, *values.shape, bits, 0, 0)
    return bits


def to_float(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def test_rounding_is_torchs():
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).normal(size=(8, 40)).astype(np.float32)
    values[0, :5] = 0, -0.0, np.inf, -np.inf, 1e-42
    values[1, 0] = np.nan
    expected = torch.from_numpy(values).bfloat16().float().numpy()
    np.testing.assert_array_equal(to_float(rounded(values)), expected)


@pytest.mark.parametrize("columns", [16, 48, 64, 80, 96, 176])
@pytest.mark.parametrize("half", [False, True])
def test_products_are_added(columns, half):
    if half:
        from sinenerf.common.hardware import multiplies_bfloat16

        if not multiplies_bfloat16("cpu"):
            pytest.skip("needs bfloat16")
    rng = np.random.default_rng(columns)
    a, b, c = (rng.normal(size=shape).astype(np.float32) for shape in ((12, 20), (20, columns), (12, columns)))
    result = c.copy()
    if half:
        a, b = to_float(rounded(a)), to_float(rounded(b))
        words = np.empty((10, columns), np.uint32)
        pair_rows(rounded(b), 0, 0, 20, columns, words)
        multiply_words(rounded(a).view(np.uint32), 0, 10, 1, 10, words, result, 12, columns, True)
    else:
        multiply_words(a.view(np.uint32), 0, 20, 1, 20, b, result, 12, columns, False)
    np.testing.assert_allclose(result, c + a @ b, atol=1e-5)


def test_the_left_operand_may_be_transposed():
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(20, 8)), rng.normal(size=(20, 32)), np.zeros((8, 32), np.float32)
    a, b = a.astype(np.float32), b.astype(np.float32)
    multiply_words(a.view(np.uint32), 0, 1, 8, 20, b, c, 8, 32, False)
    np.testing.assert_allclose(c, a.T @ b, atol=1e-5)
