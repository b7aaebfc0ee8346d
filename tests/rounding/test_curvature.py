"""Derivatives of a network's output in closed form, and the Gauss-Newton matrix computed from them."""

import pytest
import torch

from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.rounding.curvature import Deviation, draw_points, gauss_newton


def by_autograd(network, points):
    """J, one row after the other."""
    parameters = list(network.parameters())
    rows = [torch.autograd.grad(network(point[None]).sum(), parameters) for point in points]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


@pytest.mark.parametrize("activation", ["gaussian", "sine", "relu"])
@pytest.mark.parametrize(
    "settings",
    [{"layer": "sine", "learn_omega": True, "learn_gain": True}, {"layer": "low-rank", "anchored": False},
     {"layer": "low-rank"}, {"layer": "dense"}],
    ids=lambda settings: "-".join(map(str, settings.values())),
)  # fmt: skip
def test_the_closed_form_agrees_with_autograd(settings, activation):
    torch.manual_seed(0)
    network = build_network(OccupancyConfig(width=12, rank=3, activation=activation, **settings))
    points = torch.rand(9, 3) * 2 - 1
    J = by_autograd(network, points)
    expected, count = J.T @ J / 9, J.shape[1]
    near = {"rtol": 1e-4, "atol": 1e-5 * float(expected.max())}
    outputs = network(points).detach() + torch.randn(9, 1)
    slope = J.T @ (network(points) - outputs)[:, 0].detach() / 9
    for start, stop in ((0, count), (17, count - 7)):  # a window may begin and end within a row
        H, pull = gauss_newton(network, points, start, stop, outputs)
        torch.testing.assert_close(H, expected[start:stop, start:stop], **near)
        torch.testing.assert_close(pull, slope[start:stop], rtol=1e-4, atol=1e-5 * float(slope.abs().max()))


def test_the_second_derivative_of_the_cross_entropy():
    """H is the Hessian of the loss where the network is linear in its parameters: in the last layer."""
    torch.manual_seed(0)
    network = build_network(OccupancyConfig("dense", width=8, depth=1))
    points = torch.rand(20_000, 3) * 2 - 1
    labels = (torch.rand(20_000, 1) > 0.5).float()
    head, count = network.head.weight, sum(p.numel() for p in network.parameters())
    features = network.trunk(points).detach()
    hessian = torch.autograd.functional.hessian(
        lambda w: torch.nn.functional.binary_cross_entropy_with_logits(features @ w.T + network.head.bias, labels), head
    )
    drawn = draw_points(network, points, 20_000, "cross-entropy")
    with torch.no_grad():
        p = torch.sigmoid(network(points))
        outputs = network(drawn)
    H = gauss_newton(network, drawn, count - 9, count - 1, outputs)[0] * (p * (1 - p)).mean()
    torch.testing.assert_close(H, hessian.view(8, 8), rtol=0.02, atol=0.02 * float(hessian.max()))


def test_points_are_drawn_by_the_second_derivative_of_the_loss():
    """Points of certain occupancy are never drawn; the squared error favours uncertain points more."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    points = torch.tensor([0.0, 2.0, 30.0, -30.0]).repeat_interleave(100)[:, None]
    shares = {}
    for loss in ("cross-entropy", "mse"):
        drawn = draw_points(network, points, 1000, loss)
        assert drawn.abs().max() <= 2
        shares[loss] = float((drawn == 2).float().mean())
    p = 1 / (1 + torch.tensor(-2.0).exp())
    weight = float(p * (1 - p))
    assert abs(shares["cross-entropy"] - weight / (weight + 0.25)) < 0.02
    assert abs(shares["mse"] - weight**2 / (weight**2 + 0.0625)) < 0.02


def test_the_deviation_is_measured_from_the_network_as_it_was():
    torch.manual_seed(0)
    network = build_network(OccupancyConfig("dense", width=8, depth=1))
    deviation = Deviation(network, lambda count: torch.rand(count, 3) * 2 - 1, "cross-entropy")
    count = sum(p.numel() for p in network.parameters())
    H, pull = deviation(0, count)
    assert not pull.any() and H.diagonal().min() >= 0
    with torch.no_grad():
        network.head.bias += 0.1
    assert float(deviation(count - 1, count)[1]) == pytest.approx(0.1, rel=1e-4)
    assert float(deviation.trained.head.bias) == pytest.approx(float(network.head.bias) - 0.1, abs=1e-6)
