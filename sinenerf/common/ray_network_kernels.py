"""The compiled pass of `sinenerf.radiance.compiled_networks`: ReLU layers at the samples of rays, by numba.

A block of points, those of whole rays, goes through all layers while its activations are in the cache. Only the layers'
inputs are kept for the gradients, a row of words (see `word_kernels`) for each point: its encoded position, then each
layer's activations.
"""

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from sinenerf.common.matrix_kernels import COMPILED, KEEPS_NAN, ROWS
from sinenerf.common.word_kernels import COLUMNS, multiply_words, pair_rows, round_block


class Shape(NamedTuple):
    """The sizes of a network, and how its samples are divided into blocks."""

    inputs: np.ndarray
    """(layers,): inputs of each layer, padded to a multiple of 4."""
    outputs: np.ndarray
    """(layers,): outputs of each layer, padded to a multiple of 16."""
    places: np.ndarray
    """(layers,): position of each layer's inputs in a row, in words."""
    octaves: int
    head: int
    """Index of the layer with the density; the colour is the layer after it, if any."""
    view_width: int
    """Outputs of that layer before the density: the hidden neurons of the colour, to which each ray adds its own."""
    samples: int
    """Samples of a ray."""
    rays: int
    """Rays of a block."""
    rows: int
    """Points of a block, padded to a multiple of 4."""
    half: bool
    """bfloat16 instead of float32."""


class Memory(NamedTuple):
    """The layers' inputs at all points: (blocks * rows, words), as each type that the kernels need."""

    words: np.ndarray
    floats: np.ndarray
    halves: np.ndarray

    @staticmethod
    def empty(rows: int, words: int) -> "Memory":
        return Memory.of(np.empty((rows, words), np.uint32))

    @staticmethod
    def of(words: np.ndarray) -> "Memory":
        return Memory(words, words.view(np.float32), words.view(np.uint16))


