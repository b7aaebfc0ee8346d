"""Between a module's parameters and the tensors of a file."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import nn

from sinenerf.codec.tensor_table import Coded, Stored, values_of


def stored_of(module: nn.Module, names: Iterable[str], coded: Mapping[str, Coded]) -> list[Stored]:
    """The parameters of these names: integers where they still have those values, else float32."""
    parameters, stored = dict(module.named_parameters()), []
    for name in names:
        exact, integers = parameters[name].detach().cpu().float().numpy(), coded.get(name)
        # numbers that were changed since are kept as they are
        stored.append(integers if integers is not None and np.array_equal(integers.values(), exact) else exact)
    return stored


@torch.no_grad()
def load_tensors(module: nn.Module, tensors: Mapping[str, Stored]) -> dict[str, Coded]:
    """Give every parameter the values of its tensor. Returns the integers behind them, where there are any."""
    for name, parameter in module.named_parameters():
        parameter.copy_(torch.from_numpy(values_of(tensors[name])))
    return {name: tensor for name, tensor in tensors.items() if isinstance(tensor, Coded)}
