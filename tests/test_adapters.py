"""Sine-LoRA and sine-DoRA: the product, PEFT's whole life of an adapter, and the .sine file of one."""

import importlib
import json
import struct
import sys
import zlib
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

peft = pytest.importorskip("peft")
import independent_reader  # noqa: E402
from transformers.pytorch_utils import Conv1D  # noqa: E402

from sinenerf import fields, stable_rank  # noqa: E402
from sinenerf.adapter_file import AdapterHeader  # noqa: E402
from sinenerf.adapters import SineLoraConfig, load_adapter, product, save_adapter, saving  # noqa: E402
from sinenerf.adapters.product import row_norms, sine_linear, sine_weight  # noqa: E402
from sinenerf.codec.container import ADAPTER, Container, pack  # noqa: E402
from sinenerf.codec.entropy import CodecError  # noqa: E402
from sinenerf.codec.table import Coded  # noqa: E402
from sinenerf.layers import SineLowRankLinear  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")
EXACT = {"atol": 2e-6, "rtol": 1e-5}


class Net(nn.Module):
    """One layer of each kind that can be adapted."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(13, 16)
        self.conv = Conv1D(24, 16)
        self.linear = nn.Linear(24, 10)
        self.norm = nn.LayerNorm(24)

    def forward(self, tokens):
        return self.linear(torch.tanh(self.norm(self.conv(self.embed(tokens)))))


TOKENS = torch.arange(12).reshape(3, 4)
LAYERS = ["embed", "conv", "linear"]


def config(**given):
    return SineLoraConfig(**{"r": 3, "lora_alpha": 6, "target_modules": LAYERS, "omega": 50.0, **given})


def adapted(drawn=True, **given):
    """A net with an adapter, whose zero factors are drawn if it is to do something."""
    model = peft.get_peft_model(Net(), config(**given)).eval()
    if drawn:
        draw(model)
    return model


@torch.no_grad()
def draw(model, adapter="default"):
    for name, p in model.named_parameters():
        if adapter in name and ("lora_B" in name or "lora_embedding_A" in name):
            p.normal_(std=0.1)
        if adapter in name and "magnitude" in name:
            p.mul_(torch.rand_like(p) + 0.5)


# the product


@settings(max_examples=20, deadline=None)
@given(
    batch=st.lists(st.integers(1, 4), max_size=2),
    m=st.integers(1, 9),
    n=st.integers(1, 9),
    k=st.integers(1, 4),
    chunk=st.integers(1, 40),
)
def test_gradients_in_float64(batch, m, n, k, chunk):
    torch.manual_seed(0)
    x, a, b = (torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in ((*batch, n), (k, n), (m, k)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "CHUNK", chunk)
        patch.setattr(product, "MOST_CHUNKS", 9)
        y = sine_linear(x, a, b, 3.0, 0.7)
        torch.testing.assert_close(y, x @ sine_weight(a, b, 3.0, 0.7).T)
        assert torch.autograd.gradcheck(lambda x, a, b: sine_linear(x, a, b, 3.0, 0.7), (x, a, b))
        norms = row_norms(torch.ones(m, n, dtype=torch.float64), a, b, 3.0, 0.7)
        torch.testing.assert_close(norms, (1 + sine_weight(a, b, 3.0, 0.7)).norm(dim=1))


def test_gradients_are_autograds_in_float32():
    x, a, b = torch.randn(64, 700), torch.randn(4, 700), torch.randn(900, 4)
    for tensor in (x, a, b):
        tensor.requires_grad_()
    assert len(list(product._chunks(b, a))) > 1
    ours = torch.autograd.grad(sine_linear(x, a, b, 0.5, 0.1).square().sum(), (x, a, b))
    theirs = torch.autograd.grad((x @ sine_weight(a, b, 0.5, 0.1).T).square().sum(), (x, a, b))
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-4 * float(reference.abs().max()))


def test_autocast_blurs_the_product_but_not_the_phase():
    x, a, b = torch.randn(5, 30), torch.randn(2, 30), torch.randn(20, 2, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = sine_linear(x, a, b, 300.0, 1.0)
        weight = sine_weight(a, b, 300.0, 1.0)
    assert torch.equal(weight, torch.sin((300 * b) @ a))
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), x @ weight.T, atol=0.1, rtol=0.05)
    y.float().sum().backward()
    assert b.grad.dtype == torch.float32 and b.grad.isfinite().all()


def test_nothing_of_full_size_is_kept():
    x, a, b = torch.randn(16, 1024), torch.randn(2, 1024), torch.randn(1024, 2, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        sine_linear(x, a, b, 1.0, 1.0)
    assert sum(kept) <= x.numel() + a.numel() + b.numel()


def test_peak_memory_is_that_of_lora(monkeypatch):
    sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
    import benchmark_adapter_memory as benchmark

    monkeypatch.setattr(product, "CHUNK", 2**13)  # as coarse, for so small a layer, as for a large one
    options, width = benchmark.Options(width=512, tokens=256, rank=4), 512
    x = torch.randn(256, width, requires_grad=True)
    peaks = {}
    for name, layer in benchmark.layers(options).items():
        peaks[name] = benchmark.peak_bytes(lambda layer=layer: layer(x).sum().backward()) / 4 / width**2
    assert peaks["sine-lora"] < peaks["lora"] + 1 / 8
    assert peaks["sine-lora, whole delta W"] > peaks["lora"] + 1


def test_rank_and_stable_rank_rise_with_omega():
    a, b = torch.randn(1, 64) / 8, torch.randn(64, 1) / 8
    weights = [sine_weight(a, b, omega, 1.0) for omega in (1e-3, 30.0, 300.0, 3000.0)]
    ranks = [int(torch.linalg.matrix_rank(w.double(), rtol=1e-4)) for w in weights]
    stable = [stable_rank(w) for w in weights]
    assert ranks[0] == 1 and ranks == sorted(ranks) and ranks[-1] > 30
    assert stable == sorted(stable) and stable[-1] > 4


# an adapter's life

DORA = pytest.mark.parametrize("dora", [False, True], ids=["lora", "dora"])


@DORA
def test_it_starts_as_the_identity_and_learns(dora):
    model = adapted(drawn=False, use_dora=dora)
    with model.disable_adapter():
        base = model(TOKENS)
    torch.testing.assert_close(model(TOKENS), base, **EXACT)
    model.train()(TOKENS).square().sum().backward()
    of_zero = [p for n, p in model.named_parameters() if "lora_B" in n or "lora_embedding_A" in n]
    assert len(of_zero) == 3 and all(p.grad.abs().max() > 0 for p in of_zero)
    assert not any(p.requires_grad for n, p in model.named_parameters() if "lora_" not in n)


@pytest.mark.parametrize("layer", LAYERS)
def test_delta_is_the_equation(layer):
    model = adapted(target_modules=[layer])
    module = model.base_model.model.get_submodule(layer)
    state = peft.get_peft_model_state_dict(model)
    a, b = (next(v for n, v in state.items() if f"_{which}" in n) for which in "AB")
    gain = module.in_features**0.5
    expected = 6 / 3 * torch.sin(50.0 * b @ a) / gain
    delta = module.get_delta_weight("default")
    torch.testing.assert_close(delta, expected if layer == "linear" else expected.T)
    changed = deepcopy(model.base_model.model)
    base = changed.get_submodule(layer).get_base_layer()
    base.weight.data += delta
    with model.disable_adapter():
        assert not torch.allclose(model(TOKENS), changed(TOKENS))
    setattr(changed, layer, base)
    torch.testing.assert_close(model(TOKENS), changed(TOKENS), **EXACT)


@DORA
@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("layers", [*([name] for name in LAYERS), LAYERS])
def test_merged_is_unmerged(dora, safe, layers):
    model = adapted(use_dora=dora, target_modules=layers)
    before = model(TOKENS)
    with model.disable_adapter():
        base = model(TOKENS)
    assert (before - base).abs().max() > 0.01
    model.merge_adapter(safe_merge=safe)
    torch.testing.assert_close(model(TOKENS), before, **EXACT)
    model.unmerge_adapter()
    torch.testing.assert_close(model(TOKENS), before, **EXACT)
    with model.disable_adapter():
        torch.testing.assert_close(model(TOKENS), base, **EXACT)
    plain = model.merge_and_unload(safe_merge=safe)
    assert type(plain) is Net and type(plain.linear) is nn.Linear and type(plain.conv) is Conv1D
    torch.testing.assert_close(plain(TOKENS), before, **EXACT)


@DORA
def test_dropout(dora):
    model = adapted(use_dora=dora, lora_dropout=0.5)
    still = model(TOKENS)
    torch.testing.assert_close(model.merge_and_unload()(TOKENS), still, **EXACT)
    model = adapted(use_dora=dora, lora_dropout=0.5).train()
    assert not torch.equal(model(TOKENS), model(TOKENS))


@DORA
def test_saved_and_loaded_by_peft(dora, tmp_path):
    model = adapted(use_dora=dora, gain=2.5, rank_pattern={"linear": 2})
    model.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["peft_type"] == "SINE_LORA"
    again = peft.PeftModel.from_pretrained(base_of(model), tmp_path).eval()
    loaded = again.peft_config["default"]
    assert type(loaded) is SineLoraConfig and loaded.omega == 50.0 and loaded.gain == 2.5
    assert torch.equal(again(TOKENS), model(TOKENS))
    assert again.get_nb_trainable_parameters()[0] == 0


@DORA
def test_several_adapters(dora):
    model = adapted(use_dora=dora)
    one = model(TOKENS)
    model.add_adapter("other", config(r=2, omega=7.0, use_dora=dora))
    draw(model, "other")
    assert torch.equal(model(TOKENS), one)
    model.set_adapter("other")
    other = model(TOKENS)
    assert not torch.allclose(other, one)
    model.base_model.set_adapter(["default", "other"])
    both = model(TOKENS)
    model.merge_adapter()
    torch.testing.assert_close(model(TOKENS), both, **EXACT)
    model.unmerge_adapter()
    model.set_adapter("default")
    torch.testing.assert_close(model(TOKENS), one, **EXACT)
    model.delete_adapter("other")
    assert "other" not in model.base_model.model.linear.omega
    torch.testing.assert_close(model(TOKENS), one, **EXACT)


def test_adapters_mixed_in_a_batch():
    model = adapted()
    model.add_adapter("other", config(omega=7.0))
    draw(model, "other")
    expected = []
    for name in ("default", "other"):
        model.set_adapter(name)
        expected.append(model(TOKENS))
    with model.disable_adapter():
        expected.append(model(TOKENS))
    names = ["other", "__base__", "default"]
    mixed = model(TOKENS, adapter_names=names)
    torch.testing.assert_close(mixed, torch.stack([expected[1][0], expected[2][1], expected[0][2]]), **EXACT)


def test_fresh_dora_of_given_factors():
    """Without PEFT's zeros the magnitudes must be the norms of W + delta W all the same."""
    model = adapted(drawn=False, use_dora=True, init_lora_weights=False)
    plain = adapted(drawn=False, init_lora_weights=False)
    plain.load_state_dict({n: v for n, v in model.state_dict().items() if "magnitude" not in n})
    torch.testing.assert_close(model(TOKENS), plain(TOKENS), **EXACT)


