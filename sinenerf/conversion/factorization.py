"""Factorising any torch model: its nn.Linear modules become factored layers, and nn.Linear again for deployment.

    factorize(model, rank=16, include=r"blocks.*mlp.*")      # trains k(m + n) parameters per layer from now on
    bake(model)                                              # nn.Linear modules again: export, quantise, serve
    unbake(model)                                            # factored layers again

`bake` is for a model whose training is finished: the result is an ordinary network, independent of this package. Within
a running program, `sinenerf.factored.keep_weights` makes the factored layers build their W only once.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
from torch import nn

from sinenerf.common.settings import InitKind
from sinenerf.conversion.layer_selection import select_layers
from sinenerf.conversion.weight_fitting import fit_weight
from sinenerf.factored import FactoredLinear
from sinenerf.layers import LowRankLinear, SineLowRankLinear

Model = TypeVar("Model", bound=nn.Module)
_ORIGIN = "_sinenerf_baked_from"


@dataclass(frozen=True)
class LayerReport:
    """How one layer was replaced."""

    name: str
    shape: tuple[int, int]
    """(out, in)"""
    before: int
    """Parameters of the nn.Linear, bias included."""
    after: int
    """Parameters of the factored layer, bias included."""
    residual: float | None
    """||W_layer - W|| / ||W|| after a fit; None for fresh factors."""


@dataclass(frozen=True)
class FactorizationReport:
    """What `factorize` did; `str` gives a table."""

    rows: list[LayerReport]
    before: int
    """Parameters of the whole model, before the replacement."""
    after: int
    """The same, after the replacement."""

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{'layer':{width}}  {'out x in':>13}  {'before':>12}  {'after':>12}  residual"]
        for row in self.rows:
            residual = "fresh" if row.residual is None else f"{row.residual:.4f}"
            shape = f"{row.shape[0]} x {row.shape[1]}"
            lines.append(f"{row.name:{width}}  {shape:>13}  {row.before:12,}  {row.after:12,}  {residual:>8}")
        share = 100 * self.after / self.before
        lines.append(
            f"{len(self.rows)} layers; the whole model has {self.after:,} of {self.before:,} parameters, {share:.1f} %"
        )
        return "\n".join(lines)


def factorize(
    model: Model,
    rank: int,
    layer: Literal["sine", "low-rank"] = "sine",
    include: str = ".*",
    omega: float = 100.0,
    spread: float = 0.3,
    start: Literal["fresh", "fit"] = "fresh",
    inplace: bool = True,
    init: InitKind = "spread",
    report: Callable[[FactorizationReport], object] | None = print,
) -> Model:
    """Replace nn.Linear modules of a model by factored layers.

    Each new layer keeps the bias, the device, the type, and whether the layer is frozen and in training mode.

    Args:
        rank: k, the width of the factors.
        layer: "sine": sin(omega U V^T) / g; "low-rank": U V^T.
        include: regular expression that a module's whole dotted name must match, as in PEFT's target_modules.
        omega, spread, init: as in `SineLowRankLinear`; "paper" is a fresh start with that W's own size.
        start: "fresh": new random factors whose W has the mean square of the weight it replaces; "fit": the factors
            nearest to that weight (`weight_fitting`).
        inplace: change the model itself, not a deep copy.
        report: is called with the table of layers; None for no report.

    Returns:
        The changed model. If the model itself is an nn.Linear, the new layer, whether in place or not.

    Raises:
        ValueError: no layer matches; rank outside 1..min(out, in); omega or spread not positive; a fit from the paper's
            init; a matching layer is already factored, quantised, not a plain nn.Linear, on the meta device, not
            floating point, not finite, or tied (shared with another part of the model). The message names the module,
            and the model is unchanged.
    """
    if layer not in ("sine", "low-rank"):
        raise ValueError(f"no factored layer is called {layer!r}: choose sine or low-rank")
    if start not in ("fresh", "fit"):
        raise ValueError(f"no start is called {start!r}: choose fresh or fit")
    if init == "paper" and start == "fit":
        raise ValueError("init 'paper' draws fresh factors, and a fit replaces them: give one of them")
    model = model if inplace else deepcopy(model)
    layers, rows = {}, []
    before = _count_parameters(model)
    for name, linear in list(select_layers(model, include)):
        try:
            new = _factored_layer(linear, rank, layer, omega=omega, spread=spread, init=init)
        except ValueError as error:
            raise ValueError(f"{name or 'the model'}: {error}") from None
        residual = fit_weight(new, linear.weight) if start == "fit" else None
        layers[name] = new
        shape = (linear.out_features, linear.in_features)
        rows.append(LayerReport(name, shape, _count_parameters(linear), _count_parameters(new), residual))
    for name, new in layers.items():
        model = _replace_module(model, name, new)
    if report is not None:
        report(FactorizationReport(rows, before, _count_parameters(model)))
    return model


def bake(model: Model) -> Model:
    """Replace every factored layer of a model by the equivalent nn.Linear, in place, and return the model.

    The state dict then has `weight` and `bias`, as before `factorize`. Each nn.Linear keeps its factors outside its
    state for `unbake`, so a copy made through `state_dict` loses them. If the model itself is a factored layer, the
    nn.Linear is returned.
    """
    layers: dict[FactoredLinear, nn.Linear] = {}
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if isinstance(layer, FactoredLinear):
            if layer not in layers:
                layers[layer] = _dense_layer(layer)
            model = _replace_module(model, name, layers[layer])
    return model


def unbake(model: Model) -> Model:
    """Undo `bake` in place and return the model, even if it has been moved since. The current bias is kept.

    Raises:
        ValueError: a weight was changed after `bake`, so the factors no longer match. The message names the layer.
    """
    modules = model.named_modules(remove_duplicate=False)
    found = [(name, m, m.__dict__[_ORIGIN]) for name, m in modules if _ORIGIN in m.__dict__]
    for name, linear, layer in found:
        built = layer.build().detach().to(linear.weight)
        tolerance = 1e-2 if linear.weight.dtype in (torch.float16, torch.bfloat16) else 1e-5
        if not torch.allclose(linear.weight, built, rtol=tolerance, atol=tolerance * float(built.abs().max())):
            raise ValueError(
                f"{name or 'the model'}: its weight was changed after bake, so its factors no longer match it. "
                'To factor the new weight: factorize(..., start="fit")'
            )
    for name, linear, layer in found:
        layer.to(device=linear.weight.device, dtype=linear.weight.dtype).train(linear.training)
        layer.bias = linear.bias
        model = _replace_module(model, name, layer)
    return model


def _dense_layer(layer: FactoredLinear) -> nn.Linear:
    linear = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
    linear.weight = nn.Parameter(layer.build().detach(), requires_grad=layer.U.requires_grad)
    linear.bias = layer.bias  # type: ignore[assignment]
    linear.__dict__[_ORIGIN] = layer  # not through nn.Module, which would add it to the state
    return linear.train(layer.training)


def _factored_layer(linear: nn.Linear, rank: int, kind: str, **of_sine: Any) -> FactoredLinear:
    """A factored layer to replace a linear layer. Unless a sine starts as in the paper, W has the same mean square."""
    fan_out, fan_in = linear.weight.shape
    size = float(linear.weight.detach().float().square().mean().sqrt())
    # Var W = a^2 / in; a factored layer cannot start from zeros, so a weight of zeros gets the default a = 1
    activation = size * math.sqrt(fan_in) if size > 0 else 1.0
    new: FactoredLinear
    if kind == "sine":
        new = SineLowRankLinear(fan_in, fan_out, rank, bias=False, activation=activation, **of_sine)
    else:
        new = LowRankLinear(fan_in, fan_out, rank, bias=False, activation=activation)
    new.to(device=linear.weight.device, dtype=linear.weight.dtype)
    for factor in (new.U, new.V):
        factor.requires_grad_(linear.weight.requires_grad)
    new.bias = linear.bias
    return new.train(linear.training)


def _count_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _replace_module(model: Model, name: str, module: nn.Module) -> Model:
    if not name:
        return module  # type: ignore[return-value]
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)
    return model
