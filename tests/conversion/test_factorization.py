"""factorize, bake, unbake: the same network before and after, in every place a model is taken to."""

import io
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from support.token_nets import MLP, TOKENS, Net, factored, train_in_parallel
from torch import nn

from sinenerf import bake, factorize, stable_rank, unbake
from sinenerf.factored import FactoredLinear, factored_layers
from sinenerf.layers import LowRankLinear, SineLowRankLinear


@pytest.mark.parametrize("kind", [SineLowRankLinear, LowRankLinear])
def test_only_what_matches_is_replaced(kind):
    net, reports = Net(), []
    bias = net.blocks[0].mlp[0].bias
    made = factorize(net, 3, "sine" if kind is SineLowRankLinear else "low-rank", include=MLP, report=reports.append)
    assert made is net
    names = [name for name, m in net.named_modules() if isinstance(m, FactoredLinear)]
    assert names == [f"blocks.{i}.mlp.{j}" for i in (0, 1) for j in (0, 2)]
    assert all(type(net.get_submodule(name)) is kind for name in names)
    assert net.blocks[0].mlp[0].bias is bias and net.blocks[0].mlp[2].bias is None
    (report,) = reports
    assert report.after == sum(p.numel() for p in net.parameters())
    assert report.before - report.after == sum(row.before - row.after for row in report.rows)
    assert [row.after for row in report.rows] == 2 * [3 * (96 + 24) + 96, 3 * (96 + 24)]
    assert "blocks.1.mlp.2" in str(report) and f"{report.after:,} of {report.before:,}" in str(report)


def test_the_table_is_printed(capsys):
    factorize(Net(), 3, include=MLP)
    assert "blocks.0.mlp.0" in capsys.readouterr().out


def test_a_copy_leaves_the_model_alone():
    net = Net()
    before = net(TOKENS)
    copy = factorize(net, 3, include=MLP, inplace=False, report=None)
    assert copy is not net and any(factored_layers(copy)) and not any(factored_layers(net))
    assert torch.equal(net(TOKENS), before)


def test_a_fresh_start_is_as_large_as_what_was_there():
    for scale in (0.02, 1.0):
        linear = nn.Linear(300, 200)
        nn.init.normal_(linear.weight, std=scale)
        for kind in ("sine", "low-rank"):
            made = factorize(linear, 16, kind, report=None)
            assert float(made.weight.detach().std()) == pytest.approx(scale, rel=0.15)


def test_a_layer_of_zeros_does_not_start_dead():
    linear = nn.Linear(30, 20)
    nn.init.zeros_(linear.weight)
    made = factorize(linear, 4, report=None)
    assert made.weight.detach().std() > 0.05


def test_residuals_are_reported_and_true():
    net, reports = Net(), []
    weight = net.blocks[1].mlp[0].weight.detach().clone()
    factorize(net, 8, include=MLP, start="fit", report=reports.append)
    row = reports[0].rows[2]
    assert row.name == "blocks.1.mlp.0"
    built = net.blocks[1].mlp[0].weight.detach()
    assert row.residual == pytest.approx(float((built - weight).norm() / weight.norm()), rel=1e-4)
    assert f"{row.residual:.4f}" in str(reports[0])


@settings(max_examples=20, deadline=None)
@given(
    kind=st.sampled_from(["sine", "low-rank"]),
    rank=st.integers(1, 20),
    omega=st.floats(1, 1000),
    spread=st.floats(0.05, 5),
)
def test_factorize_then_bake_changes_nothing(kind, rank, omega, spread):
    net = factored(layer=kind, rank=rank, omega=omega, spread=spread)
    before = net(TOKENS)
    keys, shapes = list(Net().state_dict()), [v.shape for v in Net().state_dict().values()]
    assert bake(net) is net
    assert all(type(net.blocks[i].mlp[j]) is nn.Linear for i in (0, 1) for j in (0, 2))
    assert list(net.state_dict()) == keys and [v.shape for v in net.state_dict().values()] == shapes
    torch.testing.assert_close(net(TOKENS), before, atol=1e-5, rtol=1e-4)
    assert torch.equal(unbake(net)(TOKENS), before)
    assert sum(1 for _ in factored_layers(net)) == 4


def test_baked_and_unbaked_elsewhere():
    net = bake(factored())
    moved = unbake(deepcopy(net).double())
    assert moved.blocks[0].mlp[0].U.dtype == torch.float64
    torch.testing.assert_close(moved(TOKENS).float(), net(TOKENS))
    assert unbake(bake(factored().to(torch.bfloat16))).blocks[0].mlp[0].U.dtype == torch.bfloat16
    with torch.no_grad():
        net.blocks[1].mlp[0].weight.mul_(1.01)
    with pytest.raises(ValueError, match=r"^blocks\.1\.mlp\.0: its weight was changed after bake"):
        unbake(net)
    assert not any(factored_layers(net))  # nothing was half undone


