"""Activations: their gradients, and the size of what passes them."""

import pytest
import torch

from sinenerf.activations import PHASE, activate, hidden_gain


@pytest.mark.parametrize("activation", ["gaussian", "sine"])
def test_activations_have_the_right_gradient(activation):
    z = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: activate(x, activation, 3.0), z)
    assert torch.autograd.gradgradcheck(lambda x: activate(x, activation, 3.0), z)  # as for normals in a loss
    expected = torch.sin(3 * z) if activation == "sine" else torch.exp(-(((3 * z) ** 2) / 2))
    torch.testing.assert_close(activate(z, activation, 3.0), expected)


@pytest.mark.parametrize("activation", ["gaussian", "sine"])
def test_hidden_layers_keep_the_size_of_their_input(activation):
    bandwidth, width = 5.0, 256
    z = torch.randn(2000, width) * PHASE[activation] / bandwidth
    weight = torch.randn(width, width) * hidden_gain(activation, bandwidth) / width**0.5
    after = activate(z, activation, bandwidth) @ weight.T
    assert float(bandwidth * after.square().mean().sqrt()) == pytest.approx(PHASE[activation], rel=0.1)
