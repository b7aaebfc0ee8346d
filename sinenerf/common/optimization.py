"""Optimisers for training a field, and the schedule of their learning rate."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from sinenerf.common.checks import check_choice
from sinenerf.common.settings import OptimizerKind

BETAS = 0.9, 0.99
"""Betas of Adam and SOAP. The second is lower than the usual 0.999, which gains 0.001 to 0.003 of IoU."""
SHAMPOO_BETA = 0.95
"""SOAP's decay of the averages of G G^T and G^T G, whose eigenvectors are the basis for a matrix's gradient G."""

BASIS_STEPS = 10
"""Steps between two improvements of SOAP's bases."""


def make_optimizer(
    kind: OptimizerKind, parameters: Iterable[nn.Parameter], learning_rate: float, compiled: bool = False
) -> torch.optim.Optimizer:
    """adam: Kingma and Ba 2015. soap: Adam in the eigenbasis of each matrix's gradients, Vyas et al. 2024.

    `compiled`: SOAP as one kernel for each matrix, which is faster for the small float32 matrices of a shape on a CPU.
    On a Mac's GPU, which lacks the decompositions that SOAP needs, Adam is used instead.

    Raises:
        ValueError: unknown optimiser.
    """
    check_choice("optimizer", kind, OptimizerKind)
    parameters = list(parameters)
    on_mac = parameters[0].device.type == "mps"
    if kind == "adam" or on_mac:
        return torch.optim.Adam(parameters, learning_rate, BETAS, fused=not on_mac)
    if compiled:
        from sinenerf.common.soap import Soap

        return Soap(parameters, learning_rate, BETAS, SHAMPOO_BETA, BASIS_STEPS)
    from pytorch_optimizer import SOAP

    return SOAP(
        parameters,
        learning_rate,
        betas=BETAS,
        shampoo_beta=SHAMPOO_BETA,
        weight_decay=0.0,
        precondition_frequency=BASIS_STEPS,
    )


def warm_cosine(done: float) -> float:
    """Learning rate relative to its peak when a fraction `done` of the training is over.

    A warm-up over the first 2 %, then half a cosine to zero (Loshchilov and Hutter 2017).
    """
    return min(1.0, done / 0.02 + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
