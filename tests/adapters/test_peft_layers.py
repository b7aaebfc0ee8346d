"""The adapted layers: their delta W, and several adapters in one batch."""

from copy import deepcopy

import pytest
import torch

peft = pytest.importorskip("peft")
from support.adapted_nets import EXACT, LAYERS, TOKENS, adapted, config, draw  # noqa: E402

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
