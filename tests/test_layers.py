import math
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sinenerf.conversion.factorization import bake
from sinenerf.factored import FactoredLinear, built_once, keep_weights
from sinenerf.layers import LayerSpec, LowRankLinear, SineLowRankLinear, make_linear
from sinenerf.networks import count_parameters
from sinenerf.radiance.config import RadianceConfig
from sinenerf.theory import stable_rank

KINDS = ["sine", "low-rank", "dense"]


def test_weight_is_the_papers_equation():
    layer = SineLowRankLinear(7, 5, rank=2, omega=30.0, gain=1.5)
    assert layer.U.shape == (5, 2) and layer.V.shape == (7, 2)
    torch.testing.assert_close(layer.weight, torch.sin(30.0 * layer.U @ layer.V.T) / 1.5)
    x = torch.randn(3, 7)
    torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias)


def test_low_rank_forward_is_its_weight():
    layer = LowRankLinear(7, 5, rank=2)
    x = torch.randn(4, 3, 7)
    torch.testing.assert_close(layer(x), x @ layer.weight.T + layer.bias)


def test_the_papers_initialisation():
    torch.manual_seed(0)
    layer = SineLowRankLinear(128, 96, rank=4, omega=400.0, init="paper")
    assert float(layer.gain) == pytest.approx(128**0.5) and float(layer.omega) == 400
    for factor in (layer.U.detach(), layer.V.detach()):
        expected = torch.empty_like(factor)
        nn.init.kaiming_uniform_(expected, a=5**0.5)  # torch's default, +-1/sqrt(k)
        assert 0.97 * 0.5 < float(factor.abs().max()) <= 0.5
        assert float(factor.std()) == pytest.approx(float(expected.std()), rel=0.1)
    phase = (layer.omega * layer.U @ layer.V.T).std()
    assert float(phase.detach()) == pytest.approx(layer.spread, rel=0.1)


def test_rank_and_stable_rank_rise_with_omega():
    """Through the layer itself. With a given spread, omega only scales the factors."""
    ranks, stable, by_spread = [], [], []
    for omega in (1.0, 10.0, 50.0, 200.0, 1000.0):
        torch.manual_seed(0)
        weight = SineLowRankLinear(128, 96, rank=1, omega=omega, init="paper").weight.detach()
        ranks.append(int(torch.linalg.matrix_rank(weight, rtol=1e-2)))
        stable.append(stable_rank(weight))
        torch.manual_seed(0)
        by_spread.append(int(torch.linalg.matrix_rank(SineLowRankLinear(128, 96, 1, omega).weight, rtol=1e-2)))
    assert ranks == sorted(set(ranks)) and ranks[0] <= 2 and ranks[-1] > 80
    assert stable == sorted(set(stable)) and stable[0] < 1.2 and stable[-1] > 15
    assert len(set(by_spread)) == 1


@settings(max_examples=25, deadline=None)
@given(
    rank=st.integers(1, 64),
    omega=st.floats(0.5, 3000),
    spread=st.floats(0.05, 20),
    activation=st.sampled_from(["relu", "linear", "tanh"]),
)
def test_initial_variance_is_what_the_activation_needs(rank, omega, spread, activation):
    torch.manual_seed(1)
    layer = SineLowRankLinear(500, 400, rank, omega, activation=activation, spread=spread)
    target = nn.init.calculate_gain(activation) ** 2 / 500
    # at rank 1 the rows share one number each, so that a single draw still varies by several per cent
    assert float(layer.weight.detach().square().mean()) == pytest.approx(target, rel=0.35 if rank < 4 else 0.15)


@pytest.mark.parametrize("rank", [1, 5, 30])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_keeps_its_size_through_eight_relu_layers(kind, rank):
    torch.manual_seed(2)
    sizes = []
    for _ in range(20):
        layers = [make_linear(LayerSpec(kind, rank), 256, 256, "relu") for _ in range(8)]
        h = torch.randn(64, 256)
        for layer in layers:
            h = torch.relu(layer(h))
        sizes.append(h.square().mean().item())
    if kind == "low-rank" and rank == 1:  # a product of rank-1 layers cannot: the reason why the paper's baseline fails
        assert np.median(sizes) < 0.1
    else:
        assert 0.1 < np.mean(sizes) < 10


@pytest.mark.parametrize("learn", [False, True])
def test_gradients_in_float64(learn):
    layer = SineLowRankLinear(4, 3, 2, omega=5.0, learn_omega=learn, learn_gain=learn).double()
    names, values = zip(*layer.named_parameters(), strict=True)
    assert set(names) == {"U", "V", "bias"} | ({"omega", "gain"} if learn else set())
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)

    def run(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *values))


