"""Rounding by learned steps, and parameters that settle."""

import math

import numpy as np
import pytest
import torch

from sinenerf.codec.entropy import LARGEST, EntropyModel
from sinenerf.layers import SineLowRankLinear
from sinenerf.radiance.architecture import build_networks
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.header import file_length, overhead
from sinenerf.rounding.by_learned_steps import LearnedStepRounding


def rounding_of(layer, budget, size=10_000, file_length=lambda tensors: 0):
    """A rounding that has started, with a budget in bits."""
    rounding = LearnedStepRounding(layer, size, file_length, overhead=size - budget / 8, begin=0.0)
    rounding.start()
    return rounding


def test_rounding_is_to_multiples_and_gradients_pass():
    torch.manual_seed(0)
    layer = SineLowRankLinear(20, 12, rank=2)
    plain = layer.U.detach().clone()
    rounding = rounding_of(layer, budget=8.0 * 76)
    tensors = rounding.tensors()
    assert list(tensors) == ["U", "V", "bias"]
    assert np.array_equal(tensors["U"].values(), layer.U.detach().numpy())
    assert abs(layer.U.detach() - plain).max() <= 0.501 * tensors["U"].step
    (layer(torch.rand(5, 20)).square().sum() + rounding.penalty()).backward()
    groups = rounding.parameter_groups()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for group in groups for p in group["params"])
    rounding.remove()
    assert np.array_equal(tensors["U"].values(), layer.U.detach().numpy())
    assert [name for name, _ in layer.named_parameters()] and not list(layer.children())


def test_the_step_learns_by_lsq():
    """d (s round(x / s)) / ds = round(x / s) - x / s (Esser et al. 2020, equation 3)."""
    layer = torch.nn.Linear(4, 3, bias=False)
    rounding = rounding_of(layer, budget=60)
    _, step, original = next(iter(rounding._each()))
    layer.weight.sum().backward()
    x = (original / step.step).detach()
    expected = (x.round() - x).sum() * step.log_step.detach().exp()
    torch.testing.assert_close(step.log_step.grad, expected)


def test_the_estimated_rate_is_the_coded_length():
    """Once the model's two coefficients are learned, the rate in the loss is the length that the coder needs."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 64, bias=False)
    rounding = rounding_of(layer, budget=5.0 * 4096)
    models = rounding.parameter_groups()[1]["params"]
    optimizer = torch.optim.Adam([p for p in models if p is not models[0]], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        rounding.penalty().backward()
        optimizer.step()
    (tensor,) = rounding.tensors().values()
    assert EntropyModel.fit(tensor.integers).bits(tensor.integers) == pytest.approx(rounding.last_rate, rel=0.01)


def test_parameters_settle_in_portions():
    """Settled parameters stay while the others train on, and in the end all are multiples of their steps."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    rounding = rounding_of(layer, budget=6.0 * 620)
    optimizer = torch.optim.Adam([{"params": group["params"], "lr": 1e-2} for group in rounding.parameter_groups()])
    target, x = torch.randn(64, 20), torch.randn(64, 30)
    step_of_weight = layer.parametrizations.weight[0]
    settled = []
    for step in range(400):
        rounding.before_step(step / 400)
        before = step_of_weight.fixed.clone()
        optimizer.zero_grad()
        ((layer(x) - target).square().mean() + rounding.penalty()).backward()
        optimizer.step()
        assert torch.equal(before.nan_to_num(1e9), step_of_weight.fixed.nan_to_num(1e9))
        if not settled or not np.isclose(settled[-1], float((~before.isnan()).float().mean())):
            settled.append(float((~before.isnan()).float().mean()))
    assert settled[0] == 0 and settled[-1] == 1 and len(settled) > 5 and settled == sorted(settled)
    tensors = rounding.finish()
    rounding.remove()
    assert np.array_equal(tensors["weight"].values(), layer.weight.detach().numpy())


@pytest.mark.parametrize("bits, begin, first", [(1.5, 0.5, 0.75), (4, 0.5, 0.75), (6, 0.75, 0.875), (16, 0.85, 0.925)])
def test_the_more_bits_the_later_a_training_rounds(bits, begin, first):
    torch.manual_seed(0)
    layer, size = torch.nn.Linear(30, 20), 10_000
    rounding = LearnedStepRounding(layer, size, lambda tensors: 0, overhead=size - bits * 620 / 8)
    assert rounding.begin == pytest.approx(begin) and not rounding.active
    rounding.before_step(begin - 1e-3)
    assert not rounding.active
    rounding.before_step(first - 1e-3)
    assert rounding.active and not rounding.settling
    rounding.before_step((first + 1) / 2)
    assert rounding.settling
    rounding.before_step(1 - (1 - first) / 10)
    assert all(step.fixed.isfinite().all() for _, step, _ in rounding._each())


