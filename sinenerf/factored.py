"""The base class of layers with a factored weight: how V is anchored, and when the weight is built.

U: (m, k)   V: (n, k)   W: (m, n), computed from U V^T by `FactoredLinear.build` (see `sinenerf.layers`)
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def anchored_rows(rank: int, in_features: int) -> int:
    """Number of rows of V that an anchored layer fixes: k, or none if that would be all rows."""
    return rank if rank < in_features else 0


class FactoredLinear(nn.Module):
    """A linear layer whose (out, in) weight is computed from factors U (out, rank) and V (in, rank).

    U V^T = (U A)(V A^-T)^T for any invertible A, so k^2 of the parameters are redundant. An `anchored` layer omits
    them: the first k rows of its V are c I with a constant c, and the parameter V holds the other in - k rows. Every
    U V^T has such factors if the first k rows of V are linearly independent.

    `weight` builds W each time it is read. `built_once` shares one W within a step; `keep_weight` keeps one for
    inference without dropping the factors; `sinenerf.bake` replaces the layer by an nn.Linear.
    """

    anchor: float
    """c, chosen so that the anchored rows of V are initially as long as the others. It follows from the layer's
    settings, and is not part of the state dict."""

    def __init__(
        self, in_features: int, out_features: int, rank: int, bias: bool = True, anchored: bool = False
    ) -> None:
        super().__init__()
        largest = min(in_features, out_features)
        if not 1 <= rank <= largest:
            raise ValueError(
                f"rank {rank} does not fit a layer of {in_features} inputs and {out_features} outputs: "
                f"choose a rank from 1 to {largest}"
            )
        self.in_features, self.out_features, self.rank = in_features, out_features, rank
        self.U = nn.Parameter(torch.empty(out_features, rank))
        self.anchored = anchored_rows(rank, in_features) if anchored else 0
        self.V = nn.Parameter(torch.empty(in_features - self.anchored, rank))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self._built: Tensor | None = None
        self._kept = self._sharing = False

    @property
    def factors(self) -> tuple[Float[Tensor, "out rank"], Float[Tensor, "in rank"]]:
        """U and the whole V."""
        U, V = self.U, self.V  # read once: in training with quantisation, each access rounds
        if not self.anchored:
            return U, V
        return U, torch.cat([self.anchor * torch.eye(self.rank, dtype=V.dtype, device=V.device), V])

    def build(self) -> Float[Tensor, "out in"]:
        """W from the factors."""
        raise NotImplementedError

    def slope(self) -> Float[Tensor, "out in"]:
        """dW / d(U V^T), entry by entry."""
        raise NotImplementedError

    @property
    def weight(self) -> Float[Tensor, "out in"]:
        """W: the kept one, the shared one, or a new one."""
        weight = self._built  # read once: another thread may leave `built_once` meanwhile
        if weight is None or (self._kept and self.training) or self._lacks_gradient(weight):
            weight = self.build()
            if self._sharing:
                self._built = weight
        return weight

    def _lacks_gradient(self, weight: Tensor) -> bool:
        """Whether a shared W, built where no gradients were recorded, would pass none to U and V in training."""
        recording = self._sharing and self.training and torch.is_grad_enabled()
        return recording and not weight.requires_grad and self.U.requires_grad

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        return F.linear(x, self.weight, self.bias)

    def _draw(self, std: float, uniform: bool = False) -> None:
        self.forget_weight()
        for factor in (self.U, self.V):
            if uniform:
                nn.init.uniform_(factor, -math.sqrt(3) * std, math.sqrt(3) * std)
            else:
                nn.init.normal_(factor, std=std)
        self.anchor = std * math.sqrt(self.rank)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def keep_weight(self) -> None:
        """Keep W for evaluation mode, so that the layer is as fast as a dense one. Call it in that mode: a change to or
        from training, new factors, a loaded state, and a move to another device or dtype discard it."""
        self._built, self._kept = self.build().detach(), True

    def forget_weight(self) -> None:
        """Discard the kept W; from now on it is built from the factors again."""
        self._built, self._kept = None, False

    def train(self, mode: bool = True) -> "FactoredLinear":
        if mode or self.training:  # an old W is of no use, whether kept or left behind by an interrupted rendering
            self.forget_weight()
        if mode:
            self._sharing = False
        return super().train(mode)

    def _apply(self, fn, recurse=True):
        self.forget_weight()  # the kept W is not a parameter, so nn.Module would not move it
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self.forget_weight()
        super()._load_from_state_dict(*args, **kwargs)

    def extra_repr(self) -> str:
        anchored = ", anchored" if self.anchored else ""
        return f"in_features={self.in_features}, out_features={self.out_features}, rank={self.rank}{anchored}"


def precise(factor: Tensor) -> Tensor:
    """A factor in float32 or float64, since omega amplifies rounding errors."""
    return factor.float() if factor.dtype in (torch.float16, torch.bfloat16) else factor


def factored_layers(module: nn.Module) -> Iterator[FactoredLinear]:
    """The factored layers of a module, including itself."""
    return (m for m in module.modules() if isinstance(m, FactoredLinear))


def linear_layers(module: nn.Module) -> dict[str, nn.Linear | FactoredLinear]:
    """Plain and factored linear layers of a module, by name, in the module's order."""
    return {name: m for name, m in module.named_modules() if isinstance(m, nn.Linear | FactoredLinear)}


@contextmanager
def built_once(module: nn.Module) -> Iterator[None]:
    """Within the block, each factored layer builds W at most once, gradients included, however often it runs. In
    training, a first pass that records no gradients costs one more."""
    layers = [layer for layer in factored_layers(module) if not (layer._kept or layer._sharing)]
    try:
        for layer in layers:
            layer._sharing = True
        yield
    finally:
        for layer in layers:
            layer._sharing, layer._built = False, None


def keep_weights(module: nn.Module) -> nn.Module:
    """Make every factored layer of a module keep its W, and return the module. Its parameters remain the factors."""
    for layer in factored_layers(module):
        layer.keep_weight()
    return module