def test_half_precision():
    base = Net().to(torch.bfloat16)
    model = peft.get_peft_model(base, config()).eval()
    draw(model)
    assert model.base_model.model.linear.lora_A["default"].weight.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        y = model(TOKENS)
        merged = model.merge_and_unload()(TOKENS)
    torch.testing.assert_close(y, merged, atol=0.05, rtol=0.05)


# bad input


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"omega": 0.0}, r"omega is 0\.0: it must be a positive.*dead"),
        ({"omega": float("inf")}, "omega is inf"),
        ({"gain": -1.0}, r"gain is -1\.0"),
        ({"init_lora_weights": "pissa"}, "makes factors for a plain B A"),
        ({"lora_bias": True}, "lora_bias is not there"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings)


class Quantised(nn.Linear):
    pass


BAD_LAYERS = {
    r"linear: is factored already": lambda: SineLowRankLinear(24, 10, 2),
    r"linear: is a .*Quantised": lambda: Quantised(24, 10),
    r"linear: its weight is on the meta device": lambda: nn.Linear(24, 10, device="meta"),
    r"linear: its weight is of type torch\.int8, quantised": lambda: of_integers(),
}


def of_integers():
    linear = nn.Linear(24, 10)
    linear.weight = nn.Parameter(torch.zeros(10, 24, dtype=torch.int8), requires_grad=False)
    return linear


