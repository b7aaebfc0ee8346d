"""Products of small matrices against numpy's."""

from threading import Event, Thread

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from sinenerf.common.matrix_kernels import COLUMNS, LANES, ROWS, VECTORS, add_outer, kernels_alone, multiply_add


def matrix(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows + columns).normal(size=(rows, columns)).astype(np.float32)


def test_a_tile_divides_the_columns():
    assert COLUMNS % (LANES * VECTORS) == 0


@pytest.mark.parametrize("inner", [1, 3, 40, 65])
@pytest.mark.parametrize(("rows", "columns"), [(ROWS, COLUMNS), (44, 2 * COLUMNS)])
def test_products_are_added(rows, inner, columns):
    a, b, c = matrix(rows, inner), matrix(inner, columns), matrix(rows, columns)
    expected = c + a.astype(np.float64) @ b
    multiply_add(a, b, c)
    np.testing.assert_allclose(c, expected, atol=1e-4)


@pytest.mark.parametrize(("rows", "others", "columns"), [(ROWS, ROWS, 1), (40, 12, COLUMNS)])
def test_outer_products_are_added(rows, others, columns):
    a, b, c = matrix(rows, columns), matrix(others, columns), matrix(rows, others)
    expected = c + a.astype(np.float64) @ b.T
    add_outer(a, b, c)
    np.testing.assert_allclose(c, expected, atol=1e-4)


def test_threads_are_restored_after_blocks_that_overlap():
    first, second = Event(), Event()

    def begin():
        with kernels_alone():
            first.set()
            second.wait()

    def end():
        first.wait()
        with kernels_alone():
            second.set()
            beginning.join()

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        libraries = [library["num_threads"] for library in threadpool_info()]
        beginning, ending = Thread(target=begin), Thread(target=end)
        beginning.start()
        ending.start()
        ending.join()
        assert torch.get_num_threads() == 2
        assert [library["num_threads"] for library in threadpool_info()] == libraries
    finally:
        torch.set_num_threads(before)
