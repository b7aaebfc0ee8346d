"""Symmetries of hidden neurons, and how a file uses them to save bits.

The n neurons of a hidden layer can stand in any of n! orders, and with an even or odd activation each can have either
sign: the network computes the same function. Files store the neurons in the order of their biases, none of them
negative where signs are free. The differences of ascending biases are small, so that coding them saves log2 n! bits a
layer, and n more for the signs.

The neurons that the fixed rows of an anchored V read come first and are sorted among themselves.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn

from sinenerf.codec.tensors import QuantisedTensor
from sinenerf.common.settings import Activation
from sinenerf.factored import FactoredLinear
from sinenerf.networks import RadianceMLP, ScalarMLP

Parity = Literal["even", "odd", "none"]
PARITIES: dict[Activation, Parity] = {"relu": "none", "gaussian": "even", "sine": "odd"}
SAVED_SHARE = 0.85
"""Share of log2 n! bits that coding the differences saves: equal biases and the model of the differences cost the
rest."""


@dataclass(frozen=True)
class HiddenLayer:
    """The tensors that belong to the neurons of one hidden layer."""

    count: int
    """Number of neurons."""
    parity: Parity
    """Parity of the activation f. even: f(-z) = f(z), so a neuron's sign is free. odd: f(-z) = -f(z), so the weights of
    its readers change their sign with it."""
    bias: str
    """Name of the bias tensor."""
    rows: str
    """Name of the tensor with a row for each neuron: U, or W where the layer is dense."""
    columns: tuple[tuple[str, int, int, int], ...]
    """(name, axis, first, skipped) of each tensor that reads the neurons: rows of V or columns of W from `first` on
    read all neurons but the first `skipped`."""
    anchored: int
    """Number of neurons, from the first, that fixed rows of V read. They are reordered only among themselves."""
    anchors: tuple[tuple[str, int], ...]
    """(name, first column) of the readers' U and V, whose columns are reordered together with the anchored neurons."""


def hidden_layers(network: nn.Module) -> list[HiddenLayer]:
    """The hidden layers of all networks inside a module; tensors are named as the module's parameters."""
    found: list[HiddenLayer] = []
    for name, module in network.named_modules():
        path = f"{name}." if name else ""
        if isinstance(module, ScalarMLP):
            found += _trunk_layers(module, path, ["head"])
        elif isinstance(module, RadianceMLP):
            found += _trunk_layers(module, path, ["density", "feature"])
            # no activation follows the feature layer: it is linear, and therefore odd
            found.append(_hidden_layer(module, path, "feature", [("view", 0)], "odd"))
            found.append(_hidden_layer(module, path, "view", [("colour", 0)], "none"))
    return found


def saved_bits(layers: Sequence[HiddenLayer]) -> float:
    """Approximate number of bits that a file saves by sorting the neurons."""
    signs = sum(layer.count for layer in layers if layer.parity != "none")
    groups = [count for layer in layers for count in (layer.anchored, layer.count - layer.anchored)]
    return SAVED_SHARE * (sum(math.lgamma(count + 1) for count in groups) / math.log(2) + signs)


def sort_neurons(tensors: dict[str, QuantisedTensor], layers: Sequence[HiddenLayer]) -> dict[str, QuantisedTensor]:
    """The same network with ascending biases. Sorting is idempotent."""
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
    return {name: QuantisedTensor(integers[name], tensor.step) for name, tensor in tensors.items()}


def _trunk_layers(network: ScalarMLP | RadianceMLP, path: str, heads: list[str]) -> Iterator[HiddenLayer]:
    trunk = network.trunk
    for index in range(len(trunk.layers)):
        last = index + 1 == len(trunk.layers)
        # after a skip the encoded input precedes the features
        first = network.encode_position.out_features if index in trunk.skips else 0
        readers = [(name, first) for name in (heads if last else [f"trunk.layers.{index + 1}"])]
        yield _hidden_layer(network, path, f"trunk.layers.{index}", readers, PARITIES[trunk.activation])


def _hidden_layer(
    network: nn.Module, path: str, name: str, readers: list[tuple[str, int]], parity: Parity
) -> HiddenLayer:
    """One layer; `readers` are the (name, first input that is one of its neurons) of the layers that read it."""
    layer = network.get_submodule(name)
    assert isinstance(layer, nn.Linear | FactoredLinear)
    columns, anchors, anchored = [], [], 0
    for reader, first in readers:
        reading = network.get_submodule(reader)
        if not isinstance(reading, FactoredLinear):
            columns.append((f"{path}{reader}.weight", 1, first, 0))
            continue
        fixed = max(0, reading.anchored - first)
        columns.append((f"{path}{reader}.V", 0, max(0, first - reading.anchored), fixed))
        if fixed:  # at most one reader of a layer is factored: the density head has one output, so it is dense
            anchored = fixed
            anchors += [(f"{path}{reader}.{factor}", first) for factor in "UV"]
    rows = f"{path}{name}.{'U' if isinstance(layer, FactoredLinear) else 'weight'}"
    return HiddenLayer(layer.out_features, parity, f"{path}{name}.bias", rows, tuple(columns), anchored, tuple(anchors))
