"""Rounding by curvature during training."""

import numpy as np
import pytest
import torch

from sinenerf.codec.container import OCCUPANCY, pack
from sinenerf.codec.entropy import LARGEST
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.rounding.by_curvature import CurvatureRounding
from sinenerf.rounding.curvature import gauss_newton


class Course:
    """A small network, trained to fit a ball while its parameters are rounded."""

    def __init__(self, size, layer="sine"):
        torch.manual_seed(0)
        self.network = build_network(OccupancyConfig(layer, rank=2, width=24))
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3)
        self.points = torch.rand(512, 3) * 2 - 1
        self.rounding = CurvatureRounding(
            self.network, size, lambda tensors: len(pack(OCCUPANCY, b"", tensors)),
            lambda start, stop: gauss_newton(self.network, self.points, start, stop),
        )  # fmt: skip

    def step(self, done):
        self.rounding.before_step(done)
        inside = (self.points.norm(dim=1, keepdim=True) < 0.7).float()
        self.optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(self.network(self.points), inside).backward()
        self.optimizer.step()
        self.rounding.after_step()

    def rounded_values(self):
        flat = torch.cat([p.detach().flatten() for p in self.network.parameters()])
        return flat[: self.rounding.rounded].clone()


@pytest.mark.parametrize("layer", ["sine", "low-rank", "dense"])
def test_parameters_are_rounded_in_portions(layer):
    """Rounded parameters stay while the others train on; the file fills its budget; the network has its values."""
    course = Course(size=350 if layer != "dense" else 900, layer=layer)
    counts = [0]
    for step in range(200):
        before = course.rounded_values()
        course.step(step / 200)
        after = course.rounded_values()
        assert torch.equal(after[: len(before)], before)
        if course.rounding.rounded > counts[-1]:
            counts.append(course.rounding.rounded)
    assert len(counts) > 10 and counts[-1] == course.rounding.count
    tensors = course.rounding.finish()
    size = len(pack(OCCUPANCY, b"", list(tensors.values())))
    assert 0.97 * course.rounding.size < size <= course.rounding.size
    # the file's order of neurons differs, but the values are the same
    for name, parameter in course.network.named_parameters():
        ours, stored = parameter.detach().numpy().flatten(), tensors[name].values().flatten()
        np.testing.assert_allclose(np.sort(np.abs(ours)), np.sort(np.abs(stored)), rtol=1e-6)


@pytest.mark.parametrize("done", [0.0, 0.5, 0.8, 0.97])
def test_a_file_keeps_its_size_wherever_training_stops(done):
    course = Course(size=300)
    course.step(done)
    assert len(pack(OCCUPANCY, b"", list(course.rounding.finish().values()))) <= 300


def test_a_training_resumes_from_its_state():
    whole, first, second = Course(300), Course(300), Course(300)
    for step in range(100):
        whole.step(step / 100)
    for step in range(85):
        first.step(step / 100)
    second.network.load_state_dict(first.network.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.rounding.load_state(first.rounding.state())
    for step in range(85, 100):
        second.step(step / 100)
    for name, tensor in whole.rounding.finish().items():
        assert np.array_equal(tensor.integers, second.rounding.finish()[name].integers)


@pytest.mark.slow
def test_at_many_bits_no_parameter_is_cut_off():
    """At 16 bits each the largest parameters exceeded the format's largest integer."""
    course = Course(size=1500)
    before = course.network.head.weight.detach().clone()
    tensors = course.rounding.finish()
    torch.testing.assert_close(course.network.head.weight.detach(), before, atol=2e-3, rtol=0)
    assert max(np.abs(tensor.integers).max() for tensor in tensors.values()) <= LARGEST


def test_a_network_of_constant_output_is_rounded_too():
    """Its curvature is zero: in no direction can parameters compensate for others."""
    course = Course(size=300)
    with torch.no_grad():
        course.network.head.bias.fill_(-200.0)
    tensors = course.rounding.finish()
    assert len(pack(OCCUPANCY, b"", list(tensors.values()))) <= 300
