"""Sine-LoRA and sine-DoRA as PEFT methods: creating, training, saving, combining; and what is refused."""

import importlib
import json
import sys

import pytest
import torch
from torch import nn

peft = pytest.importorskip("peft")
from support.adapted_nets import DORA, EXACT, LAYERS, TOKENS, Net, adapted, base_of, config, draw  # noqa: E402

from sinenerf.adapters import SineLoraConfig  # noqa: E402
from sinenerf.layers import SineLowRankLinear  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


@DORA
def test_an_adapter_starts_as_the_identity_and_learns(dora):
    model = adapted(drawn=False, use_dora=dora)
    with model.disable_adapter():
        base = model(TOKENS)
    torch.testing.assert_close(model(TOKENS), base, **EXACT)
    model.train()(TOKENS).square().sum().backward()
    zero_factors = [p for n, p in model.named_parameters() if "lora_B" in n or "lora_embedding_A" in n]
    assert len(zero_factors) == 3 and all(p.grad.abs().max() > 0 for p in zero_factors)
    assert not any(p.requires_grad for n, p in model.named_parameters() if "lora_" not in n)


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


def test_half_precision():
    base = Net().to(torch.bfloat16)
    model = peft.get_peft_model(base, config()).eval()
    draw(model)
    assert model.base_model.model.linear.lora_A["default"].weight.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        y = model(TOKENS)
        merged = model.merge_and_unload()(TOKENS)
    torch.testing.assert_close(y, merged, atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"omega": 0.0}, r"omega is 0\.0: it must be a positive.*dead"),
        ({"omega": float("inf")}, "omega is inf"),
        ({"gain": -1.0}, r"gain is -1\.0"),
        ({"init_lora_weights": "pissa"}, "makes factors for a plain B A"),
        ({"lora_bias": True}, "sine-LoRA does not support lora_bias"),
        ({"ensure_weight_tying": True}, "sine-LoRA does not support ensure_weight_tying"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        config(**settings)


class Quantised(nn.Linear):
    pass


BAD_LAYERS = {
    r"linear: is already factored": lambda: SineLowRankLinear(24, 10, 2),
    r"linear: is a .*Quantised": lambda: Quantised(24, 10),
    r"linear: its weight is computed by a hook": lambda: torch.nn.utils.spectral_norm(nn.Linear(24, 10)),
    r"linear: its weight is on the meta device": lambda: nn.Linear(24, 10, device="meta"),
    r"linear: its weight is of type torch\.int8, quantised": lambda: linear_of_integers(),
}


def linear_of_integers():
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


def test_a_plain_lora_cannot_be_added():
    with pytest.raises(ValueError, match=r"peft.type"):
        adapted().add_adapter("plain", peft.LoraConfig(target_modules=LAYERS))


def test_without_peft_the_error_names_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("sinenerf.adapters")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ImportError, match=r"pip install 'sinenerf\[peft\]'"):
        importlib.import_module("sinenerf.adapters")


@DORA
@pytest.mark.filterwarnings("ignore::UserWarning:peft.*", "ignore::FutureWarning:transformers")
@pytest.mark.parametrize("targets", [["wte"], ["lm_head"], ["wte", "lm_head"]])
def test_merging_unties_shared_weights(targets, dora, tmp_path):
    """Merging into the weight of both embeddings changed logits by several units."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = GPT2Config(vocab_size=40, n_positions=8, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    model = peft.get_peft_model(GPT2LMHeadModel(shape), config(target_modules=targets, use_dora=dora)).eval()
    draw(model)
    with model.disable_adapter():
        base = model(TOKENS).logits
    before = model(TOKENS).logits
    with pytest.warns(UserWarning, match="tied to .*: merging gives it a weight of its own") as caught:
        model.merge_adapter()
    assert len([w for w in caught if "a weight of its own" in str(w.message)]) == 1
    torch.testing.assert_close(model(TOKENS).logits, before, **EXACT)
    model.unmerge_adapter()
    torch.testing.assert_close(model(TOKENS).logits, before, **EXACT)
    with model.disable_adapter():
        torch.testing.assert_close(model(TOKENS).logits, base, **EXACT)
    plain = model.merge_and_unload()
    torch.testing.assert_close(plain(TOKENS).logits, before, **EXACT)
    plain.save_pretrained(tmp_path)
    again = GPT2LMHeadModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(again(TOKENS).logits, before, **EXACT)
