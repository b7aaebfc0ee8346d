"""Saving adapters as .sine files."""

import json
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

peft = pytest.importorskip("peft")
from support.adapted_nets import DORA, EXACT, LAYERS, TOKENS, Net, adapted, base_of, config, crafted, draw  # noqa: E402
from support.adapter_settings import LORA  # noqa: E402
from support.golden_files import HASHES, golden, hash_of, name_of  # noqa: E402
from support.independent_reader import read_adapter  # noqa: E402
from support.independent_renderer import adapter_delta  # noqa: E402

from sinenerf import sine_file  # noqa: E402
from sinenerf.adapters import SineLoraConfig, load_adapter, save_adapter  # noqa: E402
from sinenerf.adapters.saving import INITIALISATIONS  # noqa: E402
from sinenerf.cli import sine_files  # noqa: E402
from sinenerf.codec.adapter_header import REQUIRED  # noqa: E402
from sinenerf.codec.entropy import CodecError  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


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


@pytest.mark.parametrize("kind", [peft.LoraConfig, SineLoraConfig])
@pytest.mark.parametrize("bits", [4, 8])
def test_rounding_magnitudes_is_small_beside_what_the_adapter_does(kind, bits, tmp_path):
    """DoRA's magnitudes are lengths of the base model's rows: their rounding moved whole rows."""
    net, x = nn.Sequential(nn.Linear(256, 256), nn.LayerNorm(256)), torch.randn(32, 256)
    base, before = deepcopy(net), net(x)
    settings = {"r": 4, "target_modules": ["0"], "modules_to_save": ["1"], "use_dora": True}
    model = peft.get_peft_model(net, kind(**settings)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=1e-3)
    after = model(x)
    save_adapter(model, tmp_path / "adapter.sine", bits)
    loaded = load_adapter(base, tmp_path / "adapter.sine").eval()(x)
    assert (loaded - after).norm() < 0.15 * (after - before).norm()