@pytest.mark.parametrize("message", BAD_LAYERS)
def test_bad_layers_are_named(message):
    net = Net()
    net.linear = BAD_LAYERS[message]()
    with pytest.raises(ValueError, match=message):
        peft.get_peft_model(net, config(target_modules=["linear"]))


@pytest.mark.parametrize(("rank", "layer"), [(11, "linear"), (17, "conv"), (14, "embed")])
def test_a_rank_that_does_not_fit_is_named(rank, layer):
    with pytest.raises(
        ValueError, match=f"{layer}: rank {rank} does not fit its weight: choose r from 1 to {rank - 1}"
    ):
        peft.get_peft_model(Net(), config(r=rank, target_modules=[layer]))


def test_adding_factors_is_refused():
    model = adapted()
    with pytest.raises(NotImplementedError, match="merge them"):
        model.add_weighted_adapter(["default"], [1.0], "sum")


def test_a_plain_lora_does_not_join():
    with pytest.raises(ValueError, match=r"peft.type"):
        adapted().add_adapter("plain", peft.LoraConfig(target_modules=LAYERS))


def test_without_peft_the_error_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sinenerf.adapters")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"pip install 'sinenerf\[peft\]'"):
        importlib.import_module("sinenerf.adapters")


# the .sine file


def base_of(model):
    net = Net()
    net.load_state_dict(deepcopy(model).unload().state_dict())
    return net


