"""Rows of a sine: compiled and torch's operations agree, and each is used where it belongs."""

import torch

from sinenerf.adapters import sine_blocks
from sinenerf.adapters.sine_blocks import Sine


def _factors(omega=200.0):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 1100, generator=generator) / 33, torch.randn(40, 6, generator=generator) / 100, omega, 0.1


def _results(sine):
    """A block with the sine added, and the gradients of A and B, by two parts of the rows."""
    block, upstream = torch.linspace(-1, 1, 40 * 1100).view(40, 1100).split(20), torch.ones(20, 1100)
    parts = slice(0, 20), slice(20, 40)
    sine.start_gradients()
    block = [rows.clone().to(sine.a) for rows in block]
    for rows, part in zip(block, parts, strict=True):
        sine.add_rows(rows, part, out=rows)
        sine.add_gradients(upstream.to(sine.a), part)
    return torch.cat(block), *sine.gradients()


def test_compiled_rows_are_as_close_to_float64_as_torchs(monkeypatch):
    a, b, omega, scale = _factors()
    compiled = Sine(a, b, omega, scale)
    monkeypatch.setattr(sine_blocks, "KERNEL_THREADS", 0)
    plain, double = Sine(a, b, omega, scale), Sine(a.double(), b.double(), omega, scale)
    assert compiled.compiled and not plain.compiled and not double.compiled
    for ours, torchs, exact in zip(_results(compiled), _results(plain), _results(double), strict=True):
        error, limit = ((r.double() - exact).abs().max() for r in (ours, torchs))
        assert error < 2 * limit, (error, limit)


def test_large_or_undefined_phases_are_left_to_torch():
    a, b, omega, scale = _factors()
    assert Sine(a, b, omega, scale).compiled
    assert not Sine(a, b, 1e7, scale).compiled
    assert not Sine(a.double(), b.double(), omega, scale).compiled
    b[3, 2] = torch.nan
    sine, block = Sine(a, b, omega, scale), torch.zeros(40, 1100)
    assert not sine.compiled
    sine.add_rows(block, slice(0, 40), out=block)
    assert block[3].isnan().all() and block[2].isfinite().all()


def test_gradients_are_autograds():
    a, b, omega, scale = (t.double() if isinstance(t, torch.Tensor) else t for t in _factors())
    a, b = a.requires_grad_(), b.requires_grad_()
    expected = torch.autograd.grad((scale * torch.sin(omega * b @ a)).sum(), (a, b))
    with torch.no_grad():
        for ours, reference in zip(_results(Sine(a, b, omega, scale))[1:], expected, strict=True):
            torch.testing.assert_close(ours, reference)
