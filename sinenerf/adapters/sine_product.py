"""The product of x and an adapter's weight delta W = sin(omega B A), which is built only a few rows at a time.

Autograd would keep the phase, its sine and their gradients, m n values each, for every layer until the backward pass.
Here the forward pass keeps only x and the factors, and the backward pass builds each row of delta W again. That costs
k multiplications and a sine per value of delta W; the product with T tokens costs T multiplications.
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 2**19
"""Values of delta W built at a time: 2 MiB in float32."""
MOST_CHUNKS = 32
"""Largest number of chunks in a layer: large layers have larger chunks. Two buffers of a chunk's size exist at once:
4 MiB, or m n / 16 values where that is more."""


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
) -> Float[Tensor, "*batch out"]:
    """x (scale sin(omega B A))^T in x's dtype, or autocast's. Gradients of x, A and B are exact."""
    device = x.device.type
    if torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        y = _SineProduct.apply(x.flatten(0, -2) if x.dim() > 1 else x[None], _precise(a), _precise(b), omega, scale)
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
    rows = [(weight[part] + sine_weight(a, b[part], omega, scale).to(weight)).norm(dim=1) for part in _chunks(b, a)]
    return torch.cat(rows)


def _precise(factor: Tensor) -> Tensor:
    """A factor in float32 or float64, since omega amplifies rounding errors."""
    return factor.float() if factor.dtype in (torch.float16, torch.bfloat16) else factor


def _chunks(b: Tensor, a: Tensor) -> Iterator[slice]:
    """Consecutive ranges of rows of B A."""
    out, size = b.shape[0], a.shape[1]
    rows = max(1, CHUNK // size, -(-out // MOST_CHUNKS))
    return (slice(start, start + rows) for start in range(0, out, rows))


class _SineProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, a: Tensor, b: Tensor, omega: float, scale: float) -> Tensor:
        ctx.save_for_backward(x, a, b)
        ctx.omega, ctx.scale = omega, scale
        y = x.new_empty(len(x), len(b))
        for part in _chunks(b, a):
            weight = torch.sin_((omega * b[part]) @ a).mul_(scale)
            y[:, part] = x @ weight.to(x.dtype).T
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x, a, b = ctx.saved_tensors
        omega, scale = ctx.omega, ctx.scale
        grad_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        grad_a, grad_b = torch.zeros_like(a), torch.zeros_like(b)
        for part in _chunks(b, a):
            grad_y = grad[:, part]
            phase = (omega * b[part]) @ a
            if grad_x is not None:
                grad_x.addmm_(grad_y, torch.sin(phase).mul_(scale).to(x.dtype))
            grad_phase = (grad_y.T @ x).to(a.dtype).mul_(phase.cos_()).mul_(omega * scale)
            grad_b[part] = grad_phase @ a.T
            grad_a.addmm_(b[part].T, grad_phase)
        return grad_x, grad_a, grad_b, None, None