@pytest.mark.parametrize("kind", KINDS)
def test_kept_weights_change_nothing(kind):
    net = nn.Sequential(make_linear(LayerSpec(kind, 3), 16, 8), nn.ReLU(), make_linear(LayerSpec(kind, 2), 8, 4)).eval()
    x = torch.randn(10, 16)
    before = net(x)
    torch.testing.assert_close(keep_weights(net)(x), before)
    assert torch.equal(net.train()(x), before)


def test_a_kept_weight_never_goes_stale():
    layer = SineLowRankLinear(8, 6, 2)
    other = SineLowRankLinear(8, 6, 2)
    layer.keep_weight()
    layer.load_state_dict(other.state_dict())
    assert torch.equal(layer.weight, other.weight)
    layer.keep_weight()
    layer.train()
    assert layer.weight.requires_grad
    layer.keep_weight()
    assert layer.double().weight.dtype == torch.float64
    layer.eval().keep_weight()
    layer.reset_parameters()
    assert torch.equal(layer.weight, layer.build())
    layer.train()
    layer.keep_weight()
    with torch.no_grad():
        layer.U.mul_(2)
    layer.eval()
    assert torch.equal(layer.weight, layer.build())


@pytest.mark.parametrize("kind", ["sine", "low-rank"])
def test_a_weight_kept_in_training_mode_hides_no_gradient(kind):
    layer = make_linear(LayerSpec(kind, 2), 8, 6)
    layer.keep_weight()
    layer(torch.randn(3, 8)).sum().backward()
    assert layer.U.grad is not None and layer.V.grad is not None


def test_weight_is_built_once_within_a_step(monkeypatch):
    layer = SineLowRankLinear(8, 6, 2)
    builds, build = [], SineLowRankLinear.build
    monkeypatch.setattr(SineLowRankLinear, "build", lambda self: builds.append(1) or build(self))
    x = torch.randn(9, 8)
    whole = torch.autograd.grad(layer(x).square().sum(), layer.U)[0]
    builds.clear()
    with built_once(layer):
        chunks = sum(layer(part).square().sum() for part in x.split(3))
    torch.testing.assert_close(torch.autograd.grad(chunks, layer.U)[0], whole)
    assert len(builds) == 1
    layer(x)
    assert len(builds) == 2


def test_a_shared_weight_built_without_gradients_hides_none():
    layer, x = SineLowRankLinear(8, 6, 2), torch.randn(3, 8)
    with built_once(layer):
        with torch.no_grad():
            expected = layer(x)
        outputs = [layer(x), layer(x)]
    assert outputs[0].grad_fn is not None and torch.equal(outputs[0], expected)
    sum(y.sum() for y in outputs).backward()
    assert layer.U.grad is not None and layer.V.grad is not None


def test_neither_autocast_nor_half_precision_blurs_the_phase():
    layer = SineLowRankLinear(32, 32, 4, omega=500.0, init="paper")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer.weight, layer.build())
        assert layer.weight.dtype == torch.float32
    layer.bfloat16()
    U, V = (factor.detach().double() for factor in layer.factors)
    exact = torch.sin(500 * U @ V.T) / float(layer.gain)
    assert layer.weight.dtype == torch.bfloat16
    assert float((layer.weight.detach() - exact).abs().max()) < 0.005 / float(layer.gain)


def test_a_layer_made_on_the_meta_device_is_initialised_later():
    with torch.device("meta"):
        layer = SineLowRankLinear(8, 6, 2, omega=30.0, learn_gain=True)
    assert "rank=2" in repr(layer)
    layer.to_empty(device="cpu").reset_parameters()
    assert float(layer.omega) == 30 and float(layer.gain) == pytest.approx(float(SineLowRankLinear(8, 6, 2, 30.0).gain))
    assert layer.weight.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_round_trip(kind):
    spec = LayerSpec(kind, 3, learn_omega=True)
    first, second = make_linear(spec, 8, 6), make_linear(spec, 8, 6)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.weight, second.weight)


def test_parameter_counts():
    assert sum(p.numel() for p in SineLowRankLinear(256, 128, 5).parameters()) == 5 * (256 + 128) + 128
    assert sum(p.numel() for p in make_linear(LayerSpec("dense"), 256, 128).parameters()) == 257 * 128


