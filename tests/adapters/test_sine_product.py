"""The product of sine-LoRA: gradients, memory, rank."""

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

peft = pytest.importorskip("peft")
from sinenerf import stable_rank  # noqa: E402
from sinenerf.adapters import sine_product  # noqa: E402
from sinenerf.adapters.sine_product import row_norms, sine_linear, sine_weight  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:peft.*")


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
        patch.setattr(sine_product, "CHUNK", chunk)
        patch.setattr(sine_product, "MOST_CHUNKS", 9)
        y = sine_linear(x, [(a, b, 3.0, 0.7)])
        torch.testing.assert_close(y, x @ sine_weight(a, b, 3.0, 0.7).T)
        assert torch.autograd.gradcheck(lambda x, a, b: sine_linear(x, [(a, b, 3.0, 0.7)]), (x, a, b))
        weight, bias = torch.randn(m, n, dtype=torch.float64), torch.randn(m, dtype=torch.float64, requires_grad=True)
        y = sine_linear(x, [(a, b, 3.0, 0.7)], weight, bias)
        torch.testing.assert_close(y, x @ (weight + sine_weight(a, b, 3.0, 0.7)).T + bias)
        merged = lambda x, a, b, bias: sine_linear(x, [(a, b, 3.0, 0.7)], weight, bias)  # noqa: E731
        assert torch.autograd.gradcheck(merged, (x, a, b, bias))
        norms = row_norms(torch.ones(m, n, dtype=torch.float64), (a, b, 3.0, 0.7))
        torch.testing.assert_close(norms, (1 + sine_weight(a, b, 3.0, 0.7)).norm(dim=1))


@pytest.mark.parametrize("merged", [False, True])
def test_gradients_are_autograds_in_float32(merged):
    x, a, b = torch.randn(64, 700), torch.randn(4, 700), torch.randn(900, 4)
    weight = torch.randn(900, 700) if merged else None
    whole = 0 if weight is None else weight
    for tensor in (x, a, b):
        tensor.requires_grad_()
    assert len(list(sine_product._chunks(900, 700, 64))) > 1
    ours = torch.autograd.grad(sine_linear(x, [(a, b, 0.5, 0.1)], weight).square().sum(), (x, a, b))
    theirs = torch.autograd.grad((x @ (whole + sine_weight(a, b, 0.5, 0.1)).T).square().sum(), (x, a, b))
    for mine, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-4, atol=1e-4 * float(reference.abs().max()))


def test_autocast_blurs_the_product_but_not_the_phase():
    x, a, b = torch.randn(5, 30), torch.randn(2, 30), torch.randn(20, 2, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y = sine_linear(x, [(a, b, 300.0, 1.0)])
        weight = sine_weight(a, b, 300.0, 1.0)
    assert torch.equal(weight, torch.sin((300 * b) @ a))
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), x @ weight.T, atol=0.1, rtol=0.05)
    y.float().sum().backward()
    assert b.grad.dtype == torch.float32 and b.grad.isfinite().all()


def test_blocks_cover_a_side_once_and_grow_with_the_tokens():
    for length, other, tokens in (
        (4096, 4096, 0),
        (4096, 4096, 2048),
        (4096, 4096, 10**6),
        (11008, 4096, 300),
        (3, 7, 5),
    ):
        parts = list(sine_product._chunks(length, other, tokens))
        assert [i for part in parts for i in range(part.start, part.stop)] == list(range(length))
    assert [len(list(sine_product._chunks(4096, 4096, tokens))) for tokens in (1, 1024, 2048, 10**6)] == [16, 16, 8, 8]


def test_a_merged_step_multiplies_by_the_whole_matrix_three_times():
    """LoRA does so twice, a separate delta W takes five products."""
    from torch.utils.flop_counter import FlopCounterMode

    x, weight, upstream = torch.randn(300, 256, requires_grad=True), torch.randn(320, 256), torch.randn(300, 320)
    a, b = torch.randn(2, 256, requires_grad=True), torch.randn(320, 2, requires_grad=True)
    counts, adapter = [], (a, b, 3.0, 0.1)
    for run in (lambda: sine_linear(x, [adapter], weight), lambda: x @ weight.T + sine_linear(x, [adapter])):
        with FlopCounterMode(display=False) as counter:
            run().backward(upstream)
        counts.append(counter.get_total_flops() / (2 * 300 * 320 * 256))
    assert 3 <= counts[0] < 3.1 and 5 <= counts[1] < 5.1


def test_nothing_of_full_size_is_kept():
    x, a, b = torch.randn(16, 1024), torch.randn(2, 1024), torch.randn(1024, 2, requires_grad=True)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        sine_linear(x, [(a, b, 1.0, 1.0)])
    assert sum(kept) <= x.numel() + a.numel() + b.numel()


def test_peak_memory_is_that_of_lora(monkeypatch):
    sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
    import benchmark_adapter_memory as benchmark

    monkeypatch.setattr(sine_product, "CHUNK", 2**13)  # as coarse, for so small a layer, as for a large one
    options, width = benchmark.Options(width=512, rank=4), 512
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
