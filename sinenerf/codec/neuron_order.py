"""What the symmetries of a network are worth: a file puts the neurons of a hidden layer in the order of their biases.

n! orders of n neurons, and 2^n signs under an even or odd activation, give the same function. One of them has
ascending biases, none of them negative where signs are free; their differences are small, and are what the container
stores. That saves log2 n! bits a layer, and n: nothing else about the field changes. Neurons that fixed rows of V read
come first, in an order of their own.
"""

import math
from collections.abc import Sequence

import numpy as np

from sinenerf.codec.neuron_symmetry import Hidden
from sinenerf.codec.tensor_table import Coded

GAINED = 0.85
"""Share of log2 n! that the differences really save: equal biases, and the model of the differences, cost the rest."""


def saving(layers: Sequence[Hidden]) -> float:
    """About how many bits the order of the neurons saves."""
    signs = sum(layer.count for layer in layers if layer.parity != "none")
    groups = [count for layer in layers for count in (layer.anchored, layer.count - layer.anchored)]
    return GAINED * (sum(math.lgamma(count + 1) for count in groups) / math.log(2) + signs)


def arrange(tensors: dict[str, Coded], layers: Sequence[Hidden]) -> dict[str, Coded]:
    """The same network with ascending biases. Arranged once, it stays as it is."""
    integers = {name: tensor.integers.copy() for name, tensor in tensors.items()}
    for layer in layers:
        bias = integers[layer.bias]
        signs = np.where((bias < 0) & (layer.parity != "none"), -1, 1)
        order = np.lexsort((bias * signs, np.arange(layer.count) >= layer.anchored))  # stable, the anchored first
        integers[layer.bias] = (bias * signs)[order]
        integers[layer.rows] = (integers[layer.rows] * signs[:, None])[order]
        flips = (signs if layer.parity == "odd" else np.ones_like(signs))[:, None]
        for name, axis, first, skipped in layer.columns:
            neurons = np.moveaxis(integers[name], axis, 0)[first : first + layer.count - skipped]
            neurons[:] = (neurons * flips[skipped:])[order[skipped:] - skipped]
        for name, first in layer.anchors:
            columns = integers[name].T[first : first + layer.anchored]
            columns[:] = (columns * flips[: layer.anchored])[order[: layer.anchored]]
    return {name: Coded(integers[name], tensor.step) for name, tensor in tensors.items()}