@DORA
@pytest.mark.parametrize("bits", [32, 10])
def test_file_round_trip(dora, bits, tmp_path):
    model = adapted(use_dora=dora, rank_pattern={"linear": 2}, omega=5.0)
    base, path = base_of(model), tmp_path / "adapter.sine"
    size = save_adapter(model, path, bits)
    assert size == path.stat().st_size
    again = load_adapter(base, path).eval()
    torch.testing.assert_close(again(TOKENS), model(TOKENS), **(EXACT if bits == 32 else {"atol": 0.05, "rtol": 0.05}))
    assert again.peft_config["default"].omega == 5.0 and again.peft_config["default"].r == 3
    second = tmp_path / "second.sine"
    save_adapter(again, second, bits)
    if bits == 32:
        assert second.read_bytes() == path.read_bytes()


def test_plain_lora_has_files_too(tmp_path):
    model = peft.get_peft_model(Net(), peft.LoraConfig(r=3, target_modules=LAYERS)).eval()
    draw(model)
    base, path = base_of(model), tmp_path / "adapter.sine"
    save_adapter(model, path, 32)
    again = load_adapter(base, path, "lent").eval()
    torch.testing.assert_close(again(TOKENS), model(TOKENS), **EXACT)


def test_fewer_bits_make_fewer_bytes(tmp_path):
    model = peft.get_peft_model(nn.Sequential(nn.Linear(500, 400)), config(target_modules=["0"]))
    draw(model)
    sizes = {bits: save_adapter(model, tmp_path / f"{bits}.sine", bits) for bits in (3, 6, 8, 32)}
    assert sizes[32] > 4 * 2700
    for bits in (3, 6, 8):
        assert abs(sizes[bits] - 2700 * bits / 8) < 0.03 * 2700 * bits / 8 + 260  # header: names, settings, frame


def read_adapter(data):
    """(settings, {name: (integers or None, float32 values)}), as docs/format.md says."""
    assert data[:6] == b"SINE\x04\x03" and zlib.crc32(data[:-4]) == int.from_bytes(data[-4:], "little")
    length, place = independent_reader.varint(data, 6)
    header = json.loads(zlib.decompress(data[place : place + length]))
    return header["config"], independent_reader.read_tensors(data, place + length, header["tensors"].items())


def test_the_second_reader_reads_it(tmp_path):
    model, path = adapted(), tmp_path / "adapter.sine"
    save_adapter(model, path, 6)
    settings, tensors = read_adapter(path.read_bytes())
    assert settings["omega"] == 50.0 and settings["peft_type"] == "SINE_LORA" and settings["r"] == 3
    loaded = peft.get_peft_model_state_dict(load_adapter(base_of(model), path))
    assert list(tensors) == list(loaded)
    for name, (_, values) in tensors.items():
        assert np.array_equal(values, loaded[name].numpy())


def test_info(tmp_path, capsys):
    path = tmp_path / "adapter.sine"
    size = save_adapter(adapted(), path)
    fields.print_info(path, as_json=True)
    info = json.loads(capsys.readouterr().out)
    assert info["kind"] == "adapter" and info["bytes"] == size and info["architecture"]["omega"] == 50.0
    assert sum(np.prod(t["shape"]) for t in info["tensors"]) == info["parameters"]
    fields.print_info(path, as_json=False)
    assert "adapter, version 4" in " ".join(capsys.readouterr().out.split())  # a long path breaks the line
    with pytest.raises(CodecError, match="holds an adapter, which needs its model"):
        fields.load(path)


