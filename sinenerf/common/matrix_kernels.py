"""Products of small float32 matrices on a CPU, compiled by numba for the processor it runs on.

The products of a coordinate network have tens of rows and a few hundred columns. Libraries written for large matrices
reach a third of the processor's speed on them; `multiply_add` keeps a tile of the result in vector registers, which
gives nearly all of it. numba does not keep arrays in registers, so the tile is written in LLVM's language.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
import torch
from llvmlite import binding, ir
from numba import config, njit, types
from numba.extending import intrinsic
from threadpoolctl import ThreadpoolController

# numba asks for TBB first, and warns where another library brings an old one
config.THREADING_LAYER_PRIORITY = ["omp", "workqueue", "tbb"]

COMPILED: dict[str, Any] = {"fastmath": True, "nogil": True, "error_model": "numpy", "cache": True}
"""Options of numba's `njit` for kernels."""
KEEPS_NAN: dict[str, Any] = COMPILED | {"fastmath": {"contract", "reassoc", "nsz", "arcp"}}
"""`COMPILED` without the licence to assume that no value is NaN: it must reach the loss, so that training stops."""
COLUMNS = 192
"""Number of columns that a tile's width divides, whatever the processor."""
ROWS = 4
"""Rows of a tile."""


def _vectors() -> tuple[int, int]:
    """(lanes, vectors): floats of one vector register, and how many vectors a tile has side by side."""
    features = binding.get_host_cpu_features()
    if features.get("avx512f"):  # 32 registers
        return 16, 4
    if features.get("avx"):  # 16 registers
        return 8, 2
    return 4, 4


LANES, VECTORS = _vectors()


@contextmanager
def kernels_alone() -> Iterator[None]:
    """Within the block torch and BLAS use one thread, so that only kernels use several.

    The threads of each library wait for its next call in a loop, for a while. Three libraries that take turns many
    hundred times a second would have their threads wait in each other's way: a step takes up to five times as long.

    The numbers belong to the process: of blocks in several threads the first one saves them, for all to restore.
    """
    with _alone.lock:
        if not _alone.blocks:
            _alone.threads, _alone.limit = torch.get_num_threads(), _libraries().limit(limits=1, user_api="blas")
        _alone.blocks += 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _alone.lock:
            _alone.blocks -= 1
            torch.set_num_threads(_alone.threads)
            if not _alone.blocks:
                _alone.limit.restore_original_limits()


class _Alone:
    """The blocks of `kernels_alone` that are open, and what was before the first of them."""

    lock, blocks, threads = Lock(), 0, 0
    limit: Any


_alone = _Alone()


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def add_float_product(builder: Any, total: Any, a: Any, b: Any) -> Any:
    """total + a b for vectors of words that are float32."""
    product = builder.fmul(builder.bitcast(a, total.type), builder.bitcast(b, total.type), flags=["contract"])
    return builder.fadd(total, product, flags=["contract"])  # one instruction with the product


def make_tile(vectors: int, add_product: Callable = add_float_product) -> Any:
    """A function for compiled code: c[tile] += a[ROWS rows] b[columns of `vectors` vectors].

    The arrays are contiguous, of 32 bits a word; positions and strides count words of their flattened values.

    Args:
        add_product: builds the code for total + a b, for a vector of float32 and two of words.
    """

    @intrinsic
    def tile(typing, a, a_start, a_row, a_step, steps, b, b_start, b_row, c, c_start, c_row):  # type: ignore[no-untyped-def]
        signature = types.void(a, a_start, a_row, a_step, steps, b, b_start, b_row, c, c_start, c_row)
        return signature, _tile_code(vectors, add_product)

    return tile


