"""Which tensors of a network belong to each hidden neuron. Neurons of a layer may change places, and signs where the
activation is even or odd: the network stays the same function, so that a file is free to choose."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import nn

from sinenerf.activations import Activation
from sinenerf.factored import FactoredLinear
from sinenerf.networks import RadianceMLP, ScalarMLP

Parity = Literal["even", "odd", "none"]
PARITIES: dict[Activation, Parity] = {"relu": "none", "gaussian": "even", "sine": "odd"}


@dataclass(frozen=True)
class Hidden:
    """One hidden layer."""

    count: int
    """Neurons."""
    parity: Parity
    """Of the activation f. even: f(-z) = f(z), a neuron's sign is free; odd: f(-z) = -f(z), its readers change too."""
    bias: str
    """Name of the tensor of biases."""
    rows: str
    """The tensor with a row for each neuron: U, or W where the layer is dense."""
    columns: tuple[tuple[str, int, int, int], ...]
    """(name, axis, first, skipped) of the tensors that read the neurons: from `first` on along rows of V or columns of
    W, all neurons but the first `skipped`."""
    anchored: int
    """So many neurons, the first, are read by fixed rows of V: they change places among themselves alone ..."""
    anchors: tuple[tuple[str, int], ...]
    """... together with columns of their readers' U and V: (name, first) of these tensors."""


def hidden_layers(network: nn.Module) -> list[Hidden]:
    """The hidden layers of every network inside a module, with the tensors' names in it."""
    found: list[Hidden] = []
    for name, module in network.named_modules():
        path = f"{name}." if name else ""
        if isinstance(module, ScalarMLP):
            found += _of_trunk(module, path, ["head"])
        elif isinstance(module, RadianceMLP):
            found += _of_trunk(module, path, ["density", "feature"])
            # no activation follows the feature: it is linear, so odd
            found.append(_hidden(module, path, "feature", [("view", 0)], "odd"))
            found.append(_hidden(module, path, "view", [("colour", 0)], "none"))
    return found


def _of_trunk(network: ScalarMLP | RadianceMLP, path: str, heads: list[str]) -> Iterator[Hidden]:
    trunk = network.trunk
    for index in range(len(trunk.layers)):
        last = index + 1 == len(trunk.layers)
        # after a skip the input stands before the features
        first = network.encode_position.out_features if index in trunk.skips else 0
        readers = heads if last else [f"trunk.layers.{index + 1}"]
        yield _hidden(
            network, path, f"trunk.layers.{index}", [(name, first) for name in readers], PARITIES[trunk.activation]
        )


def _hidden(network: nn.Module, path: str, name: str, readers: list[tuple[str, int]], parity: Parity) -> Hidden:
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
        if fixed:  # no two readers of one layer are factored: the head of the density, of one output, is dense
            anchored = fixed
            anchors += [(f"{path}{reader}.{factor}", first) for factor in "UV"]
    rows = f"{path}{name}.{'U' if isinstance(layer, FactoredLinear) else 'weight'}"
    return Hidden(layer.out_features, parity, f"{path}{name}.bias", rows, tuple(columns), anchored, tuple(anchors))
