"""The compiled pass of `sinenerf.occupancy.loss`: loss and gradients of a coordinate network, by numba.

Arrays of activations are (neurons, points): the points of a block lie side by side, as vector registers want them.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange

from sinenerf.common.matrix_kernels import COLUMNS, COMPILED, KEEPS_NAN, add_outer, multiply_add

NEGLIGIBLE = np.float32(-36)
"""log2 of activations that are replaced by 0. Where neurons are far from their peaks, products of such activations and
their slopes leave the range of normal floats, with which an Intel processor takes up to twenty times as long."""


class Matrices(NamedTuple):
    """All layers' weights and biases, or their gradients; d hidden layers of w neurons, padded to a multiple of ROWS.

    Additional neurons have no connections.
    """

    first: np.ndarray
    """(w, 3)."""
    hidden: np.ndarray
    """(d - 1, w, w)."""
    biases: np.ndarray
    """(d, w)."""
    head: np.ndarray
    """(w + 1,): the weights, then the bias."""

    @staticmethod
    def zeros(depth: int, width: int) -> "Matrices":
        shapes = (width, 3), (depth - 1, width, width), (depth, width), (width + 1,)
        return Matrices(*(np.zeros(shape, np.float32) for shape in shapes))


@njit(parallel=True, **COMPILED)
def loss_and_gradients(points, labels, matrices, gradients, memory, gaussian, bandwidth, squared):
    """Sum of the loss over each thread's blocks, (threads,). The mean loss's gradients go to `gradients`."""
    threads, count = len(memory), len(points)
    transposed = np.empty_like(matrices.hidden)
    for index in range(len(transposed)):
        transposed[index] = matrices.hidden[index].T
    losses = np.zeros(threads, np.float32)
    for thread in prange(threads):
        mine = Matrices(
            gradients.first[thread], gradients.hidden[thread], gradients.biases[thread], gradients.head[thread]
        )
        for start in range(thread * COLUMNS, count, threads * COLUMNS):
            losses[thread] += _block(
                points, labels, start, matrices, transposed, mine, memory[thread], gaussian, bandwidth, squared
            )
    return losses


@njit(**COMPILED)
def _block(points, labels, start, matrices, transposed, gradients, memory, gaussian, bandwidth, squared):
    """The same for up to COLUMNS points from `start` on."""
    depth, width = matrices.biases.shape
    stop = min(start + COLUMNS, len(points))
    x = np.zeros((3, COLUMNS), np.float32)
    for p in range(start, stop):
        for axis in range(3):
            x[axis, p - start] = points[p, axis]
    values, slopes, delta = memory[:depth], memory[depth : 2 * depth], memory[2 * depth]

    for o in range(width):
        for p in range(COLUMNS):
            values[0, o, p] = (
                matrices.first[o, 0] * x[0, p]
                + matrices.first[o, 1] * x[1, p]
                + matrices.first[o, 2] * x[2, p]
                + matrices.biases[0, o]
            )
    _activate(values[0], slopes[0], gaussian, bandwidth)
    for index in range(1, depth):
        for o in range(width):
            values[index, o] = matrices.biases[index, o]
        multiply_add(matrices.hidden[index - 1], values[index - 1], values[index])
        _activate(values[index], slopes[index], gaussian, bandwidth)

    logits = np.full(COLUMNS, matrices.head[width], np.float32)
    for o in range(width):
        for p in range(COLUMNS):
            logits[p] += matrices.head[o] * values[depth - 1, o, p]
    loss, slope = _loss(logits, labels[start:stop], np.float32(1 / len(points)), squared)

    for o in range(width):
        total = np.float32(0)
        for p in range(COLUMNS):
            total += values[depth - 1, o, p] * slope[p]
            delta[o, p] = matrices.head[o] * slope[p]
        gradients.head[o] += total
    gradients.head[width] += slope.sum()
    for index in range(depth - 1, -1, -1):
        for o in range(width):
            total = np.float32(0)
            for p in range(COLUMNS):
                delta[o, p] *= slopes[index, o, p]
                total += delta[o, p]
            gradients.biases[index, o] += total
        if index > 0:
            add_outer(delta, values[index - 1], gradients.hidden[index - 1])
            slopes[index] = 0  # no longer needed: it receives the next delta
            multiply_add(transposed[index - 1], delta, slopes[index])
            delta = slopes[index]
    for o in range(width):
        for axis in range(3):
            total = np.float32(0)
            for p in range(COLUMNS):
                total += delta[o, p] * x[axis, p]
            gradients.first[o, axis] += total
    return loss


@njit(**KEEPS_NAN)
def _activate(values, slopes, gaussian, bandwidth):
    """Replace pre-activations by activations, and set `slopes` to the derivatives."""
    if not gaussian:
        for o in range(values.shape[0]):
            for p in range(values.shape[1]):
                slopes[o, p] = np.float32(1) if values[o, p] > 0 else np.float32(0)
                values[o, p] *= slopes[o, p]
        return
    square = bandwidth * bandwidth
    scale = -np.float32(0.5) * square * np.float32(1 / math.log(2))
    for o in range(values.shape[0]):
        for p in range(values.shape[1]):
            z = values[o, p]
            t = z * z * scale
            h = np.float32(0) if t <= NEGLIGIBLE else _power_of_two(t)
            values[o, p], slopes[o, p] = h, -square * z * h


@njit(inline="always", **KEEPS_NAN)
def _power_of_two(t):
    """2^t for float32 t from -126 to 0, within 2e-7 of its size: math.exp would keep the loop from using vectors.

    2^t = 2^i 2^f with whole i and |f| <= 1/2; the Taylor series of 2^f, and 2^i through the bits of a float.
    """
    i = np.int32(t - np.float32(0.5))
    f = (t - np.float32(i)) * np.float32(math.log(2))
    series = np.float32(1 / 720) + f * np.float32(1 / 5040)
    series = np.float32(1 / 24) + f * (np.float32(1 / 120) + f * series)
    series = np.float32(1) + f * (np.float32(1) + f * (np.float32(1 / 2) + f * (np.float32(1 / 6) + f * series)))
    return series * np.int32((i + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(**COMPILED)
def _loss(logits, labels, weight, squared):
    """(sum of the points' losses, weight times its derivative by each logit: 0 beyond the labels)."""
    total, slope = np.float32(0), np.zeros(len(logits), np.float32)
    for p in range(len(labels)):
        x, y = logits[p], labels[p]
        small = math.exp(-abs(x))  # of -|x|: fast mathematics may assume that nothing is infinite
        occupancy = (np.float32(1) if x > 0 else small) / (np.float32(1) + small)
        if squared:
            error = occupancy - y
            total += error * error
            slope[p] = weight * 2 * error * occupancy * (1 - occupancy)
        else:
            total += max(x, np.float32(0)) - x * y + math.log1p(small)
            slope[p] = weight * (occupancy - y)
    return total, slope
