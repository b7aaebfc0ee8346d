"""Products of float32 matrices on a CPU with AVX, and of bfloat16 matrices with AVX-512, compiled by numba.

A word is 32 bits of an operand: one float32, or a pair of neighbouring bfloat16 along the dimension that is summed
over, whose two products one instruction adds to a float32. Results are float32. As in `matrix_kernels`, a tile of the
result stays in vector registers.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit

from sinenerf.common.matrix_kernels import COMPILED, LANES, ROWS, make_tile

COLUMNS = LANES
"""Divides the number of columns of a result."""
WIDEST = 5 if LANES == 16 else 3
"""Vectors side by side in a tile: with 4 rows, and the operands, they fill the 32 registers of AVX-512, or 16."""
SUPPORTED = LANES >= 8
"""Whether this processor has AVX."""


class _BFloat16(ir.Type):
    """LLVM's bfloat, which llvmlite does not know."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BFloat16)

    def __hash__(self) -> int:
        return hash(_BFloat16)


def _add_pair_products(builder: Any, total: Any, a: Any, b: Any) -> Any:
    """total + a b for vectors of words that are pairs of bfloat16, the two products of a pair summed."""
    pairs, name = ir.VectorType(_BFloat16(), 2 * LANES), "llvm.x86.avx512bf16.dpbf16ps.512"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(total.type, [total.type, pairs, pairs]), name)
    return builder.call(function, [total, builder.bitcast(a, pairs), builder.bitcast(b, pairs)])


_SIZES = [min(vectors, WIDEST) for vectors in range(1, 6)]  # a wider tile than WIDEST is never asked for
_f1, _f2, _f3, _f4, _f5 = (make_tile(vectors) for vectors in _SIZES)
_h1, _h2, _h3, _h4, _h5 = (make_tile(vectors, _add_pair_products) for vectors in _SIZES)


def _make_multiply(t1: Any, t2: Any, t3: Any, t4: Any, t5: Any) -> Any:
    @njit(**COMPILED)
    def multiply(a, a_start, a_row, a_step, steps, b, b_row, c, rows, columns):  # type: ignore[no-untyped-def]
        vectors = columns // COLUMNS
        parts = (vectors + WIDEST - 1) // WIDEST
        column = 0
        for part in range(parts):  # of nearly equal width, whose words of b stay in the nearest cache for all rows
            width = (vectors * (part + 1)) // parts - (vectors * part) // parts
            for row in range(0, rows, ROWS):
                start, target = a_start + row * a_row, row * c.shape[1] + column
                if width == 5:
                    t5(a, start, a_row, a_step, steps, b, column, b_row, c, target, c.shape[1])
                elif width == 4:
                    t4(a, start, a_row, a_step, steps, b, column, b_row, c, target, c.shape[1])
                elif width == 3:
                    t3(a, start, a_row, a_step, steps, b, column, b_row, c, target, c.shape[1])
                elif width == 2:
                    t2(a, start, a_row, a_step, steps, b, column, b_row, c, target, c.shape[1])
                else:
                    t1(a, start, a_row, a_step, steps, b, column, b_row, c, target, c.shape[1])
            column += width * COLUMNS

    return multiply


_multiply_float32 = _make_multiply(_f1, _f2, _f3, _f4, _f5)
_multiply_bfloat16 = _make_multiply(_h1, _h2, _h3, _h4, _h5) if LANES == 16 else _multiply_float32


@njit(**COMPILED)
def multiply_words(
    a: np.ndarray,
    a_start: int,
    a_row: int,
    a_step: int,
    steps: int,
    b: np.ndarray,
    c: np.ndarray,
    rows: int,
    columns: int,
    half: bool,
) -> None:
    """c[:rows, :columns] += a b, over `steps` words; rows a multiple of ROWS, columns of COLUMNS, steps above 0.

    Args:
        a: words; that of row i and step s lies at `a_start + i a_row + s a_step`, whatever the array's shape.
        b: (at least steps, at least columns), contiguous.
        c: contiguous float32.
        half: words are pairs of bfloat16; only where the processor multiplies them.
    """
    if half:
        _multiply_bfloat16(a, a_start, a_row, a_step, steps, b, b.shape[1], c, rows, columns)
    else:
        _multiply_float32(a, a_start, a_row, a_step, steps, b, b.shape[1], c, rows, columns)


@njit(**COMPILED)
def round_block(values, rows, count, halves, row, place):
    """halves[row + p, place + j] = the bits of the bfloat16 nearest to values[p, j]; NaN stays NaN."""
    for p in range(np.uint64(rows)):  # unsigned, since numba would look for negative indices at every step
        for j in range(np.uint64(count)):
            bits = np.float32(values[p, j]).view(np.int32)
            bits = (bits + np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))) >> np.int32(16)
            halves[np.uint64(row) + p, np.uint64(place) + j] = bits


@njit(**COMPILED)
def pair_rows(halves, row, place, rows, count, words):
    """words[q, j] = the pair of halves[row + 2 q, place + j] and halves[row + 2 q + 1, place + j]."""
    for q in range(np.uint64(rows // 2)):
        first = np.uint64(row) + q + q
        for j in range(np.uint64(count)):
            column = np.uint64(place) + j
            high = np.uint32(halves[first + np.uint64(1), column]) << np.uint32(16)
            words[q, j] = np.uint32(halves[first, column]) | high