def test_a_layer_at_two_places_stays_one():
    layer = SineLowRankLinear(6, 6, 2)
    net = bake(nn.Sequential(layer, nn.ReLU(), layer))
    assert type(net[0]) is nn.Linear and net[0] is net[2]
    assert unbake(net)[0] is net[2] is layer


def test_a_single_layer():
    made = factorize(nn.Linear(8, 6), 2, report=None)
    assert isinstance(made, SineLowRankLinear)
    assert type(bake(made)) is nn.Linear and unbake(bake(made)) is made


@pytest.mark.parametrize("baked", [False, True])
def test_state_dicts_round_trip(baked):
    first, second = factored(), factored()
    if baked:
        first, second = bake(first), Net()  # a baked state fits the model as its author wrote it
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(first(TOKENS), second(TOKENS))


def test_frozen_layers_stay_frozen():
    net = Net().requires_grad_(False).eval()
    factorize(net, 3, include=MLP, report=None)
    assert not any(p.requires_grad for p in net.parameters()) and not any(m.training for m in net.modules())
    assert not any(p.requires_grad for p in bake(net).parameters())


def test_training_goes_on():
    net = factored()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = F.cross_entropy(net(TOKENS).flatten(0, 1), TOKENS.flatten())
        optimizer.zero_grad()
        loss.backward()
        assert all(layer.U.grad.abs().max() > 0 and layer.V.grad.abs().max() > 0 for layer in factored_layers(net))
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_autocast():
    net = factored()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half, baked = net(TOKENS), bake(deepcopy(net))(TOKENS)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half, baked)
    torch.testing.assert_close(half.float(), net(TOKENS), atol=0.1, rtol=0.1)


def test_compile(unchecked):
    net = factored()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    expected = net(TOKENS)
    torch.testing.assert_close(compiled(TOKENS), expected)
    grad = torch.autograd.grad(expected.square().sum(), net.blocks[0].mlp[0].U)[0]
    torch.testing.assert_close(torch.autograd.grad(compiled(TOKENS).square().sum(), net.blocks[0].mlp[0].U)[0], grad)


@pytest.mark.parametrize("baked", [False, True])
def test_export(baked):
    net = factored().eval()
    expected = net(TOKENS)
    program = torch.export.export(bake(net) if baked else net, (TOKENS,))
    torch.testing.assert_close(program.module()(TOKENS), expected, atol=1e-5, rtol=1e-4)
    if baked:
        assert not any("sin" in str(node.target) for node in program.graph.nodes)


def test_onnx(tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    net = factored().eval()
    expected = net(TOKENS)
    path = tmp_path / "net.onnx"
    torch.onnx.export(bake(net), (TOKENS,), path, input_names=["tokens"], dynamo=True, verbose=False)
    (made,) = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"tokens": TOKENS.numpy()})
    torch.testing.assert_close(torch.from_numpy(made), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_two_processes(tmp_path):
    torch.multiprocessing.spawn(train_in_parallel, (str(tmp_path),), nprocs=2)


def test_rank_and_stable_rank_rise_with_omega():
    torch.manual_seed(3)
    layer = SineLowRankLinear(64, 64, 2, omega=1.0, spread=0.05)
    ranks, stable = [], []
    for omega in (1.0, 30.0, 300.0, 3000.0):
        layer.omega.fill_(omega)
        ranks.append(int(torch.linalg.matrix_rank(layer.weight.detach().double(), rtol=1e-4)))
        stable.append(stable_rank(layer.weight))
    assert ranks[0] < ranks[1] < ranks[2] <= ranks[3] and stable == sorted(stable) and stable[-1] > 4 * stable[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, r"^blocks\.0\.mlp\.0: rank 0 does not fit.*choose a rank from 1 to 24"),
        ({"rank": 25}, r"^blocks\.0\.mlp\.0: rank 25 does not fit.*choose a rank from 1 to 24"),
        ({"omega": 0.0}, r"^blocks\.0\.mlp\.0: omega is 0\.0: it must be positive and finite"),
        ({"omega": float("nan")}, r"^blocks\.0\.mlp\.0: omega is nan"),
        ({"spread": -1.0}, r"^blocks\.0\.mlp\.0: spread is -1\.0"),
        ({"include": "mlp"}, r"no linear layer's name matches 'mlp'\. The model has these: blocks\.0\.attention"),
        ({"include": "("}, r"include is not a regular expression"),
        ({"layer": "cosine"}, r"choose sine or low-rank"),
        ({"start": "warm"}, r"choose fresh or fit"),
        ({"init": "he"}, r"^blocks\.0\.mlp\.0: no init is called 'he': choose spread or paper"),
        ({"init": "paper", "start": "fit"}, r"a fit replaces them: give one of them"),
    ],
)
def test_bad_settings_are_named(settings, message, unchecked):
    with pytest.raises(ValueError, match=message):
        factored(**settings)
