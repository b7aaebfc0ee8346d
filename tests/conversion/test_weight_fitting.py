"""Factors fitted to the weight of a dense layer."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sinenerf.conversion.weight_fitting import fit_weight
from sinenerf.layers import LowRankLinear, SineLowRankLinear


@settings(max_examples=15, deadline=None)
@given(
    m=st.integers(4, 40),
    n=st.integers(4, 40),
    k=st.integers(1, 4),
    scale=st.floats(1e-3, 30),
    outlier=st.sampled_from([1, 30]),
    seed=st.integers(0, 9),
)
def test_a_fit_of_low_rank_is_the_best_there_is_and_of_sine_about_as_near(m, n, k, scale, outlier, seed):
    torch.manual_seed(seed)
    weight = scale * torch.randn(m, n)
    weight[0, 0] *= outlier
    tail = torch.linalg.svdvals(weight)[k:].norm() / weight.norm()
    low = fit_weight(LowRankLinear(n, m, k), weight)
    sine = fit_weight(SineLowRankLinear(n, m, k), weight)
    assert low == pytest.approx(float(tail), abs=1e-4)
    assert sine <= low + 0.01


def test_a_fit_finds_a_weight_that_a_sine_layer_made():
    truth = SineLowRankLinear(40, 30, 2, omega=20.0, spread=0.8)
    layer = SineLowRankLinear(40, 30, 2, omega=20.0)
    residual = fit_weight(layer, truth.weight, steps=200)
    low = fit_weight(LowRankLinear(40, 30, 2), truth.weight)
    assert residual < 1e-2 < low
    torch.testing.assert_close(layer.weight, truth.weight, atol=2e-2 * float(truth.weight.detach().abs().max()), rtol=0)


@pytest.mark.parametrize("weight", [torch.full((1, 1), -0.3), torch.ones(4, 4)])
def test_a_constant_weight_is_fitted(weight):
    layer = SineLowRankLinear(weight.shape[1], weight.shape[0], 1)
    assert fit_weight(layer, weight) < 1e-3
    torch.testing.assert_close(layer.weight.detach(), weight, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", [LowRankLinear, SineLowRankLinear])
def test_a_weight_of_zeros_is_met_exactly_and_can_learn(kind):
    """Both factors were zero, and so were their gradients for ever."""
    layer = kind(6, 4, 2)
    assert fit_weight(layer, torch.zeros(4, 6)) == 0
    assert not layer.weight.detach().any()
    layer(torch.rand(3, 6)).sum().backward()
    assert layer.U.grad.abs().max() > 0


def test_a_fit_of_an_anchored_layer_is_refused():
    with pytest.raises(ValueError, match="an anchored layer cannot be fitted"):
        fit_weight(LowRankLinear(6, 4, 2, anchored=True), torch.ones(4, 6))
