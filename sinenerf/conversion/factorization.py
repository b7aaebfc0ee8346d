"""Any torch model, compressed: nn.Linear modules become factored layers, and plain nn.Linear again for deployment.

    factorize(model, rank=16, include=r"blocks.*mlp.*")      # trains from now on with k(m + n) numbers a layer
    bake(model)                                              # nn.Linear modules again: export, quantise, serve
    unbake(model)                                            # the factors are back

`bake` is for a whole model that leaves training: what remains is an ordinary network that knows nothing of this
package. Within a running program `keep_weights` of `sinenerf.factored` has the factored layers build their W only once.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import nn

from sinenerf.conversion.layer_selection import matching
from sinenerf.conversion.weight_fitting import fit_weight
from sinenerf.factored import FactoredLinear
from sinenerf.layers import LowRankLinear, SineLowRankLinear

Model = TypeVar("Model", bound=nn.Module)
_ORIGIN = "_sinenerf_baked_from"


@dataclass(frozen=True)
class Row:
    """What became of one layer."""

    name: str
    shape: tuple[int, int]
    """(out, in)"""
    before: int
    """Parameters, bias included."""
    after: int
    residual: float | None
    """||W_layer - W|| / ||W|| after a fit."""


@dataclass(frozen=True)
class Report:
    """What `factorize` did. Its string is a table."""

    rows: list[Row]
    before: int
    """Parameters of the whole model."""
    after: int

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
    report: Callable[[Report], object] | None = print,
) -> Model:
    """Put factored layers in the place of a model's nn.Linear modules.

    Each new layer keeps its bias, its device, its type, and whether it is frozen and in training.

    Args:
        rank: k, the width of the factors.
        layer: "sine": sin(omega U V^T) / g; "low-rank": U V^T.
        include: regular expression that a module's whole dotted name must match, as in PEFT's target_modules.
        omega, spread: as in `SineLowRankLinear`.
        start: "fresh": new random factors, W as large as the weight that was there, whatever rule the model's author
            initialised it by; "fit": the factors nearest to the weight that is there (`weight_fitting`).
        inplace: change the model itself; else a deep copy.
        report: what to do with the table of layers; None for nothing.

    Returns:
        The changed model. If the model itself is a nn.Linear, the new layer, whether in place or not.

    Raises:
        ValueError: nothing matches; rank outside 1..min(out, in); omega or spread not positive; a matching layer is
            factored already, quantised, no plain nn.Linear, on the meta device, not of floating point, or tied: shared
            with another part of the model. The message names the module, and nothing has been changed.
    """
    if layer not in ("sine", "low-rank"):
        raise ValueError(f"no factored layer is called {layer!r}: choose sine or low-rank")
    if start not in ("fresh", "fit"):
        raise ValueError(f"no start is called {start!r}: choose fresh or fit")
    model = model if inplace else deepcopy(model)
    made, rows = {}, []
    before = _count(model)
    for name, linear in list(matching(model, include)):
        try:
            new = _like(linear, rank, layer, omega, spread)
        except ValueError as error:
            raise ValueError(f"{name or 'the model'}: {error}") from None
        residual = fit_weight(new, linear.weight) if start == "fit" else None
        made[name] = new
        shape = (linear.out_features, linear.in_features)
        rows.append(Row(name, shape, _count(linear), _count(new), residual))
    for name, new in made.items():
        model = _put(model, name, new)
    if report is not None:
        report(Report(rows, before, _count(model)))
    return model


def bake(model: Model) -> Model:
    """Turn every factored layer of a model into the plain nn.Linear that it stands for, in place, and return the model.

    The state dict has `weight` and `bias` from now on, as before `factorize`. Each nn.Linear remembers its factors, no
    part of its state, so that `unbake` can return to them; a copy that went through `state_dict` has forgotten them.
    If the model itself is a factored layer, the nn.Linear is returned.
    """
    made: dict[FactoredLinear, nn.Linear] = {}
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if isinstance(layer, FactoredLinear):
            if layer not in made:
                made[layer] = _baked(layer)
            model = _put(model, name, made[layer])
    return model


def unbake(model: Model) -> Model:
    """Undo `bake`, in place, wherever the model was moved since; and return it. The bias stays as it is now.

    Raises:
        ValueError: a weight was changed after `bake`: the factors no longer stand for it. Its layer is named.
    """
    modules = model.named_modules(remove_duplicate=False)
    found = [(name, m, m.__dict__[_ORIGIN]) for name, m in modules if _ORIGIN in m.__dict__]
    for name, linear, layer in found:
        built = layer.build().detach().to(linear.weight)
        tolerance = 1e-2 if linear.weight.dtype in (torch.float16, torch.bfloat16) else 1e-5
        if not torch.allclose(linear.weight, built, rtol=tolerance, atol=tolerance * float(built.abs().max())):
            raise ValueError(
                f"{name or 'the model'}: its weight was changed after bake, so its factors no longer stand for it. "
                'To factor the new weight: factorize(..., start="fit")'
            )
    for name, linear, layer in found:
        layer.to(device=linear.weight.device, dtype=linear.weight.dtype).train(linear.training)
        layer.bias = linear.bias
        model = _put(model, name, layer)
    return model


def _baked(layer: FactoredLinear) -> nn.Linear:
    linear = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
    linear.weight = nn.Parameter(layer.build().detach(), requires_grad=layer.U.requires_grad)
    linear.bias = layer.bias  # type: ignore[assignment]
    linear.__dict__[_ORIGIN] = layer  # not through nn.Module, which would make it a part of the state
    return linear.train(layer.training)


def _like(linear: nn.Linear, rank: int, kind: str, omega: float, spread: float) -> FactoredLinear:
    """A factored layer in a linear layer's place: its W has the same mean square, its bias is the same parameter."""
    fan_out, fan_in = linear.weight.shape
    size = float(linear.weight.detach().float().square().mean().sqrt())
    # Var W = a^2 / in; a weight of zeros, which a factored layer cannot start from, gives way to the default a = 1
    activation = size * math.sqrt(fan_in) if size > 0 else 1.0
    new: FactoredLinear
    if kind == "sine":
        new = SineLowRankLinear(fan_in, fan_out, rank, omega, bias=False, activation=activation, spread=spread)
    else:
        new = LowRankLinear(fan_in, fan_out, rank, bias=False, activation=activation)
    new.to(device=linear.weight.device, dtype=linear.weight.dtype)
    for factor in (new.U, new.V):
        factor.requires_grad_(linear.weight.requires_grad)
    new.bias = linear.bias
    return new.train(linear.training)


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _put(model: Model, name: str, module: nn.Module) -> Model:
    if not name:
        return module  # type: ignore[return-value]
    parent, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(parent), leaf, module)
    return model
