"""Stored tensors and the parameters of a module."""

import numpy as np
import torch

from sinenerf.codec.tensors import QuantisedTensor, load_tensors, size_of, stored_tensors, values_of


def test_parameters_are_stored_quantised_unless_they_have_changed():
    layer = torch.nn.Linear(3, 2)
    tensors = {
        "weight": QuantisedTensor(np.arange(6).reshape(2, 3), 0.25),
        "bias": np.array([0.1, -0.7], np.float32),
    }
    quantised = load_tensors(layer, tensors)
    assert list(quantised) == ["weight"] and layer.weight[1, 2] == 1.25
    stored = stored_tensors(layer, ["bias", "weight"], quantised)
    assert np.array_equal(stored[0], tensors["bias"]) and stored[1] is tensors["weight"]
    assert [size_of(tensor) for tensor in stored] == [2, 6]
    with torch.no_grad():
        layer.weight[0, 0] = 0.1
    changed, _ = stored_tensors(layer, ["weight", "bias"], quantised)
    assert isinstance(changed, np.ndarray) and np.array_equal(values_of(changed), layer.weight.detach().numpy())
