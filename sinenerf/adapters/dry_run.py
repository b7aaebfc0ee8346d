"""Trying things on a model: PEFT makes its layers in the caller's own model, and before anyone can compare shapes."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CONTAINERS = (dict, OrderedDict, list, set)
"""In which modules keep their layers, hooks and adapters. PEFT and torch change them in place."""


def snapshot(model: nn.Module) -> Callable[[], None]:
    """What puts a model's modules back as they are now: layers, hooks, adapters, and which numbers are trained.

    It may be called more than once. The numbers themselves are neither copied nor put back.
    """
    modules = [(module, dict(vars(module))) for module in model.modules()]
    found = [value for _, own in modules for value in own.values() if type(value) in CONTAINERS]
    contents = [(container, copy(container)) for container in found]
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]

    def restore() -> None:
        for module, own in modules:
            vars(module).clear()
            vars(module).update(own)
        for container, content in contents:  # in place: PEFT has one of them at several modules
            _refill(container, content)
        for parameter, flag in trained:
            parameter.requires_grad_(flag)

    return restore


@contextmanager
def weightless() -> Iterator[None]:
    """Within it new tensors, and copies of those that are there, have shapes but no numbers: they take no memory."""
    with torch.device("meta"), _MetaCopies():
        yield


class _MetaCopies(TorchFunctionMode):
    """PEFT copies the `modules_to_save`: torch.device says nothing of copies."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.clone, Tensor.__deepcopy__):
            return torch.empty_like(args[0], device="meta")
        return func(*args, **(kwargs or {}))


def _refill(container: Any, content: Any) -> None:
    container.clear()
    if isinstance(container, list):
        container.extend(content)
    else:
        container.update(content)
