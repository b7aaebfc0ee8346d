"""x times the adapter's weight, without the weight: delta W = sin(omega B A) is made a few rows at a time.

Autograd would keep the phase, its sine and their gradients, each of m n numbers, for every layer until the backward
pass. Here the forward pass keeps x and the factors alone; the backward pass makes each row of delta W again (the cost
is k multiplications and a sine for each number, where the product with T tokens takes T).
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 2**19
"""Numbers of delta W at a time: two mebibytes of float32."""
MOST_CHUNKS = 32
"""Of a layer: a larger one has larger chunks. Two buffers of a chunk are alive at once: 4 MiB, or, where that is more,
1/16 of m n."""


def sine_weight(
    a: Float[Tensor, "rank in"], b: Float[Tensor, "out rank"], omega: float, scale: float
) -> Float[Tensor, "out in"]:
    """scale sin(omega B A), at full size, with gradients of autograd's. Its phase is float32 at least."""
    with torch.autocast(a.device.type, enabled=False):
        return scale * torch.sin((omega * _exact(b)) @ _exact(a))


def sine_linear(
    x: Float[Tensor, "*batch in"],
    a: Float[Tensor, "rank in"],
    b: Float[Tensor, "out rank"],
    omega: float,
    scale: float,
) -> Float[Tensor, "*batch out"]:
    """x times scale sin(omega B A), transposed, in x's type, or autocast's. Gradients of x, A and B are exact."""
    device = x.device.type
    if torch.is_autocast_enabled(device):
        x = x.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        y = _SineProduct.apply(x.flatten(0, -2) if x.dim() > 1 else x[None], _exact(a), _exact(b), omega, scale)
        return y.reshape(*x.shape[:-1], len(b))


@torch.no_grad()
def row_norms(
    weight: Float[Tensor, "out in"],
    a: Float[Tensor, "rank in"],
    b: Float[Tensor, "out rank"],
    omega: float,
    scale: float,
) -> Float[Tensor, " out"]:
    """Euclidean norms of the rows of W + scale sin(omega B A), a few rows at a time, without gradients."""
    a, b = _exact(a), _exact(b)
    rows = [(weight[part] + sine_weight(a, b[part], omega, scale).to(weight)).norm(dim=1) for part in _chunks(b, a)]
    return torch.cat(rows)


def _exact(factor: Tensor) -> Tensor:
    """Float32 at least: omega amplifies rounding."""
    return factor.float() if factor.dtype in (torch.float16, torch.bfloat16) else factor


def _chunks(b: Tensor, a: Tensor) -> Iterator[slice]:
    """Ranges of rows of B A."""
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
            of_part = grad[:, part]
            phase = (omega * b[part]) @ a
            if grad_x is not None:
                grad_x.addmm_(of_part, torch.sin(phase).mul_(scale).to(x.dtype))
            of_phase = (of_part.T @ x).to(a.dtype).mul_(phase.cos_()).mul_(omega * scale)
            grad_b[part] = of_phase @ a.T
            grad_a.addmm_(b[part].T, of_phase)
        return grad_x, grad_a, grad_b, None, None