class Scaled(nn.Module):
    """A scalar, and a table of whole numbers."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(97.5))
        self.register_buffer("index", torch.arange(40).reshape(4, 10))

    def forward(self, x):
        return self.scale * x[..., self.index[0]]


def test_scalars_are_hardly_rounded_and_whole_numbers_not_at_all(tmp_path):
    net = nn.Sequential(nn.Linear(12, 10), Scaled())
    base = deepcopy(net)
    model = peft.get_peft_model(net, peft.LoraConfig(r=2, target_modules=["0"], modules_to_save=["1"]))
    saved = model.base_model.model[1].modules_to_save["default"]
    with torch.no_grad():
        saved.scale.fill_(103.7)
        saved.index.mul_(3)
    save_adapter(model, tmp_path / "adapter.sine", bits=4)
    loaded = load_adapter(base, tmp_path / "adapter.sine").base_model.model[1].modules_to_save["default"]
    assert float(loaded.scale.detach()) == pytest.approx(103.7, rel=1e-3)
    assert torch.equal(loaded.index, saved.index)


def test_plain_lora_round_trip(tmp_path):
    model = peft.get_peft_model(Net(), peft.LoraConfig(r=3, target_modules=LAYERS)).eval()
    draw(model)
    base, path = base_of(model), tmp_path / "adapter.sine"
    save_adapter(model, path, 32)
    again = load_adapter(base, path, "lent").eval()
    torch.testing.assert_close(again(TOKENS), model(TOKENS), **EXACT)


def test_fewer_bits_make_smaller_files(tmp_path):
    model = peft.get_peft_model(nn.Sequential(nn.Linear(500, 400)), config(target_modules=["0"]))
    draw(model)
    sizes = {bits: save_adapter(model, tmp_path / f"{bits}.sine", bits) for bits in (3, 6, 8, 32)}
    assert sizes[32] > 4 * 2700
    for bits in (3, 6, 8):
        assert abs(sizes[bits] - 2700 * bits / 8) < 0.03 * 2700 * bits / 8 + 260  # header: names, settings, frame


def test_the_independent_reader_agrees(tmp_path):
    model, path = adapted(), tmp_path / "adapter.sine"
    save_adapter(model, path, 6)
    settings, tensors = read_adapter(path.read_bytes())
    assert settings["omega"] == 50.0 and settings["peft_type"] == "SINE_LORA" and settings["r"] == 3
    loaded = peft.get_peft_model_state_dict(load_adapter(base_of(model), path))
    assert list(tensors) == list(loaded)
    for name, (_, values) in tensors.items():
        assert np.array_equal(values, loaded[name].numpy())


@pytest.mark.parametrize("path", golden("adapters"), ids=name_of)
def test_golden_adapters_decode_to_the_same_integers(path):
    _, tensors = read_adapter(path.read_bytes())
    assert hash_of(tensors) == HASHES[name_of(path)]
    loaded = peft.get_peft_model_state_dict(load_adapter(Net(), path))
    assert all(np.array_equal(values, loaded[name].numpy()) for name, (_, values) in tensors.items())


@pytest.mark.filterwarnings("ignore:The following alpha_pattern keys")
@pytest.mark.parametrize("rank_stable", [False, True])
@pytest.mark.parametrize("kind", [peft.LoraConfig, SineLoraConfig])
def test_the_weights_follow_from_the_format_page_alone(kind, rank_stable, tmp_path):
    patterns = {"rank_pattern": {"l.near": 2}, "alpha_pattern": {"^linear": 3, "inear": 4, "l.near": 5, "^0.emb.d": 7}}
    settings = {"r": 4, "use_rslora": rank_stable, "target_modules": LAYERS}
    model = peft.get_peft_model(nn.Sequential(Net()), kind(**settings, **patterns))
    draw(model)
    path = tmp_path / "adapter.sine"
    save_adapter(model, path, 32)
    written, tensors = read_adapter(path.read_bytes())
    for layer in LAYERS:
        expected = model.base_model.model.get_submodule(f"0.{layer}").get_delta_weight("default").detach().numpy()
        delta = adapter_delta(written, {name: values for name, (_, values) in tensors.items()}, f"0.{layer}")
        assert np.abs(delta).max() > 1e-3
        np.testing.assert_allclose(delta if layer == "linear" else delta.T, expected, atol=1e-5)


def test_all_settings_that_give_the_values_their_meaning_are_written(tmp_path):
    save_adapter(peft.get_peft_model(Net(), peft.LoraConfig(target_modules=LAYERS)), tmp_path / "adapter.sine")
    settings, _ = read_adapter((tmp_path / "adapter.sine").read_bytes())
    assert settings == {"target_modules": sorted(LAYERS), **LORA}
    assert settings.keys() >= set(REQUIRED)


def test_info(tmp_path, capsys):
    path = tmp_path / "adapter.sine"
    size = save_adapter(adapted(), path)
    sine_files.info(path, json=True)
    info = json.loads(capsys.readouterr().out)
    assert info["kind"] == "adapter" and info["bytes"] == size and info["architecture"]["omega"] == 50.0
    assert sum(np.prod(t["shape"]) for t in info["tensors"]) == info["parameters"]
    sine_files.info(path)
    assert "adapter, version 1" in " ".join(capsys.readouterr().out.split())  # a long path breaks the line
    with pytest.raises(CodecError, match="holds an adapter, which needs its model"):
        sine_file.load(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("start", ["pissa", "pissa_niter_2", "olora", "OLoRA"])
def test_a_lora_that_changed_its_base_is_refused(start, tmp_path):
    model = peft.get_peft_model(Net(), peft.LoraConfig(r=4, target_modules=["linear"], init_lora_weights=start))
    with pytest.raises(ValueError, match=f"init_lora_weights='{start}' changed the base model"):
        save_adapter(model, tmp_path / "a.sine")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("start", [True, False, *INITIALISATIONS])
def test_a_lora_that_left_its_base_unchanged_is_saved(start, tmp_path):
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


def test_control_characters_in_names_do_not_reach_the_terminal(tmp_path, capsys):
    names = {"[/x]": (2,), ":bomb:": (2,), "\x1b[2Jy": (2,)}
    path = crafted(tmp_path / "odd.sine", {"base_model_name_or_path": "[bold]\x1b]0;z"}, names)
    sine_files.info(path)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert all(name in printed for name in ("[/x]", ":bomb:", "\ufffd[2Jy", "[bold]\ufffd]0;z"))


def test_an_adapter_of_no_tensors_is_refused(tmp_path):
    with pytest.raises(CodecError, match=r"none.sine: holds an adapter without tensors$"):
        sine_file.describe(crafted(tmp_path / "none.sine", {}, {}))


def test_what_the_format_cannot_hold_is_refused(tmp_path):
    model = adapted()
    with pytest.raises(ValueError, match="bits is 0"):
        save_adapter(model, tmp_path / "a.sine", 0)
    with pytest.raises(ValueError, match="no adapter 'x', only default"):
        save_adapter(model, tmp_path / "a.sine", adapter_name="x")
    with pytest.raises(ValueError, match="cannot hold the setting layer_replication"):
        model.peft_config["default"].layer_replication = [(0, 1)]
        save_adapter(model, tmp_path / "a.sine")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("layer", "rank", "factor", "message"),
    [
        (nn.Linear(8, 6), 16, 1, "'base_model.model.0.lora_A.weight' has a rank of 16, above both sides of its layer"),
        (nn.Conv3d(4, 4, 3), 2, 1, r"^the tensor '.*0.lora_A.weight' of shape \(2, 4, 3, 3, 3\) is out of bounds"),
        (nn.Linear(8, 6), 2, 1e12, "^base_model.model.0.lora_A.weight: holds values up to .* float32 with bits=32"),
    ],
)
def test_a_refusal_names_the_tensor_and_calls_nothing_damaged(layer, rank, factor, message, tmp_path):
    model = peft.get_peft_model(nn.Sequential(deepcopy(layer)), peft.LoraConfig(r=rank, target_modules=["0"]))
    model.get_parameter("base_model.model.0.lora_A.default.weight").data *= factor
    with pytest.raises(ValueError, match=message) as refused:
        save_adapter(model, tmp_path / "a.sine")
    assert "damaged" not in str(refused.value) and not any(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [32, 8])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_an_adapter_with_a_value_that_is_not_finite_is_refused(value, bits, tmp_path):
    """Of 8 bits, the whole tensor was written as zeros; of 32, the file that was to be written was called damaged."""
    model = adapted()
    model.get_parameter("base_model.model.linear.lora_A.default.weight").data[0, 0] = value
    with pytest.raises(ValueError, match=r"linear\.lora_A\.weight: holds values that are not finite"):
        save_adapter(model, tmp_path / "a.sine", bits)
    assert not any(tmp_path.iterdir())