def test_another_models_adapter_is_refused_and_leaves_no_trace(tmp_path):
    path = tmp_path / "adapter.sine"
    save_adapter(adapted(target_modules=["linear"]), path)
    other = Net()
    other.linear = nn.Linear(24, 11)
    with pytest.raises(CodecError, match=r"is the adapter of another model: .*linear\.lora_B"):
        load_adapter(other, path)
    assert type(other.linear) is nn.Linear


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no json", "its header cannot be read"),
        (b"[" * 100_000, "its header cannot be read"),
        (b"[]", "other parts"),
        (b'{"config": {}, "tensors": []}', "other parts"),
        (b'{"config": {"peft_type": "IA3"}, "tensors": {}}', "of type 'IA3'"),
        (b'{"config": {"peft_type": "LORA", "megatron_core": "os"}, "tensors": {}}', "megatron_core"),
        (b'{"config": {"peft_type": "LORA", "\\u001b[2J": 1}, "tensors": {}}', r"does not have: '\\x1b\[2J'"),
        (b'{"config": {"peft_type": "LORA", "r": "8"}, "tensors": {}}', "does not have: r '8'"),
        (b'{"config": {"peft_type": "LORA", "r": 1' + 5000 * b"0" + b'}, "tensors": {}}', "its header cannot be read"),
        (b'{"config": {"peft_type": "LORA", "lora_alpha": NaN}, "tensors": {}}', "lora_alpha nan"),
        (b'{"config": {"peft_type": "LORA", "target_modules": "(a+)+$"}, "tensors": {}}', r"target_modules '\(a\+"),
        (b'{"config": {"peft_type": "LORA", "rank_pattern": {"(a+)+$": 4}}, "tensors": {}}', "rank_pattern"),
        (b'{"config": {"peft_type": "LORA", "bias": "some"}, "tensors": {}}', "bias 'some'"),
        (b'{"config": {"peft_type": "LORA"}, "tensors": {"a": [-1]}}', "out of bounds"),
        (b'{"config": {"peft_type": "LORA"}, "tensors": {"a": [99999999, 9]}}', "out of bounds"),
        (b'{"config": {"peft_type": "SINE_LORA", "omega": 0}, "tensors": {}}', "none of PEFT's: omega is 0"),
        (b" " * (2**20 + 1), "its header cannot be read"),
    ],
)
def test_bad_headers(content, message, tmp_path):
    path = tmp_path / "bad.sine"
    path.write_bytes(pack(ADAPTER, zlib.compress(content), []))
    with pytest.raises(CodecError, match=message):
        load_adapter(Net(), path)


def crafted(path, config, shapes):
    """A file of zeros, which are a bit at most."""
    tensors = [Coded(np.zeros(shape, np.int64), 1.0) for shape in shapes.values()]
    header = zlib.compress(json.dumps({"config": {"peft_type": "LORA", **config}, "tensors": shapes}).encode())
    path.write_bytes(pack(ADAPTER, header, tensors))
    return path


FACTORS = {"base_model.model.linear.lora_A.weight": (3, 24), "base_model.model.linear.lora_B.weight": (10, 3)}


@pytest.mark.parametrize(
    ("config", "shapes", "message"),
    [
        ({"r": 50_000_000}, FACTORS, "its settings have a rank of 50000000, its tensors of 3 at most"),
        ({"r": 3, "rank_pattern": {"linear": 50_000_000}}, FACTORS, "a rank of 50000000"),
        ({"r": 2**22}, dict(zip(FACTORS, [(2**22, 1), (1, 2**22)], strict=True)), "lora_A.weight' has no other factor"),
        ({"r": 3}, dict(list(FACTORS.items())[:1]), "lora_A.weight' has no other factor that fits"),
    ],
)
def test_ranks_that_no_tensor_has_make_no_layers(config, shapes, message, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "get_peft_model", lambda *_: pytest.fail("layers were made"))
    path = crafted(tmp_path / "large.sine", {"target_modules": ["linear"], **config}, shapes)
    with pytest.raises(CodecError, match=f"^{path}: is damaged: .*{message}"):
        load_adapter(Net(), path)


