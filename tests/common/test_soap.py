"""SOAP against pytorch_optimizer's, and its state."""

import copy

import torch
from pytorch_optimizer import SOAP
from torch import nn

from sinenerf.common.soap import Soap

SHAPES = [(12, 3), (12,), (12, 5), (7, 5), (1, 12), (1,)]
SETTINGS = {"betas": (0.9, 0.99), "shampoo_beta": 0.95}


def parameters() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def descend(optimizer: torch.optim.Optimizer, ours: list[nn.Parameter], steps: int) -> None:
    for _ in range(steps):
        for parameter in ours:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()


def test_the_steps_are_those_of_the_library():
    ours, theirs = parameters(), parameters()
    mine = Soap(ours, 1e-2, frequency=100, **SETTINGS)
    library = SOAP(theirs, 1e-2, weight_decay=0.0, precondition_frequency=100, **SETTINGS)
    for optimizer, moved in ((mine, ours), (library, theirs)):
        torch.manual_seed(1)
        descend(optimizer, moved, 30)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_improved_bases_turn_towards_the_eigenvectors():
    ours = [nn.Parameter(torch.randn(6, 6))]
    optimizer = Soap(ours, 1e-3, frequency=1, **SETTINGS)
    scales = torch.diag(torch.tensor([8.0, 5, 3, 2, 1, 0.5]))
    mixing = torch.linalg.qr(torch.randn(6, 6))[0]
    for _ in range(400):
        ours[0].grad = mixing @ scales @ torch.randn(6, 6)
        optimizer.step()
    left = optimizer.state[ours[0]]["left"]
    torch.testing.assert_close(left.T @ left, torch.eye(6), atol=1e-5, rtol=0)
    alignment = (left.T @ mixing).abs().diagonal()
    assert alignment.min() > 0.9  # descending eigenvalues, up to sign


def test_a_loaded_state_continues():
    straight, resumed = parameters(), parameters()
    first, second = (Soap(values, 1e-2, frequency=10, **SETTINGS) for values in (straight, resumed))
    torch.manual_seed(1)
    descend(first, straight, 15)
    for a, b in zip(resumed, straight, strict=True):
        a.data.copy_(b)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer, moved in ((first, straight), (second, resumed)):
        torch.manual_seed(2)
        descend(optimizer, moved, 15)
    for a, b in zip(straight, resumed, strict=True):
        assert torch.equal(a, b)
