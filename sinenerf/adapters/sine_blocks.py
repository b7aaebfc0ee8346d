"""scale sin(omega B A) a few rows at a time: added to rows of a matrix, or differentiated."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

KERNEL_THREADS = 4
"""The kernels use one thread. Where torch uses more than these, its own operations take less time."""


class Sine:
    """scale sin(omega B A), which never exists as a whole.

    With float32 on a CPU compiled kernels are used, and torch's operations otherwise.

    Args:
        a: A in float32 or float64.
        b: B in the same type.
    """

    def __init__(self, a: Float[Tensor, "rank in"], b: Float[Tensor, "out rank"], omega: float, scale: float) -> None:
        self.a, self.b, self.scale = a.detach().contiguous(), omega * b.detach(), scale
        self.omega = omega
        self.compiled = _kernels_apply(self.a, self.b)
        self.memory = a.new_empty(0)

    def add_rows(self, base: Float[Tensor, "rows in"], rows: slice, out: Float[Tensor, "rows in"]) -> None:
        """out = base + these rows of the matrix; all are contiguous and of one dtype, and out may be base."""
        if self.compiled:
            from sinenerf.common.sine_kernels import add_sine

            add_sine(self.a.numpy(), self.b[rows].numpy(), np.float32(self.scale), base.numpy(), out.numpy())
        else:
            torch.add(base, self._phases(rows).sin_(), alpha=self.scale, out=out)

    def start_gradients(self) -> None:
        """Set the gradients of A and B to zero."""
        self.grad_a, self.grad_b = torch.zeros_like(self.a), torch.zeros_like(self.b)

    def add_gradients(self, upstream: Float[Tensor, "rows in"], rows: slice) -> None:
        """Add the gradients through these rows, where that of the rows is given."""
        if self.compiled:
            from sinenerf.common.sine_kernels import add_gradients

            arrays = (t.numpy() for t in (upstream, self.a, self.b[rows], self.grad_a, self.grad_b[rows]))
            add_gradients(*arrays)
        else:
            slopes = self._phases(rows).cos_().mul_(upstream)
            self.grad_a.addmm_(self.b[rows].T, slopes)
            torch.mm(slopes, self.a.T, out=self.grad_b[rows])

    def gradients(self) -> tuple[Float[Tensor, "rank in"], Float[Tensor, "out rank"]]:
        """The gradients of A and B."""
        # self.b is omega B
        return self.grad_a.mul_(self.scale), self.grad_b.mul_(self.scale * self.omega)

    def _phases(self, rows: slice) -> Tensor:
        """omega B A in these rows, in memory that the next call overwrites."""
        b = self.b[rows]
        size = len(b) * self.a.shape[1]
        if len(self.memory) < size:
            self.memory = self.a.new_empty(size)
        return torch.mm(b, self.a, out=self.memory[:size].view(len(b), -1))


def _kernels_apply(a: Tensor, b: Tensor) -> bool:
    """Whether the kernels can compute sin(B A) and torch would take longer."""
    if a.device.type != "cpu" or a.dtype != torch.float32 or torch.get_num_threads() > KERNEL_THREADS:
        return False
    from sinenerf.common.sine_kernels import LARGEST_PHASE

    return bool(b.abs().amax(0) @ a.abs().amax(1) <= LARGEST_PHASE)  # False for NaN, too
