"""Optimisers and their learning-rate schedule."""

import numpy as np
import pytest
import torch
from torch import nn

from sinenerf.common.optimization import make_optimizer
from sinenerf.common.settings import OptimizerKind


def loss_after(kind: OptimizerKind, steps: int) -> float:
    """Of a linear layer whose inputs hang together: no axis of its matrix is one of the loss's."""
    torch.manual_seed(0)
    layer, truth = nn.Linear(16, 8), torch.randn(8, 16)
    mixing = torch.diag(torch.logspace(-2, 0, 16)) @ torch.linalg.qr(torch.randn(16, 16))[0]
    optimizer = make_optimizer(kind, layer.parameters(), 3e-2)
    losses = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-2 * (1 - step / steps)
        inputs = torch.randn(64, 16) @ mixing
        loss = (layer(inputs) - inputs @ truth.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses[-20:]))


@pytest.mark.parametrize("kind", ["adam", "soap"])
def test_both_descend(kind):
    assert loss_after(kind, 600) < 1e-3 * loss_after(kind, 1)


def test_an_unknown_optimiser():
    with pytest.raises(ValueError, match="no optimizer is called 'sgd': choose adam or soap"):
        make_optimizer("sgd", nn.Linear(2, 2).parameters(), 1e-2)  # type: ignore[arg-type]
