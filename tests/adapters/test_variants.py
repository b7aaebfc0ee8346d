"""Sine-LoRA and sine-DoRA as variants: merging, dropout, norms."""

import pytest
import torch
from torch import nn

peft = pytest.importorskip("peft")
from support.adapted_nets import DORA, EXACT, LAYERS, TOKENS, Net, adapted  # noqa: E402
from transformers.pytorch_utils import Conv1D  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


@DORA
@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("layers", [*([name] for name in LAYERS), LAYERS])
def test_merging_changes_no_output(dora, safe, layers):
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


def test_dora_with_a_nonzero_start():
    """Where B does not start at zero, the magnitudes must still be the norms of W + delta W."""
    model = adapted(drawn=False, use_dora=True, init_lora_weights=False)
    plain = adapted(drawn=False, init_lora_weights=False)
    plain.load_state_dict({n: v for n, v in model.state_dict().items() if "magnitude" not in n})
    torch.testing.assert_close(model(TOKENS), plain(TOKENS), **EXACT)
