"""Selecting the linear layers of a model to replace, and checking that they can be replaced."""

import re
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from sinenerf.factored import FactoredLinear

PLAIN_TYPES = (nn.Linear, NonDynamicallyQuantizableLinear)
"""Only these types multiply by their weight as stored; other subclasses quantise, parametrise or adapt it."""


def select_layers(model: nn.Module, include: str) -> Iterator[tuple[str, nn.Linear]]:
    """Yield (name, layer) of each linear layer whose name matches `include`, checked.

    Raises:
        ValueError: as `factorization.factorize`.
    """
    try:
        pattern = re.compile(include)
    except re.error as error:
        raise ValueError(f"include is not a regular expression: {include!r}: {error}") from None
    names_of = parameter_names_by_storage(model)
    matched = [(n, m) for n, m in model.named_modules() if pattern.fullmatch(n) and _is_linear(m)]
    if not matched:
        names = [name for name, m in model.named_modules() if type(m) in PLAIN_TYPES]
        listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise ValueError(
            f"no linear layer's name matches {include!r}. "
            + (f"The model has these: {listed}" if names else "The model has no nn.Linear at all")
        )
    for name, module in matched:
        _check(name, module, names_of)
        yield name, module  # type: ignore[misc]


def _is_linear(module: nn.Module) -> bool:
    """Whether a module is a linear layer of any kind: quantised ones need not derive from nn.Linear."""
    return isinstance(module, nn.Linear) or (hasattr(module, "in_features") and hasattr(module, "out_features"))


def _check(path: str, module: nn.Module, names_of: dict[int, list[str]]) -> None:
    """Raise ValueError unless a layer can be replaced."""
    kind, name = type(module), path or "the model"
    if isinstance(module, FactoredLinear):
        raise ValueError(f"{name}: is already factored. Leave it out of include, or bake it first")
    if kind not in PLAIN_TYPES:
        raise ValueError(
            f"{name}: is a {kind.__module__}.{kind.__qualname__}, quantised or otherwise not a plain nn.Linear. "
            "Leave it out of include, or factorize the model before that change"
        )
    if "weight" not in module._parameters:
        raise ValueError(
            f"{name}: its weight is computed by a hook, such as weight_norm's or pruning's. Leave it out of include, "
            "or remove the hook first"
        )
    for leaf, parameter in module.named_parameters():
        if parameter.is_meta:
            raise ValueError(f"{name}: its {leaf} is on the meta device and has no values. Load the model first")
        if not parameter.is_floating_point():
            raise ValueError(f"{name}: its {leaf} is of type {parameter.dtype}; only floating point can be factored")
        if not parameter.isfinite().all():
            raise ValueError(f"{name}: its {leaf} holds values that are not finite. Leave it out of include")
        own = f"{path}.{leaf}" if path else leaf
        shared = [other for other in names_of[storage_of(parameter)] if other != own]
        if shared:
            raise ValueError(
                f"{name}: its {leaf} is tied to {' and '.join(shared)}. Factoring one would untie them: leave it out "
                "of include, or give the layer a weight of its own first"
            )


def parameter_names_by_storage(model: nn.Module) -> dict[int, list[str]]:
    """All names of the parameters that share each storage, including those of a module used in two places."""
    names_of: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names_of.setdefault(storage_of(parameter), []).append(name)
    return names_of


def storage_of(parameter: Tensor) -> int:
    """Identifies the storage of a tensor, which views share; meta tensors have none."""
    return id(parameter) if parameter.is_meta else parameter.untyped_storage().data_ptr()