def test_what_peft_refuses_names_the_file(tmp_path):
    path = crafted(tmp_path / "other.sine", {"target_modules": ["nowhere"], "r": 3}, FACTORS)
    with pytest.raises(CodecError, match=f"^{path}: cannot be put on this model: Target modules .*nowhere"):
        load_adapter(Net(), path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("start", ["pissa", "pissa_niter_2", "olora", "OLoRA"])
def test_a_lora_that_changed_its_base_is_refused(start, tmp_path):
    model = peft.get_peft_model(Net(), peft.LoraConfig(r=4, target_modules=["linear"], init_lora_weights=start))
    with pytest.raises(ValueError, match=f"init_lora_weights='{start}' changed the base model"):
        save_adapter(model, tmp_path / "a.sine")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("start", [True, False, "gaussian", "orthogonal", "mica"])
def test_a_lora_that_left_its_base_alone_is_kept(start, tmp_path):
    net = Net()
    base = deepcopy(net)
    model = peft.get_peft_model(net, peft.LoraConfig(r=4, target_modules=["linear"], init_lora_weights=start)).eval()
    draw(model)
    save_adapter(model, tmp_path / "a.sine", 32)
    torch.testing.assert_close(load_adapter(base, tmp_path / "a.sine").eval()(TOKENS), model(TOKENS), **EXACT)


def test_regular_expressions_are_written_as_names(tmp_path):
    model = adapted(target_modules=".*", exclude_modules="norm|embed", r=9, rank_pattern={"conv": 2, "linear": 3})
    base, path = base_of(model), tmp_path / "adapter.sine"
    save_adapter(model, path, 32)
    settings, _ = read_adapter(path.read_bytes())
    assert settings["target_modules"] == ["conv", "linear"] and "exclude_modules" not in settings and settings["r"] == 3
    torch.testing.assert_close(load_adapter(base, path).eval()(TOKENS), model(TOKENS), **EXACT)
    with pytest.raises(CodecError, match=r"does not have: rank_pattern .*con\+v"):
        save_adapter(adapted(rank_pattern={"con+v": 2}), path)


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
@pytest.mark.parametrize("kind", [peft.LoraConfig, SineLoraConfig])
def test_an_adapted_embedding_is_stored_without_its_base(kind, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2)
    net = LlamaForCausalLM(shape).eval()
    base, path = deepcopy(net), tmp_path / "adapter.sine"
    model = peft.get_peft_model(net, kind(r=2, target_modules=["embed_tokens", "lm_head"])).eval()
    draw(model)
    save_adapter(model, path, 32)
    _, tensors = read_adapter(path.read_bytes())
    assert len(tensors) == 4 and all(".lora_" in name for name in tensors)
    again = load_adapter(base, path).eval()
    torch.testing.assert_close(again(TOKENS).logits, model(TOKENS).logits, **EXACT)


def test_names_of_a_file_are_not_obeyed_by_the_terminal(tmp_path, capsys):
    names = {"[/x]": (2,), ":bomb:": (2,), "\x1b[2Jy": (2,)}
    path = crafted(tmp_path / "odd.sine", {"base_model_name_or_path": "[bold]\x1b]0;z"}, names)
    fields.print_info(path, as_json=False)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert all(name in said for name in ("[/x]", ":bomb:", "\ufffd[2Jy", "[bold]\ufffd]0;z"))


def test_damage_is_found(tmp_path):
    path = tmp_path / "adapter.sine"
    save_adapter(adapted(), path)
    whole, random, found = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        data = bytearray(whole)
        data[random.integers(4, len(data) - 4)] ^= 1 << int(random.integers(8))
        data = bytes(data[:-4]) + struct.pack("<I", zlib.crc32(bytes(data[:-4])))  # resealed
        try:
            container = Container.parse(data)
            header = fields.adapter_file.read_header(container)
            container.tensors(list(header.shapes.values()))
        except CodecError:
            found += 1
    assert found > 250  # the others only change a number


def test_bad_files_are_refused(tmp_path):
    model = adapted()
    with pytest.raises(ValueError, match="bits is 0"):
        save_adapter(model, tmp_path / "a.sine", 0)
    with pytest.raises(ValueError, match="no adapter 'x', only default"):
        save_adapter(model, tmp_path / "a.sine", adapter_name="x")
    with pytest.raises(ValueError, match="no place for the setting layer_replication"):
        model.peft_config["default"].layer_replication = [(0, 1)]
        save_adapter(model, tmp_path / "a.sine")
    with pytest.raises(CodecError, match="out of bounds"):
        AdapterHeader({"peft_type": "LORA"}, {"a" * 600: (1,)}).to_bytes()
    assert not any(tmp_path.iterdir())
