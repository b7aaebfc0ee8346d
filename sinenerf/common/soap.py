"""SOAP for small matrices on a CPU (Vyas et al. 2024, "SOAP: Improving and Stabilizing Shampoo using Adam").

For a matrix with gradient G, Adam runs in the eigenbases Q_L and Q_R of the running averages of G G^T and G^T G:

    M <- b1 M + (1 - b1) G,    S <- b2 S + (1 - b2) (Q_L^T G Q_R)^2,    W <- W - lr Q_L ((Q_L^T M Q_R) / sqrt S) Q_R^T

Every few steps the bases are improved by one power iteration. The numbers are those of `pytorch_optimizer.SOAP`, which
spends most of its time between operations when matrices are as thin as the factors of a layer.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn

from sinenerf.common.matrix_kernels import COMPILED

EPSILON = 1e-8


class Soap(torch.optim.Optimizer):
    """Adam for vectors, and SOAP for matrices, of float32 on the CPU. The first step only measures the gradients.

    Args:
        betas: decays of the averages M and S.
        shampoo_beta: decay of the averages of G G^T and G^T G.
        frequency: number of steps between two improvements of the bases.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float],
        shampoo_beta: float,
        frequency: int,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "shampoo_beta": shampoo_beta, "frequency": frequency}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters by their gradients."""
        for group in self.param_groups:
            group["step"] = group.get("step", -1) + 1
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state, step, (beta1, beta2) = self.state[parameter], group["step"], group["betas"]
        matrix = gradient.dim() == 2
        if not state:
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            if matrix:
                state |= _first_bases(gradient, group["shampoo_beta"])
        if step == 0:
            return
        rate = group["lr"] * math.sqrt(1 - beta2**step) / (1 - beta1**step)
        arrays = [t.detach().numpy() for t in (parameter, gradient.contiguous(), state["mean"], state["square"])]
        if not matrix:
            _adam(*(a.reshape(-1) for a in arrays), np.float32(rate), np.float32(beta1), np.float32(beta2))
            return
        bases = [state[name].numpy() for name in ("rows", "columns", "left", "right")]
        decay = [np.float32(value) for value in (rate, beta1, beta2, group["shampoo_beta"])]
        _soap(*arrays, *bases, *decay, step % group["frequency"] == 0)


def _first_bases(gradient: Tensor, beta: float) -> dict[str, Tensor]:
    rows, columns = (1 - beta) * (gradient @ gradient.T), (1 - beta) * (gradient.T @ gradient)
    left, right = (torch.linalg.eigh(average)[1].flip(1).contiguous() for average in (rows, columns))
    return {"rows": rows.contiguous(), "columns": columns.contiguous(), "left": left, "right": right}


@njit(**COMPILED)
def _adam(parameter, gradient, mean, square, rate, beta1, beta2):
    one = np.float32(1)
    for i in range(len(parameter)):
        mean[i] = beta1 * mean[i] + (one - beta1) * gradient[i]
        square[i] = beta2 * square[i] + (one - beta2) * gradient[i] * gradient[i]
        parameter[i] -= rate * mean[i] / (math.sqrt(square[i]) + np.float32(EPSILON))


@njit(**COMPILED)
def _soap(parameter, gradient, mean, square, rows, columns, left, right, rate, beta1, beta2, shampoo_beta, improve):
    """One step for a matrix; the arrays are changed in place."""
    one = np.float32(1)
    turned = np.dot(np.dot(left.T, gradient), right)
    mean[:] = beta1 * mean + (one - beta1) * gradient
    square[:] = beta2 * square + (one - beta2) * turned * turned
    direction = np.dot(np.dot(left.T, mean), right) / (np.sqrt(square) + np.float32(EPSILON))
    parameter -= rate * np.dot(np.dot(left, direction), right.T)
    rows[:] = shampoo_beta * rows + (one - shampoo_beta) * np.dot(gradient, gradient.T)
    columns[:] = shampoo_beta * columns + (one - shampoo_beta) * np.dot(gradient.T, gradient)
    if improve:
        square[:] = square[_improve(rows, left)]
        square[:] = square[:, _improve(columns, right)]


@njit(**COMPILED)
def _improve(average, basis):
    """Move a basis nearer to the eigenvectors, largest eigenvalue first. Returns the order of the old ones."""
    product = np.dot(average, basis)
    order = np.argsort(-(basis * product).sum(axis=0))
    basis[:] = np.linalg.qr(product[:, order])[0]
    return order
