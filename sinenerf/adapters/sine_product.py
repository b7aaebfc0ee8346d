"""The product of x and an adapted weight W + delta W, delta W = scale sin(omega B A), built only a block at a time.

Autograd would keep the phase, its sine and their gradients, m n values each, for every layer until the backward pass.
Here the forward pass keeps only x and the factors, and the backward pass builds each block of delta W again. That costs
k multiplications and a sine per value of delta W; the product with T tokens costs T multiplications.

LoRA multiplies T rows by m n values twice: by W, and by W again for the gradient of x. With delta W apart, sine-LoRA
does so five times: by W, by delta W, by each for the gradient of x, and once for the gradient of delta W. Where W is
given, a block is W + delta W, and three products are left.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 2**19
"""Values of a block: 2 MiB in float32; more where that is still less than the product itself takes."""
MOST_CHUNKS, FEWEST_CHUNKS = 32, 8
"""Bounds of the number of blocks in a large layer. Two buffers of a block's size exist at once."""


def sine_weight(
    a: Float[Tensor, "rank in"], b: Float[Tensor, "out rank"], omega: float, scale: float
) -> Float[Tensor, "out in"]:
    """All of scale sin(omega B A), differentiable by autograd. The phase is float32 or float64."""
    with torch.autocast(a.device.type, enabled=False):
        return scale * torch.sin((omega * _precise(b)) @ _precise(a))


def sine_linear(
    x: Float[Tensor, "*batch in"],
    a: Float[Tensor, "rank in"],
    b: Float[Tensor, "out rank"],
    omega: float,
    scale: float,
    weight: Float[Tensor, "out in"] | None = None,
    bias: Float[Tensor, " out"] | None = None,
) -> Float[Tensor, "*batch out"]:
    """x (W + scale sin(omega B A))^T + bias in x's dtype, or autocast's. Gradients of x, A, B and the bias are exact.

    Args:
        weight: W, which gets no gradient; 0 if it is None.
    """
    device = x.device.type
    if torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        rows = x.flatten(0, -2) if x.dim() > 1 else x[None]
        y = _SineProduct.apply(rows, _precise(a), _precise(b), weight, bias, omega, scale)
        return y.reshape(*x.shape[:-1], len(b))


@torch.no_grad()
def row_norms(
    weight: Float[Tensor, "out in"],
    a: Float[Tensor, "rank in"],
    b: Float[Tensor, "out rank"],
    omega: float,
    scale: float,
) -> Float[Tensor, " out"]:
    """Euclidean norms of the rows of W + scale sin(omega B A), computed a few rows at a time, without gradients."""
    a, b = _precise(a), _precise(b)
    parts = _chunks(len(b), a.shape[1])
    return torch.cat([(weight[p] + sine_weight(a, b[p], omega, scale).to(weight)).norm(dim=1) for p in parts])


def _precise(factor: Tensor) -> Tensor:
    """A factor in float32 or float64, since omega amplifies rounding errors."""
    return factor.float() if factor.dtype in (torch.float16, torch.bfloat16) else factor


def _chunks(length: int, other: int, tokens: int = 0) -> Iterator[slice]:
    """Consecutive ranges along one side of a layer's matrix, whose other side is given.

    Fewer and larger blocks multiply faster. They grow with the tokens: two have a quarter of the size of x and y.
    """
    of_tokens = min(tokens * (length + other) // (8 * other), -(-length // FEWEST_CHUNKS))
    size = max(1, CHUNK // other, -(-length // MOST_CHUNKS), of_tokens)
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


class _Buffer:
    """Memory for one block after another; the last may be smaller."""

    def __init__(self, like: Tensor) -> None:
        self.like, self.memory = like, like.new_empty(0)

    def of(self, rows: int, columns: int) -> Tensor:
        """An uninitialised (rows, columns) matrix, which the next call overwrites."""
        if self.memory.numel() < rows * columns:
            self.memory = self.like.new_empty(rows * columns)
        return self.memory[: rows * columns].view(rows, columns)


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """left @ right, written to `out` in its own dtype."""
    return torch.mm(left, right, out=out) if out.dtype == left.dtype else out.copy_(left @ right)


def _adapted(weight: Tensor | None, sine: Tensor, scale: float, dtype: torch.dtype) -> Tensor:
    """weight + scale sine in a dtype, computed in place of the sine."""
    if weight is None:
        return sine.mul_(scale).to(dtype)
    return torch.add(weight.to(sine.dtype), sine, alpha=scale, out=sine).to(dtype)


class _SineProduct(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        a: Tensor,
        b: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        omega: float,
        scale: float,
    ) -> Tensor:
        ctx.save_for_backward(x, a, b, weight)
        ctx.omega, ctx.scale = omega, scale
        y, buffer, turned = x.new_empty(len(x), len(b)), _Buffer(a), omega * b
        for part in _chunks(len(b), a.shape[1], len(x)):  # rows of W, columns of y
            sine = torch.mm(turned[part], a, out=buffer.of(part.stop - part.start, a.shape[1])).sin_()
            block = _adapted(None if weight is None else weight[part], sine, scale, x.dtype)
            torch.mm(x, block.T, out=y[:, part])
        return y if bias is None else y.add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, a, b, weight = ctx.saved_tensors
        grad, turned = grad.contiguous(), ctx.omega * b
        grad_x = x.new_empty(x.shape) if ctx.needs_input_grad[0] else None
        grad_a, grad_b = torch.empty_like(a), torch.zeros_like(b)
        phases, blocks = _Buffer(a), _Buffer(a)
        for part in _chunks(a.shape[1], len(b), len(x)):  # columns of W, of x and of A: each is written once
            shape = len(b), part.stop - part.start
            phase, block = torch.mm(turned, a[:, part], out=phases.of(*shape)), blocks.of(*shape)
            if grad_x is not None:
                sine = torch.sin(phase, out=block)
                of_weight = None if weight is None else weight[:, part]
                torch.mm(grad, _adapted(of_weight, sine, ctx.scale, x.dtype), out=grad_x[:, part])
            grad_phase = _multiply(grad.T, x[:, part], out=block).mul_(phase.cos_())
            torch.mm(b.T, grad_phase, out=grad_a[:, part])
            grad_b.addmm_(grad_phase, a[:, part].T)
        factor = ctx.omega * ctx.scale
        grad_bias = grad.sum(0) if ctx.needs_input_grad[4] else None
        return grad_x, grad_a.mul_(factor), grad_b.mul_(factor), None, grad_bias, None, None
