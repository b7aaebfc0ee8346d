"""The loss of an occupancy network and its gradients: by autograd, or in one compiled pass over a batch on a CPU.

autograd sends the whole batch through one operation after the other, so every activation travels to memory and back
several times. In the compiled pass a block of points stays in the cache from the first layer to the loss and back. The
result is the same, in float32. The kernel sees matrices only: autograd still differentiates how a layer builds its W,
which costs little, since it does not depend on the number of points.
"""

from contextlib import nullcontext

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numba import get_num_threads
from torch import Tensor

from sinenerf.common.hardware import multiplies_bfloat16
from sinenerf.common.matrix_kernels import COLUMNS, ROWS, kernels_alone
from sinenerf.common.network_kernels import Matrices, loss_and_gradients
from sinenerf.common.settings import Loss, Precision
from sinenerf.factored import built_once, linear_layers
from sinenerf.networks import ScalarMLP

SUPPORTED = ("relu", "gaussian")
"""Activations of the kernel."""


class AutogradLoss:
    """The mean loss on any device.

    Args:
        loss: as in `FitConfig`.
        bfloat16: multiply matrices in bfloat16.
    """

    around_step = staticmethod(nullcontext)
    """Context of a whole training step."""

    def __init__(self, network: ScalarMLP, loss: Loss, device: torch.device, bfloat16: bool) -> None:
        self.network, self.squared = network, loss == "mse"
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)

    def backward(self, points: Float[Tensor, "n 3"], labels: Float[Tensor, "n 1"]) -> float | Tensor:
        """Add the gradients of the mean loss to `.grad` of the network's parameters. Returns the loss."""
        with self.autocast:
            logits = self.network(points)
        if self.squared:
            loss = F.mse_loss(torch.sigmoid(logits.float()), labels)
        else:
            loss = F.binary_cross_entropy_with_logits(logits.float(), labels)
        loss.backward()
        return loss.detach()


class FusedLoss:
    """Mean loss of a network over labelled points, and its gradients.

    Args:
        network: maps points to logits; its activation is one of `SUPPORTED`, its parameters are on the CPU.
        loss: as in `FitConfig`.
    """

    around_step = staticmethod(kernels_alone)
    """Context of a whole training step."""

    def __init__(self, network: ScalarMLP, loss: Loss) -> None:
        self.network, self.layers = network, list(linear_layers(network).values())
        self.gaussian, self.squared = network.trunk.activation == "gaussian", loss == "mse"
        self.bandwidth = np.float32(network.trunk.bandwidth)
        self.depth, self.width = len(self.layers) - 1, self.layers[0].out_features
        self.padded = -(-self.width // ROWS) * ROWS
        self.matrices = Matrices.zeros(self.depth, self.padded)
        threads = min(torch.get_num_threads(), get_num_threads())
        self.memory = np.empty((threads, 2 * self.depth + 1, self.padded, COLUMNS), np.float32)  # activations

    def backward(self, points: Float[Tensor, "n 3"], labels: Float[Tensor, "n 1"]) -> float:
        """Add the gradients of the mean loss to `.grad` of the network's parameters. Returns the loss."""
        with built_once(self.network):
            tensors: list[Tensor] = []
            for layer in self.layers:
                assert layer.bias is not None
                tensors += [layer.weight, layer.bias]
            for target, tensor in zip(self._parts(self.matrices), tensors, strict=True):
                target[...] = tensor.detach().numpy()
            loss, total = self._run(points.numpy(), labels.numpy()[:, 0])
            torch.autograd.backward(tensors, [torch.from_numpy(part.copy()) for part in self._parts(total)])
        return loss

    def _run(self, points: np.ndarray, labels: np.ndarray) -> tuple[float, Matrices]:
        gradients = Matrices(*(np.zeros((len(self.memory), *part.shape), np.float32) for part in self.matrices))
        losses = loss_and_gradients(
            points, labels, self.matrices, gradients, self.memory, self.gaussian, self.bandwidth, self.squared
        )
        return float(losses.sum()) / len(points), Matrices(*(part.sum(axis=0) for part in gradients))

    def _parts(self, matrices: Matrices) -> list[np.ndarray]:
        """Views of each layer's weight and bias, in the layers' order and shapes."""
        n = self.width
        parts = [matrices.first[:n], matrices.biases[0, :n]]
        for index in range(1, self.depth):
            parts += [matrices.hidden[index - 1, :n, :n], matrices.biases[index, :n]]
        return [*parts, matrices.head[None, :n], matrices.head[self.padded :]]


def make_loss(network: ScalarMLP, loss: Loss, precision: Precision) -> AutogradLoss | FusedLoss:
    """The compiled pass where it supports the network's activation and device, since it is the fastest there even in
    float32; autograd elsewhere, and where bfloat16 is asked for."""
    device = next(network.parameters()).device
    if device.type == "cpu" and precision != "bfloat16" and network.trunk.activation in SUPPORTED:
        return FusedLoss(network, loss)
    fast = multiplies_bfloat16(device.type) if precision == "auto" else precision == "bfloat16"
    return AutogradLoss(network, loss, device, fast)
