"""Rounding with learned steps, and numbers that settle."""

import numpy as np
import pytest
import torch

from sinenerf.codec.entropy import LARGEST, EntropyModel
from sinenerf.layers import SineLowRankLinear
from sinenerf.rounding.by_learned_steps import Quantiser


def test_rounding_is_to_multiples_and_gradients_pass():
    torch.manual_seed(0)
    layer = SineLowRankLinear(20, 12, rank=2)
    plain = layer.U.detach().clone()
    quantiser = Quantiser(layer, budget=8.0 * 76)
    coded = quantiser.tensors()
    assert list(coded) == ["U", "V", "bias"]
    assert np.array_equal(coded["U"].values(), layer.U.detach().numpy())
    assert abs(layer.U.detach() - plain).max() <= 0.501 * coded["U"].step
    (layer(torch.rand(5, 20)).square().sum() + quantiser.penalty()).backward()
    groups = quantiser.parameter_groups()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for group in groups for p in group["params"])
    quantiser.finish()
    assert np.array_equal(coded["U"].values(), layer.U.detach().numpy())
    assert [name for name, _ in layer.named_parameters()] and not list(layer.children())


def test_the_step_learns_by_lsq():
    """d (s round(x / s)) / ds = round(x / s) - x / s (Esser et al. 2020, equation 3)."""
    layer = torch.nn.Linear(4, 3, bias=False)
    quantiser = Quantiser(layer, budget=60)
    _, rounding, original = next(iter(quantiser._each()))
    layer.weight.sum().backward()
    x = (original / rounding.step).detach()
    expected = (x.round() - x).sum() * rounding.log_step.detach().exp()
    torch.testing.assert_close(rounding.log_step.grad, expected)


def test_the_estimated_rate_is_the_coded_length():
    """Once its two numbers are learned, the rate that training sees is what the coder takes."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(64, 64, bias=False)
    quantiser = Quantiser(layer, budget=5.0 * 4096)
    models = quantiser.parameter_groups()[1]["params"]
    optimizer = torch.optim.Adam([p for p in models if p is not models[0]], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        quantiser.penalty().backward()
        optimizer.step()
    (coded,) = quantiser.tensors().values()
    assert EntropyModel.fit(coded.integers).bits(coded.integers) == pytest.approx(quantiser.last_rate, rel=0.01)


def test_numbers_settle_one_part_after_the_other():
    """Settled numbers stay while the others train on, and in the end all are multiples of their steps."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    quantiser = Quantiser(layer, budget=6.0 * 620)
    optimizer = torch.optim.Adam([{"params": group["params"], "lr": 1e-2} for group in quantiser.parameter_groups()])
    target, x = torch.randn(64, 20), torch.randn(64, 30)
    rounding = layer.parametrizations.weight[0]
    settled = []
    for step in range(400):
        quantiser.settle(step / 400)
        before = rounding.fixed.clone()
        optimizer.zero_grad()
        ((layer(x) - target).square().mean() + quantiser.penalty()).backward()
        optimizer.step()
        assert torch.equal(before.nan_to_num(1e9), rounding.fixed.nan_to_num(1e9))
        if not settled or not np.isclose(settled[-1], float((~before.isnan()).float().mean())):
            settled.append(float((~before.isnan()).float().mean()))
    assert settled[0] == 0 and settled[-1] == 1 and len(settled) > 5 and settled == sorted(settled)
    coded = quantiser.within(10_000, lambda tensors: b"")
    quantiser.finish()
    assert np.array_equal(coded["weight"].values(), layer.weight.detach().numpy())


@pytest.mark.parametrize("bits, begin, first", [(1.5, 0.5, 0.75), (4, 0.5, 0.75), (6, 0.75, 0.875), (16, 0.85, 0.925)])
def test_the_more_bits_the_later_a_training_rounds(bits, begin, first):
    torch.manual_seed(0)
    quantiser = Quantiser(torch.nn.Linear(30, 20), budget=bits * 620, active=False)
    assert quantiser.begin == pytest.approx(begin) and not quantiser.active
    quantiser.start()
    quantiser.settle(first - 1e-3)
    assert quantiser.active and not quantiser.settling
    quantiser.settle((first + 1) / 2)
    assert quantiser.settling
    quantiser.settle(1 - (1 - first) / 10)
    assert all(rounding.fixed.isfinite().all() for _, rounding, _ in quantiser._each())


@pytest.mark.parametrize("done", [0.6, 0.85])
def test_a_file_keeps_its_size_wherever_training_stops(done):
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    quantiser = Quantiser(layer, budget=6.0 * 620)
    for _ in range(20):
        quantiser.settle(done)
    size = 100

    def pack(tensors):
        return b"." * (sum(int(np.abs(t.integers).sum()) for t in tensors) // 50)

    assert len(pack(quantiser.tensors().values())) > size
    coded = quantiser.within(size, pack)
    assert len(pack(coded.values())) <= size
    quantiser.finish()
    assert np.array_equal(coded["weight"].values(), layer.weight.detach().numpy())


def test_tensors_far_from_their_start_do_not_blow_the_steps_up():
    """A bias that was near zero when rounding started took thousands of bits by its model when numbers settled."""
    layer = torch.nn.Linear(30, 20)
    layer.bias.data.fill_(1e-5)
    quantiser = Quantiser(layer, budget=6.0 * 620)
    layer.parametrizations.bias.original.data.fill_(1e-2)
    before = layer.parametrizations.weight[0].step.item()
    quantiser.settle(0.8)
    assert quantiser.settling and layer.parametrizations.weight[0].step.item() < 4 * before


def test_many_bits_cut_no_number_off():
    """At 16 bits a number the outer ones were beyond the format's largest integer."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(30, 20)
    before = layer.weight.detach().clone()
    quantiser = Quantiser(layer, budget=16.0 * 620)
    coded = quantiser.within(10_000, lambda tensors: b"")
    torch.testing.assert_close(layer.weight.detach(), before, atol=1e-4, rtol=0)
    assert np.abs(coded["weight"].integers).max() <= LARGEST / 4


def test_numbers_are_free_again_where_a_training_goes_on_for_long():
    layer = torch.nn.Linear(30, 20)
    quantiser = Quantiser(layer, budget=6.0 * 620)
    for done in (0.8, 0.9, 1.0):
        quantiser.settle(done)
    before = {name: coded.values() for name, coded in quantiser.tensors().items()}
    fixed = layer.parametrizations.weight[0].fixed
    quantiser.settle(0.72)  # the end that a training within seconds expects moves a little
    assert quantiser.settling and fixed.isfinite().all()
    quantiser.settle(0.5)
    assert quantiser.active and not quantiser.settling and fixed.isnan().all()
    assert all(np.array_equal(coded.values(), before[name]) for name, coded in quantiser.tensors().items())
    layer(torch.rand(4, 30)).sum().backward()
    assert layer.parametrizations.weight.original.grad.abs().max() > 0
