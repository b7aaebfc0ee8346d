"""Rounding by curvature after training."""

import numpy as np
import pytest
import torch

from sinenerf.codec.container import OCCUPANCY, pack
from sinenerf.codec.entropy import LARGEST
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.rounding import by_curvature, curvature
from sinenerf.rounding.by_curvature import CurvatureRounding


def points(count):
    return torch.rand(count, 3) * 2 - 1


def file_length(tensors):
    return len(pack(OCCUPANCY, b"", list(tensors)))


@pytest.fixture(autouse=True)
def few_points(monkeypatch):
    monkeypatch.setattr(curvature, "POINTS", 512)


def trained(layer="sine", width=24):
    """A small network that was trained to fit a ball."""
    torch.manual_seed(0)
    network = build_network(OccupancyConfig(layer, rank=2, width=width))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(150):
        x = points(512)
        inside = (x.norm(dim=1, keepdim=True) < 0.7).float()
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(network(x), inside).backward()
        optimizer.step()
    return network


def rounding_of(network, size):
    deviation = curvature.Deviation(network, points, "cross-entropy")
    return CurvatureRounding(network, size, file_length, deviation)


@pytest.mark.parametrize("layer", ["sine", "low-rank", "dense"])
def test_the_file_fills_its_budget_and_the_network_has_its_values(layer, monkeypatch):
    monkeypatch.setattr(by_curvature, "WINDOW", 100)
    network = trained(layer)
    rounding = rounding_of(network, size=350 if layer != "dense" else 900)
    done = list(rounding.run())
    assert len(done) == -(-rounding.count // 100) and done == sorted(done) and done[-1] == 1
    tensors = rounding.tensors()
    assert 0.97 * rounding.size < file_length(tensors.values()) <= rounding.size
    # the file's order of neurons differs, but the values are the same
    for name, parameter in network.named_parameters():
        ours, stored = parameter.detach().numpy().flatten(), tensors[name].values().flatten()
        np.testing.assert_allclose(np.sort(np.abs(ours)), np.sort(np.abs(stored)), rtol=1e-6)


def test_later_windows_make_up_for_the_errors_of_earlier_ones(monkeypatch):
    monkeypatch.setattr(by_curvature, "WINDOW", 60)
    ratios = []
    for seed in range(3):
        deviations = []
        for ridges in ((0.01, 0.1, 1.0), (1e12,)):  # with the second, no parameter moves
            monkeypatch.setattr(by_curvature, "RIDGES", ridges)
            network = trained()
            torch.manual_seed(seed)
            x = points(4096)
            with torch.no_grad():
                before = network(x)
                for _ in rounding_of(network, 400).run():
                    pass
                deviations.append(float((network(x) - before).square().mean()))
        ratios.append(deviations[0] / deviations[1])
    assert np.mean(ratios) < 0.95


def test_a_move_must_suit_other_points_as_well():
    """Parameters stay where each half of the points asks for the opposite."""
    H, pull = torch.eye(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    assert not by_curvature._move([(H, pull), (H, -pull)]).any()
    assert (by_curvature._move([(H, pull), (H, pull)]) < -0.9).all()


def test_an_untrained_network_keeps_its_size_too():
    torch.manual_seed(0)
    network = build_network(OccupancyConfig(rank=2, width=24))
    rounding = rounding_of(network, 300)
    for _ in rounding.run():
        pass
    assert rounding.length() <= 300


@pytest.mark.slow
def test_at_many_bits_no_parameter_is_cut_off():
    """At 16 bits each the largest parameters exceeded the format's largest integer."""
    network = trained()
    before = network.head.weight.detach().clone()
    rounding = rounding_of(network, 1500)
    for _ in rounding.run():
        pass
    torch.testing.assert_close(network.head.weight.detach(), before, atol=2e-3, rtol=0)
    assert max(np.abs(tensor.integers).max() for tensor in rounding.tensors().values()) <= LARGEST


def test_a_network_of_constant_output_is_rounded_too():
    """Its curvature is zero: in no direction can parameters compensate for others."""
    network = trained()
    with torch.no_grad():
        network.head.bias.fill_(-200.0)
    rounding = rounding_of(network, 300)
    for _ in rounding.run():
        pass
    assert rounding.length() <= 300
