"""What the page shows of a network's layers."""

import pytest

from sinenerf.occupancy.field import OccupancyField
from sinenerf.theory import stable_rank
from sinenerf.viewer.layer_inspection import inspect_layers


def test_matrices_singular_values_and_bytes_of_each_layer(shape):
    field = OccupancyField.load(shape[0])
    layers = {layer["name"]: layer for layer in inspect_layers(field, shape[0].read_bytes())}
    factored = layers["trunk.layers.1"]
    assert set(factored["pictures"]) == {"U", "V", "W"} and "k = 2" in factored["equation"]
    assert factored["stable_rank"] == pytest.approx(stable_rank(field.network.trunk.layers[1].weight))
    assert len(factored["singular"]) == 32 and factored["parameters"] == (32 + 30) * 2 + 32
    total = sum(sum(layer["bytes"].values()) for layer in layers.values())
    assert 0.5 * shape[0].stat().st_size < total < shape[0].stat().st_size
