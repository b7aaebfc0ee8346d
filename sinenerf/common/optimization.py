"""The optimisers of fields, and their learning rate over a training."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from sinenerf.common.checks import check_choice
from sinenerf.common.settings import OptimizerKind

BETAS = 0.9, 0.99
"""A shorter memory of squares than the usual 0.999: 0.001 to 0.003 of IoU."""
SHAMPOO_BETA = 0.95
"""Of SOAP: how long the averages of G G^T and G^T G remember, to whose eigenvectors it turns a matrix's gradient G."""


def make_optimizer(
    kind: OptimizerKind, parameters: Iterable[nn.Parameter], learning_rate: float
) -> torch.optim.Optimizer:
    """adam: Kingma and Ba 2015. soap: Adam in the eigenbasis of each matrix's gradients, Vyas et al. 2024.

    A Mac's GPU lacks the decompositions that SOAP needs, and gets Adam.

    Raises:
        ValueError: no optimiser has that name.
    """
    check_choice("optimizer", kind, OptimizerKind)
    parameters = list(parameters)
    on_mac = parameters[0].device.type == "mps"
    if kind == "adam" or on_mac:
        return torch.optim.Adam(parameters, learning_rate, BETAS, fused=not on_mac)
    from pytorch_optimizer import SOAP

    return SOAP(
        parameters,
        learning_rate,
        betas=BETAS,
        shampoo_beta=SHAMPOO_BETA,
        weight_decay=0.0,
        precondition_frequency=10,
    )


def warm_cosine(done: float) -> float:
    """Factor of the peak rate at a share of a training: a warm-up over 2 %, half a cosine to zero (Loshchilov 2017)."""
    return min(1.0, done / 0.02 + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