def _tile_code(vectors: int, add_product: Callable) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, index = ir.IntType(64), ir.IntType(32)
        floats, words = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(index, LANES)
        zeros = ir.Constant(words, [0] * LANES)
        left, left_start, left_row, left_step, steps, right, right_start, right_row, out, out_start, out_row = arguments
        left, right, out = (
            builder.bitcast(context.make_array(signature.args[i])(context, builder, array).data, index.as_pointer())
            for i, array in zip((0, 5, 8), (left, right, out), strict=True)
        )

        def pointer(data: Any, position: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(data, [position]), kind.as_pointer())

        def load(data: Any, position: Any, kind: Any) -> Any:
            value = builder.load(pointer(data, position, kind))
            value.align = 4
            return value

        def offset(start: Any, stride: Any, count: int, vector: int = 0) -> Any:
            place = builder.add(start, builder.mul(stride, word(count)))
            return builder.add(place, word(vector * LANES))

        places = [offset(out_start, out_row, r, v) for r in range(ROWS) for v in range(vectors)]
        before = [load(out, place, floats) for place in places]
        entry, loop, leave = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("leave")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(word)
        k.add_incoming(word(0), entry)
        sums = [builder.phi(floats) for _ in places]
        first = builder.add(right_start, builder.mul(k, right_row))
        columns = [load(right, offset(first, right_row, 0, v), words) for v in range(vectors)]
        step, after = builder.add(left_start, builder.mul(k, left_step)), []
        for r in range(ROWS):
            scalar = builder.load(builder.gep(left, [offset(step, left_row, r)]))
            single = builder.insert_element(ir.Constant(words, ir.Undefined), scalar, index(0))
            spread = builder.shuffle_vector(single, single, zeros)
            after += [add_product(builder, sums[r * vectors + v], spread, columns[v]) for v in range(vectors)]
        following = builder.add(k, word(1))
        k.add_incoming(following, loop)
        for total, old, new in zip(sums, before, after, strict=True):
            total.add_incoming(old, entry)
            total.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, steps), loop, leave)
        builder.position_at_end(leave)
        for place, new in zip(places, after, strict=True):
            builder.store(new, pointer(out, place, floats)).align = 4
        return context.get_dummy_value()

    return generate


_add_tile = make_tile(VECTORS)


@njit(**COMPILED)
def multiply_add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    """c += a b for contiguous float32 a (m, k), b (k, n), c (m, n); m a multiple of ROWS, n of COLUMNS, k above 0."""
    m, k = a.shape
    n = b.shape[1]
    for column in range(0, n, LANES * VECTORS):  # these columns of b stay in the nearest cache for all rows
        for row in range(0, m, ROWS):
            _add_tile(a, row * k, k, 1, k, b, column, n, c, row * n + column, n)


@njit(**COMPILED)
def add_outer(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    """c += a b^T for contiguous float32 a (m, n), b (k, n), c (m, k); m and k multiples of ROWS."""
    zero = np.float32(0)
    for i in range(0, a.shape[0], ROWS):
        for j in range(0, b.shape[0], ROWS):
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = zero
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = zero
            for p in range(a.shape[1]):  # 16 sums at once: each value that is read serves four of them
                a0, a1, a2, a3 = a[i, p], a[i + 1, p], a[i + 2, p], a[i + 3, p]
                b0, b1, b2, b3 = b[j, p], b[j + 1, p], b[j + 2, p], b[j + 3, p]
                s00, s01, s02, s03 = s00 + a0 * b0, s01 + a0 * b1, s02 + a0 * b2, s03 + a0 * b3
                s10, s11, s12, s13 = s10 + a1 * b0, s11 + a1 * b1, s12 + a1 * b2, s13 + a1 * b3
                s20, s21, s22, s23 = s20 + a2 * b0, s21 + a2 * b1, s22 + a2 * b2, s23 + a2 * b3
                s30, s31, s32, s33 = s30 + a3 * b0, s31 + a3 * b1, s32 + a3 * b2, s33 + a3 * b3
            c[i, j] += s00
            c[i, j + 1] += s01
            c[i, j + 2] += s02
            c[i, j + 3] += s03
            c[i + 1, j] += s10
            c[i + 1, j + 1] += s11
            c[i + 1, j + 2] += s12
            c[i + 1, j + 3] += s13
            c[i + 2, j] += s20
            c[i + 2, j + 1] += s21
            c[i + 2, j + 2] += s22
            c[i + 2, j + 3] += s23
            c[i + 3, j] += s30
            c[i + 3, j + 1] += s31
            c[i + 3, j + 2] += s32
            c[i + 3, j + 3] += s33