@njit(parallel=True, **COMPILED)
def forward_rays(points, sine, cosine, per_ray, weights, biases, memory, shape, results, threads):
    """Fill `memory`, and results (points, 4): the raw density and, if the network has one, the raw colour.

    Args:
        points, sine, cosine: (points, 3).
        per_ray: (rays, view_width).
        weights: (layers, words of the inputs, outputs).
        biases: (layers, outputs).
    """
    size = shape.rays * shape.samples
    for thread in prange(threads):
        values = np.empty((shape.rows, biases.shape[1]), np.float32)
        for block in range(thread, (len(points) + size - 1) // size, threads):
            start, row = block * size, block * shape.rows
            stop = min(start + size, len(points))
            _encode(points, sine, cosine, start, stop, row, memory, shape)
            for layer in range(len(shape.inputs)):
                _forward_layer(layer, start, stop, row, per_ray, weights, biases, memory, shape, values)
                if layer >= shape.head:
                    _leave(layer, start, stop, shape, values, results)
                if layer + 1 < len(shape.inputs):
                    _activate(values, shape.rows, shape.inputs[layer + 1])
                    _keep(values, shape.rows, row, layer + 1, memory, shape)


@njit(**KEEPS_NAN)
def _encode(points, sine, cosine, start, stop, row, memory, shape):
    """Keep the first layer's inputs at the points of a block: `networks.PositionalEncoding`."""
    encoded = np.zeros((1, shape.inputs[0]), np.float32)
    for p in range(shape.rows):
        if start + p < stop:
            for axis in range(3):
                encoded[0, axis] = points[start + p, axis]
                if shape.octaves > 0:
                    s, c = sine[start + p, axis], cosine[start + p, axis]
                    encoded[0, 3 + axis], encoded[0, 6 + axis] = s, c
                    for octave in range(1, shape.octaves):
                        s, c = 2 * s * c, 1 - 2 * s * s
                        encoded[0, 3 + 6 * octave + axis], encoded[0, 6 + 6 * octave + axis] = s, c
        else:
            encoded[:] = 0
        _keep(encoded, 1, row + p, 0, memory, shape)


@njit(**KEEPS_NAN)
def _forward_layer(layer, start, stop, row, per_ray, weights, biases, memory, shape, values):
    """Set `values` to a layer's outputs for a block, before their activation."""
    outputs, words = shape.outputs[layer], memory.words.shape[1]
    for p in range(shape.rows):
        for j in range(outputs):
            values[p, j] = biases[layer, j]
    if layer == shape.head:
        for p in range(stop - start):
            ray = (start + p) // shape.samples
            for j in range(shape.view_width):
                values[p, j] += per_ray[ray, j]
    steps = shape.inputs[layer] // 2 if shape.half else shape.inputs[layer]
    multiply_words(
        memory.words, row * words + shape.places[layer], words, 1, steps, weights[layer], values, shape.rows, outputs,
        shape.half,
    )  # fmt: skip


@njit(**KEEPS_NAN)
def _leave(layer, start, stop, shape, values, results):
    """Copy the outputs of the density's or of the colour's layer to the results."""
    for p in range(stop - start):
        if layer == shape.head:
            results[start + p, 0] = values[p, shape.view_width]
        else:
            for channel in range(3):
                results[start + p, 1 + channel] = values[p, channel]


@njit(**KEEPS_NAN)
def _activate(values, rows, count):
    for p in range(rows):
        for j in range(count):
            values[p, j] = np.float32(0) if values[p, j] <= 0 else values[p, j]


@njit(**KEEPS_NAN)
def _keep(values, rows, row, layer, memory, shape):
    """Store values (rows, inputs) as inputs of a layer, from a row of the memory on."""
    if shape.half:
        round_block(values, rows, shape.inputs[layer], memory.halves, row, 2 * shape.places[layer])
        return
    for p in range(np.uint64(rows)):
        for j in range(np.uint64(shape.inputs[layer])):
            memory.floats[np.uint64(row) + p, np.uint64(shape.places[layer]) + j] = values[p, j]


@njit(parallel=True, **COMPILED)
def backward_rays(slopes, kept, weights, memory, shape, of_weights, of_biases, of_rays):
    """Add the gradients by the weights, biases and per-ray inputs. Overwrites `memory`.

    Args:
        slopes: (points, 4), the derivatives by the results.
        kept: (points,), whether a point counts.
        weights: (layers, words of the outputs, inputs).
        of_weights: (threads, layers, inputs, outputs).
        of_biases: (threads, layers, outputs).
        of_rays: (rays, view_width).
    """
    size, threads, width = shape.rays * shape.samples, len(of_weights), of_biases.shape[2]
    for thread in prange(threads):
        delta, before = np.empty((shape.rows, width), np.float32), np.empty((shape.rows, width), np.float32)
        rounded, pairs = np.empty((shape.rows, width), np.uint16), np.empty((2, shape.rows // 2, width), np.uint32)
        points = np.empty(shape.rows, np.int64)
        for block in range(thread, (len(slopes) + size - 1) // size, threads):
            start, row = block * size, block * shape.rows
            count = _gather(kept, start, min(start + size, len(slopes)), row, memory, points)
            rows = (count + ROWS - 1) // ROWS * ROWS
            for layer in range(len(shape.inputs) - 1 if count > 0 else -1, -1, -1):
                if layer >= shape.head:
                    _enter(layer, slopes, points[:count], rows, shape, delta, of_rays)
                _layer_gradients(
                    layer, row, rows, delta, rounded, pairs, memory, shape, of_weights[thread, layer],
                    of_biases[thread, layer],
                )  # fmt: skip
                if layer > 0:
                    _propagate(layer, row, rows, delta, rounded, weights, memory, shape, before)
                    delta, before = before, delta


@njit(**KEEPS_NAN)
def _gather(kept, start, stop, row, memory, points):
    """Move the rows of a block's points that count to its front, and set `points` to these. Returns their number."""
    count = 0
    for point in range(start, stop):
        if kept[point]:
            memory.words[row + count] = memory.words[row + point - start]
            points[count] = point
            count += 1
    return count


@njit(**KEEPS_NAN)
def _enter(layer, slopes, points, rows, shape, delta, of_rays):
    """Put the derivatives by the results into those by the outputs of the density's or of the colour's layer."""
    first = shape.view_width if layer == shape.head else 0
    delta[:rows, first : shape.outputs[layer]] = 0
    for p in range(len(points)):
        if layer == shape.head:
            delta[p, first] = slopes[points[p], 0]
            ray = points[p] // shape.samples
            for j in range(first):
                of_rays[ray, j] += delta[p, j]
        else:
            for channel in range(3):
                delta[p, channel] = slopes[points[p], 1 + channel]


@njit(**KEEPS_NAN)
def _layer_gradients(layer, row, rows, delta, rounded, pairs, memory, shape, of_weights, of_biases):
    """Add a layer's gradients by its weights and biases; with bfloat16, set `rounded` to `delta`."""
    inputs, outputs, place = shape.inputs[layer], shape.outputs[layer], shape.places[layer]
    words = memory.words.shape[1]
    for p in range(rows):
        for j in range(outputs):
            of_biases[j] += delta[p, j]
    if shape.half:
        round_block(delta, rows, outputs, rounded, 0, 0)
        pair_rows(memory.halves, row, 2 * place, rows, inputs, pairs[0])
        pair_rows(rounded, 0, 0, rows, outputs, pairs[1])
        multiply_words(pairs[0], 0, 1, pairs.shape[2], rows // 2, pairs[1], of_weights, inputs, outputs, True)
    else:
        start = row * words + place
        multiply_words(memory.words, start, 1, words, rows, delta, of_weights, inputs, outputs, False)


@njit(**KEEPS_NAN)
def _propagate(layer, row, rows, delta, rounded, weights, memory, shape, before):
    """Set `before` to the derivatives by the outputs, not yet activated, of the layer before."""
    inputs, width, place = shape.inputs[layer], delta.shape[1], shape.places[layer]
    columns = (inputs + COLUMNS - 1) // COLUMNS * COLUMNS
    before[:rows, :columns] = 0
    if shape.half:
        steps, words = shape.outputs[layer] // 2, rounded.view(np.uint32)
        multiply_words(words, 0, width // 2, 1, steps, weights[layer], before, rows, columns, True)
        _mask(memory.halves, row, 2 * place, rows, inputs, before)
    else:
        multiply_words(delta, 0, width, 1, shape.outputs[layer], weights[layer], before, rows, columns, False)
        _mask(memory.words, row, place, rows, inputs, before)


@njit(**KEEPS_NAN)
def _mask(activations, row, place, rows, count, delta):
    """Let through only the derivatives of neurons that were active."""
    for p in range(np.uint64(rows)):
        for j in range(np.uint64(count)):
            active = activations[np.uint64(row) + p, np.uint64(place) + j] != 0
            delta[p, j] = delta[p, j] if active else np.float32(0)