@pytest.mark.parametrize(
    "wrong", [{"rank": 0}, {"rank": 9}, {"omega": 0.0}, {"omega": -1.0}, {"omega": math.nan}, {"gain": 0.0}]
)
def test_bad_settings_are_named(wrong):
    settings = {"rank": 2, **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SineLowRankLinear(8, 12, **settings)


def test_unknown_layer_is_named():
    spec = LayerSpec()
    object.__setattr__(spec, "kind", "cosine")
    with pytest.raises(ValueError, match="choose sine, low-rank or dense"):
        make_linear(spec, 4, 4)


@pytest.mark.parametrize(("kind", "init"), [("sine", "spread"), ("sine", "paper"), ("low-rank", "spread")])
@pytest.mark.parametrize("rank", [1, 3, 6])
def test_an_anchored_layer_is_any_layer_of_its_rank(kind, init, rank):
    """k^2 numbers fewer, and still every W: V P^-1 c and U P^T / c stand for U V^T, with P the first rows of V."""
    torch.manual_seed(0)
    spec = LayerSpec(kind, rank, omega=5.0, spread=2.0, init=init)
    plain = make_linear(spec, 9, 6).double()
    anchored = make_linear(replace(spec, anchored=True), 9, 6).double()
    assert isinstance(plain, FactoredLinear) and isinstance(anchored, FactoredLinear)
    assert count_parameters(plain) - count_parameters(anchored) == rank**2
    with torch.no_grad():
        first = plain.V[:rank]
        anchored.U.copy_(plain.U @ first.T / anchored.anchor)
        anchored.V.copy_(anchored.anchor * (plain.V @ first.inverse())[rank:])
    torch.testing.assert_close(anchored.weight, plain.weight, rtol=1e-9, atol=1e-9)
    x = torch.randn(4, 9, dtype=torch.float64)
    torch.testing.assert_close(anchored(x), x @ anchored.weight.T + anchored.bias)
    torch.testing.assert_close(bake(nn.Sequential(anchored))(x), anchored(x))


@pytest.mark.parametrize(("kind", "init"), [("sine", "spread"), ("sine", "paper"), ("low-rank", "spread")])
def test_anchored_rows_are_as_long_as_the_others(kind, init):
    torch.manual_seed(0)
    layer = make_linear(LayerSpec(kind, 16, spread=3.0, anchored=True, init=init), 600, 400)
    _, V = layer.factors
    lengths = V.detach().square().sum(1)
    assert float(lengths[16:].mean()) == pytest.approx(float(lengths[:16].mean()), rel=0.05)
    target = (0.5 if init == "paper" else 2) / 600  # E[sin^2] / g^2, or He's variance, for relu
    assert float(layer.weight.detach().square().mean()) == pytest.approx(target, rel=0.1)


def test_a_rank_of_all_inputs_leaves_nothing_to_anchor():
    layer = SineLowRankLinear(4, 6, 4, anchored=True)
    assert not layer.anchored and layer.V.shape == (4, 4)


def test_an_interrupted_picture_leaves_no_old_weight_to_train_on():
    """The viewer's interruption may come at any line, that which ends the sharing too."""
    layer = SineLowRankLinear(8, 6, 2)
    layer._sharing, layer._built = True, layer.build().detach()
    layer.train()
    with built_once(layer):
        assert layer.weight.requires_grad


def test_the_core_needs_only_torch_numpy_and_jaxtyping():
    """`pip install --no-deps .` in an environment that has these three."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    modules = {"open3d", "trimesh", "skimage", "igl", "PIL", "DracoPy", "rich", "scipy", "tyro", "requests"}
    modules |= {re.split(r"[<>=]", line)[0].replace("-", "_") for line in project["dependencies"]}
    code = f"""
import sys
sys.modules.update(dict.fromkeys({modules - {"torch", "numpy", "jaxtyping"}!r}))
import torch, sinenerf
for name in sinenerf.__all__:
    if name not in ("OccupancyField", "fit_mesh", "load"):
        getattr(sinenerf, name)
model = torch.nn.Sequential(sinenerf.SineLowRankLinear(6, 5, 2), torch.nn.Linear(5, 8))
sinenerf.unbake(sinenerf.bake(model))
sinenerf.factorize(torch.nn.Sequential(torch.nn.Linear(6, 5)), rank=2)(torch.randn(3, 6)).sum().backward()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_spec_takes_all_that_a_field_sets():
    settings = {"rank": 7, "omega": 3.0, "spread": 0.2, "learn_gain": True, "anchored": False, "init": "paper"}
    assert LayerSpec.of(RadianceConfig(layer="low-rank", **settings)) == LayerSpec("low-rank", **settings)
