"""The compiled loss against autograd's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.loss import AutogradLoss, FusedLoss, make_loss

CONFIGS = [
    {"layer": "sine", "width": 22, "rank": 3, "learn_omega": True, "learn_gain": True},
    {"layer": "low-rank", "width": 16, "rank": 4, "depth": 4},
    {"layer": "dense", "width": 7, "activation": "relu"},
    {"layer": "dense", "width": 12, "depth": 1},
]


@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config['layer']}-{config['width']}")
@pytest.mark.parametrize("count", [1, 500])
def test_loss_and_gradients_are_those_of_autograd(config, loss, count):
    network = build_network(OccupancyConfig(**config))
    points, labels = torch.rand(count, 3) * 2 - 1, torch.rand(count, 1)
    logits = network(points)
    function = (
        F.binary_cross_entropy_with_logits if loss == "cross-entropy" else lambda x, y: F.mse_loss(x.sigmoid(), y)
    )
    expected = function(logits, labels)
    expected.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    network.zero_grad()
    value = FusedLoss(network, loss).backward(points, labels)
    assert value == pytest.approx(float(expected.detach()), rel=1e-5)
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6 * float(1 + gradient.abs().max()), rtol=1e-3)


@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
@pytest.mark.parametrize("logit", [-1000.0, -89.0, 89.0, 1000.0])
def test_the_loss_of_an_extreme_logit_is_that_of_autograd(logit, loss):
    network = build_network(OccupancyConfig(layer="dense", width=8))
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(logit)
    points, labels = torch.rand(500, 3) * 2 - 1, torch.rand(500, 1)
    autograd, fused = AutogradLoss(network, loss, torch.device("cpu"), False), FusedLoss(network, loss)
    expected = float(autograd.backward(points, labels).detach())
    gradient = network.head.bias.grad.clone()
    network.zero_grad()
    assert fused.backward(points, labels) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(network.head.bias.grad, gradient, atol=1e-6, rtol=1e-4)


def test_gradients_do_not_remain_from_the_step_before():
    network = build_network(OccupancyConfig(width=8, rank=2))
    fused, points, labels = FusedLoss(network, "cross-entropy"), torch.rand(300, 3), torch.ones(300, 1)
    results = []
    for _ in range(2):
        network.zero_grad()
        fused.backward(points, labels)
        results.append([parameter.grad.clone() for parameter in network.parameters()])
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def test_no_number_is_subnormal():
    """With subnormal numbers a step took up to twenty times as long on an Intel processor."""
    network = build_network(OccupancyConfig(layer="dense", width=16))
    with torch.no_grad():
        network.trunk.layers[0].weight.mul_(6)  # most points are far from a neuron's peak
    fused = FusedLoss(network, "cross-entropy")
    fused.backward(torch.rand(500, 3) * 2 - 1, torch.ones(500, 1))
    gradients = [parameter.grad.numpy() for parameter in network.parameters()]
    numbers = np.abs(np.concatenate([fused.memory.ravel(), *(gradient.ravel() for gradient in gradients)]))
    assert (numbers == 0).any()
    assert numbers[numbers > 0].min() >= np.finfo(np.float32).tiny


@pytest.mark.parametrize("layer", [0, 1])
def test_activations_that_are_no_numbers_make_the_loss_none(layer):
    network = build_network(OccupancyConfig(width=8, rank=2))
    with torch.no_grad():
        network.trunk.layers[layer].bias[0] = float("nan")
    value = FusedLoss(network, "cross-entropy").backward(torch.rand(9, 3), torch.ones(9, 1))
    assert value != value


def test_a_loss_that_is_no_number_is_returned():
    network = build_network(OccupancyConfig(width=8, rank=2))
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    value = FusedLoss(network, "cross-entropy").backward(torch.rand(9, 3), torch.ones(9, 1))
    assert value != value


@pytest.mark.parametrize(
    ("activation", "precision", "kind"),
    [
        ("gaussian", "auto", FusedLoss),
        ("relu", "float32", FusedLoss),
        ("sine", "auto", AutogradLoss),
        ("gaussian", "bfloat16", AutogradLoss),
    ],
)
def test_the_compiled_pass_is_used_where_it_can_be(activation, precision, kind):
    network = build_network(OccupancyConfig(width=8, rank=2, activation=activation))
    assert type(make_loss(network, "mse", precision)) is kind
