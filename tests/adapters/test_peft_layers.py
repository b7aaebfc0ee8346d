"""The adapted layers: their delta W, and several adapters in one batch."""

from copy import deepcopy

import pytest
import torch

peft = pytest.importorskip("peft")
from support.adapted_nets import DORA, EXACT, LAYERS, TOKENS, adapted, config, draw  # noqa: E402

from sinenerf.adapters import variants  # noqa: E402
from sinenerf.adapters.peft_layers import SineLinear  # noqa: E402
from sinenerf.adapters.sine_product import sine_weight  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


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


def calls_of(monkeypatch):
    """Whether each product with delta W is merged with the base layer's, as a list that grows."""
    calls = []
    real = variants.sine_linear

    def recording(x, adapters, weight=None, bias=None):
        calls.append(weight is not None)
        return real(x, adapters, weight, bias)

    monkeypatch.setattr(variants, "sine_linear", recording)
    return calls


@pytest.mark.parametrize("frozen", [False, True])
def test_several_adapters_in_one_product(frozen, monkeypatch):
    """Outputs and gradients, also where only one of the adapters is trained."""
    model = adapted()
    model.add_adapter("other", config(omega=7.0))
    draw(model, "other")
    model.base_model.set_adapter(["default", "other"])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora" in name and not (frozen and "default" in name))
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    calls, results = calls_of(monkeypatch), []
    for merging in (True, False):
        if not merging:
            monkeypatch.setattr(SineLinear, "_merging_adapters", lambda *_: [])
        y = model(TOKENS)
        results.append((y, *torch.autograd.grad(y.square().sum(), list(trained.values()))))
    assert calls == [True] * 2 + [False] * 4
    for name, ours, theirs in zip(["y", *trained], *results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * float(theirs.detach().abs().max()), rtol=1e-4, msg=name)


@DORA
@pytest.mark.parametrize("double", [False, True])
def test_one_product_by_the_whole_weight_is_the_same_layer(dora, double, monkeypatch):
    """Outputs and all gradients, of both layers that have a matrix."""
    model = adapted(use_dora=dora, bias="lora_only")
    model = model.double() if double else model
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert any(name.endswith("linear.base_layer.bias") for name in trained)
    calls, results = calls_of(monkeypatch), []
    for merging in (True, False):
        if not merging:
            monkeypatch.setattr(SineLinear, "_merging_adapters", lambda *_: [])
        y = model(TOKENS)
        results.append((y, *torch.autograd.grad(y.square().sum(), list(trained.values()))))
    assert calls == [True, True, False, False]
    for name, ours, theirs in zip(["y", *trained], *results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4 * float(theirs.detach().abs().max()), rtol=1e-4, msg=name)


def test_products_stay_apart_where_one_would_not_be_exact(monkeypatch):
    calls = calls_of(monkeypatch)

    def merged(model, tokens=TOKENS):
        calls.clear()
        model(tokens)
        assert calls
        return any(calls)

    assert merged(adapted())
    assert merged(adapted().train()) and not merged(adapted(lora_dropout=0.5).train())
    assert merged(adapted(lora_dropout=0.5))  # which is off in evaluation
    assert not merged(adapted().to(torch.bfloat16))
    with torch.autocast("cpu", torch.bfloat16):
        assert not merged(adapted())
    hooked = adapted(target_modules=["linear"])
    seen = []
    hooked.base_model.model.linear.base_layer.register_forward_hook(lambda *_: seen.append(1))
    assert not merged(hooked) and seen
    trained = adapted(target_modules=["linear"])
    trained.base_model.model.linear.base_layer.weight.requires_grad_()
    assert not merged(trained)
    two = adapted()
    two.add_adapter("other", config(omega=7.0))
    assert merged(two)
    two.base_model.set_adapter(["default", "other"])
    assert merged(two)
    two_dora = adapted(use_dora=True)
    two_dora.add_adapter("other", config(omega=7.0))
    two_dora.base_model.set_adapter(["default", "other"])
    assert not merged(two_dora)


def test_a_bfloat16_layer_multiplies_in_bfloat16(monkeypatch):
    """Outputs and gradients are those of float64 up to the rounding of bfloat16."""
    layer = adapted(target_modules=["linear"]).base_model.model.linear
    layer.base_layer.to(torch.bfloat16)
    factors, base = [layer.lora_A.default.weight, layer.lora_B.default.weight], layer.base_layer
    x, types, real = torch.randn(50, 24, dtype=torch.bfloat16).requires_grad_(), [], variants.sine_linear
    monkeypatch.setattr(variants, "sine_linear", lambda x, adapters: types.append(x.dtype) or real(x, adapters))
    y = layer(x)
    ours = y, *torch.autograd.grad(y.sum(), (x, *factors))
    a, b, exact_x = (t.detach().double().requires_grad_() for t in (*factors, x))
    delta = 6 / 3 * torch.sin(50.0 * b @ a) / 24**0.5
    y = torch.nn.functional.linear(exact_x, base.weight.double() + delta, base.bias.double())
    assert types == [torch.bfloat16] and all(factor.dtype == torch.float32 for factor in factors)
    for result, exact in zip(ours, (y, *torch.autograd.grad(y.sum(), (exact_x, a, b))), strict=True):
        torch.testing.assert_close(result.double(), exact, rtol=0.01, atol=0.01 * float(exact.detach().abs().max()))


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


def test_the_phase_of_a_bfloat16_embedding_is_float32():
    """It was bfloat16, and outputs differed from those after merging by several per cent of an adapter's largest."""
    module = adapted(target_modules=["embed"]).to(torch.bfloat16).base_model.model.embed
    merged = sine_weight(*module.sine_arguments("default")).T
    torch.testing.assert_close(module.sine_rows("default", TOKENS), merged[TOKENS], **EXACT)
