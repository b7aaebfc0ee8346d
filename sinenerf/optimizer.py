"""What moves the numbers of a field in training."""

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import nn

OptimizerKind = Literal["adam", "soap"]

BETAS = 0.9, 0.99
"""A shorter memory of squares than the usual 0.999: 0.001 to 0.003 of IoU."""
SHAMPOO_BETA = 0.95
"""Memory of the second moments whose eigenvectors SOAP turns to; 0.99 as for the squares would be too long."""


def make_optimizer(
    kind: OptimizerKind, parameters: Iterable[nn.Parameter], learning_rate: float
) -> torch.optim.Optimizer:
    """adam: Kingma and Ba 2015. soap: Adam in the eigenbasis of each matrix's gradients, Vyas et al. 2024.

    Raises:
        ValueError: no optimiser has that name.
    """
    parameters = list(parameters)
    if kind == "adam":
        fused = parameters[0].device.type != "mps"
        return torch.optim.Adam(parameters, learning_rate, BETAS, fused=fused)
    if kind == "soap":
        from pytorch_optimizer import SOAP

        return SOAP(parameters, learning_rate, BETAS, SHAMPOO_BETA, weight_decay=0.0, precondition_frequency=10)
    raise ValueError(f"no optimiser is called {kind!r}: choose {' or '.join(get_args(OptimizerKind))}")
