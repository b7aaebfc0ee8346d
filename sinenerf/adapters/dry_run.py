"""Trying an adapter on a model: PEFT replaces layers in the caller's own model before any shape can be compared."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

CONTAINERS = (dict, OrderedDict, list, set)
"""Types in which modules keep their layers, hooks and adapters. PEFT and torch change them in place."""


def snapshot(model: nn.Module) -> Callable[[], None]:
    """A function that restores the structure of a model: layers, hooks, adapters, and which parameters are trainable.

    It may be called more than once. The values of the parameters are neither copied nor restored.
    """
    modules = [(module, dict(vars(module))) for module in model.modules()]
    found = [value for _, attributes in modules for value in attributes.values() if type(value) in CONTAINERS]
    contents = [(container, copy(container)) for container in found]
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]

    def restore() -> None:
        for module, attributes in modules:
            vars(module).clear()
            vars(module).update(attributes)
        for container, content in contents:  # in place: PEFT shares some between modules
            _refill(container, content)
        for parameter, flag in trained:
            parameter.requires_grad_(flag)

    return restore


@contextmanager
def weightless() -> Iterator[None]:
    """Inside this context new tensors, and copies of existing ones, have shapes but no values, so use no memory."""
    with torch.device("meta"), _MetaCopies():
        yield


class _MetaCopies(TorchFunctionMode):
    """PEFT copies the `modules_to_save`, and `torch.device` does not affect copies."""

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