@pytest.mark.parametrize("done", [0.6, 0.85])
def test_a_file_keeps_its_size_wherever_training_stops(done):
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    size = 100

    def file_length(tensors):
        return sum(int(np.abs(t.integers).sum()) for t in tensors) // 50

    rounding = rounding_of(layer, 6.0 * 620, size, file_length)
    for _ in range(20):
        rounding.before_step(done)
    assert rounding.length() > size
    tensors = rounding.finish()
    assert file_length(tensors.values()) <= size
    rounding.remove()
    assert np.array_equal(tensors["weight"].values(), layer.weight.detach().numpy())


def test_tensors_far_from_their_start_do_not_blow_the_steps_up():
    """A bias that was near zero when rounding started took thousands of bits by its model when parameters settled."""
    layer = torch.nn.Linear(30, 20)
    layer.bias.data.fill_(1e-5)
    rounding = rounding_of(layer, budget=6.0 * 620)
    layer.parametrizations.bias.original.data.fill_(1e-2)
    before = layer.parametrizations.weight[0].step.item()
    rounding.before_step(0.8)
    assert rounding.settling and layer.parametrizations.weight[0].step.item() < 4 * before


def test_at_many_bits_no_parameter_is_cut_off():
    """At 16 bits each the largest parameters exceeded the format's largest integer."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    before = layer.weight.detach().clone()
    tensors = rounding_of(layer, budget=16.0 * 620).finish()
    torch.testing.assert_close(layer.weight.detach(), before, atol=1e-4, rtol=0)
    assert np.abs(tensors["weight"].integers).max() <= LARGEST / 4


def test_nor_is_one_once_the_steps_settle():
    """Then the steps become as small as the budget allows: at 16 bits each a third of the weights was cut off."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    before = layer.weight.detach().clone()
    rounding = rounding_of(layer, budget=16.0 * 620)
    for done in (0.8, 0.9, 1.0):
        rounding.before_step(done)
    torch.testing.assert_close(torch.from_numpy(rounding.finish()["weight"].values()), before, atol=1e-4, rtol=0)


def test_a_size_that_no_file_can_have_is_refused_before_training():
    """At rank 1 sorting the neurons seems to save more bits than there are parameters: `finish` never ended."""
    config = RadianceConfig(rank=1)
    networks = torch.nn.ModuleList(build_networks(config))
    least = math.ceil(overhead(config) + sum(p.numel() for p in networks.parameters()) / 8)
    with pytest.raises(ValueError, match=f"too few for 15,402 parameters: .* Give at least {least:,} bytes"):
        LearnedStepRounding(networks, least - 1, file_length, overhead(config))
    rounding = LearnedStepRounding(networks, least, file_length, overhead(config), begin=0.0)
    rounding.start()
    tensors = rounding.finish()
    assert rounding.length() <= least and any(tensor.integers.any() for tensor in tensors.values())


def test_more_bytes_than_any_file_needs_are_no_error():
    """At a thousand bits each the number of steps overflowed, after most of a training."""
    layer = torch.nn.Linear(30, 20)
    before = layer.weight.detach().clone()
    tensors = rounding_of(layer, budget=2000.0 * 620).finish()
    torch.testing.assert_close(torch.from_numpy(tensors["weight"].values()), before, atol=1e-4, rtol=0)


def test_parameters_are_free_again_where_a_training_continues_for_long():
    layer = torch.nn.Linear(30, 20)
    rounding = rounding_of(layer, budget=6.0 * 620)
    for done in (0.8, 0.9, 1.0):
        rounding.before_step(done)
    before = {name: tensor.values() for name, tensor in rounding.tensors().items()}
    fixed = layer.parametrizations.weight[0].fixed
    rounding.before_step(0.72)  # the estimated end of a training limited by time moves a little
    assert rounding.settling and fixed.isfinite().all()
    rounding.before_step(0.5)
    assert rounding.active and not rounding.settling and fixed.isnan().all()
    assert all(np.array_equal(tensor.values(), before[name]) for name, tensor in rounding.tensors().items())
    layer(torch.rand(4, 30)).sum().backward()
    assert layer.parametrizations.weight.original.grad.abs().max() > 0
