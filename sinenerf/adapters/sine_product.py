"""The product of x and an adapted weight W + delta W, delta W = scale sin(omega B A), built only a block at a time.

Autograd would keep the phase, its sine and their gradients, m n values each, for every layer until the backward pass.
Here the forward pass keeps only x and the factors, and the backward pass builds each block of delta W again. That costs
k multiplications and a sine per value of delta W; the product with T tokens costs T multiplications.

LoRA multiplies T rows by m n values twice: by W, and by W again for the gradient of x. With delta W apart, sine-LoRA
does so five times: by W, by delta W, by each for the gradient of x, and once for the gradient of delta W. Where W is
given, a block is W + delta W, and three products are left, for several adapters, too.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from sinenerf.adapters.sine_blocks import Sine
from sinenerf.factored import precise

CHUNK = 2**19
"""Values of a block: 2 MiB in float32; more where that is still less than the product itself takes."""
MOST_CHUNKS, FEWEST_CHUNKS = 16, 8
"""Bounds of the number of blocks in a large layer. Two buffers of a block's size exist at once."""

Adapter = tuple[Float[Tensor, "_ in"], Float[Tensor, "out _"], float, float]
"""(A, B, omega, scale) of delta W = scale sin(omega B A)."""


def sine_weight(
    a: Float[Tensor, "rank in"], b: Float[Tensor, "out rank"], omega: float, scale: float
) -> Float[Tensor, "out in"]:
    """All of scale sin(omega B A), differentiable by autograd. The phase is float32 or float64."""
    with torch.autocast(a.device.type, enabled=False):
        return scale * torch.sin((omega * precise(b)) @ precise(a))


def sine_linear(
    x: Float[Tensor, "*batch in"],
    adapters: Sequence[Adapter],
    weight: Float[Tensor, "out in"] | None = None,
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "*batch out"]:
    """x (W + the adapters' delta W)^T + bias in x's dtype, or autocast's. Gradients of x, A, B and the bias are exact.

    Args:
        adapters: at least one.
        weight: W, which gets no gradient; 0 if it is None.
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        rows = x.flatten(0, -2) if x.dim() > 1 else x[None]
        factors = [precise(factor) for a, b, _, _ in adapters for factor in (a, b)]
        y = _SineProduct.apply(rows, weight, bias, [(omega, scale) for _, _, omega, scale in adapters], *factors)
        return y.reshape(*x.shape[:-1], y.shape[1])


@torch.no_grad()
def row_norms(weight: Float[Tensor, "out in"], adapter: Adapter) -> Float[Tensor, " out"]:
    """Euclidean norms of the rows of W + delta W, computed a few rows at a time, without gradients."""
    a, b, omega, scale = adapter
    matrix = _Matrix(weight, [Sine(precise(a), precise(b), omega, scale)])
    return torch.cat([matrix.rows(part).norm(dim=1) for part in _chunks(*weight.shape)])


def _chunks(length: int, other: int, tokens: int = 0) -> Iterator[slice]:
    """Consecutive ranges of the rows of a layer's matrix, whose number of columns is given.

    Fewer and larger blocks multiply faster. They grow with the tokens: two have a quarter of the size of x and y.
    """
    of_tokens = min(tokens * (length + other) // (8 * other), -(-length // FEWEST_CHUNKS))
    size = max(1, CHUNK // other, -(-length // MOST_CHUNKS), of_tokens)
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


class _Matrix:
    """W and several sines, of which only a few rows exist at a time."""

    def __init__(self, weight: Tensor | None, sines: list[Sine]) -> None:
        self.weight, self.sines = None if weight is None else weight.detach(), sines
        self.memory = sines[0].a.new_empty(0)

    def block(self, part: slice) -> Tensor:
        """Uninitialised memory for these rows in the factors' dtype, which the next call overwrites."""
        columns = self.sines[0].a.shape[1]
        size = (part.stop - part.start) * columns
        if len(self.memory) < size:
            self.memory = self.memory.new_empty(size)
        return self.memory[:size].view(-1, columns)

    def rows(self, part: slice) -> Tensor:
        """These rows of the sum in the same memory."""
        block = self.block(part)
        base = block.zero_() if self.weight is None else self.weight[part]
        if base.dtype != block.dtype or not base.is_contiguous():
            base = block.copy_(base)
        for sine in self.sines:
            sine.add_rows(base, part, out=block)
            base = block
        return block


class _SineProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        settings: list[tuple[float, float]],
        *factors: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, *factors)
        ctx.settings = settings
        matrix, outputs = _Matrix(weight, _sines(settings, factors)), len(factors[1])
        y = x.new_empty(len(x), outputs)
        for part in _chunks(outputs, x.shape[1], len(x)):
            torch.mm(x, matrix.rows(part).to(x.dtype).T, out=y[:, part])
        return y if bias is None else y.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *factors = ctx.saved_tensors
        sines = _sines(ctx.settings, factors)
        learned = [sine for i, sine in enumerate(sines) if any(ctx.needs_input_grad[4 + 2 * i : 6 + 2 * i])]
        for sine in learned:
            sine.start_gradients()
        matrix, grad_x = _Matrix(weight, sines), None
        if ctx.needs_input_grad[0]:  # a sum over the blocks, so not in half precision
            grad_x = x.new_zeros(x.shape, dtype=torch.promote_types(x.dtype, torch.float32))
        for part in _chunks(grad.shape[1], x.shape[1], len(x)):
            upstream = grad[:, part]
            if grad_x is not None:
                _add_product(grad_x, upstream, matrix.rows(part).to(x.dtype))
            if learned:
                of_matrix = _multiply(upstream.T, x, out=matrix.block(part))
                for sine in learned:
                    sine.add_gradients(of_matrix, part)
        grad_factors = [g for sine in sines for g in (sine.gradients() if sine in learned else (None, None))]
        grad_bias = grad.sum(0) if ctx.needs_input_grad[2] else None
        return None if grad_x is None else grad_x.to(x.dtype), None, grad_bias, None, *grad_factors


def _sines(settings: Sequence[tuple[float, float]], factors: Sequence[Tensor]) -> list[Sine]:
    return [Sine(a, b, *pair) for a, b, pair in zip(factors[::2], factors[1::2], settings, strict=True)]


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """left @ right, written to `out` in its own dtype."""
    return torch.mm(left, right, out=out) if out.dtype == left.dtype else out.copy_(left @ right)


def _add_product(out: Tensor, left: Tensor, right: Tensor) -> None:
    """out += left @ right, where `out` may be more precise."""
    if out.dtype == left.dtype:
        torch.addmm(out, left, right, out=out)
    else:  # a part at a time, since the product takes memory of its own
        for part, rows in zip(out.chunk(4), left.chunk(4), strict=True):
            part.add_(rows @ right)
