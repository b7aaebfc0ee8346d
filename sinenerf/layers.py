"""The equation. A linear layer whose weight is never stored, only two thin factors:

    y = W x + b,        W = sin(omega U V^T) / g,        U: (m, k),  V: (n, k),  W: (m, n)

k(m + n) + m parameters replace m n + m, or k^2 fewer if `anchored`. The sine acts on the weight, not on the activation:
for omega large enough, rank(sin(omega U V^T)) > rank(U V^T) (Ji, Saratchandran, Gordon, Zhang, Lucey, "Efficient
Learning with Sine-Activated Low-Rank Matrices", ICLR 2025). `LowRankLinear` (W = U V^T) and `nn.Linear` (W itself) are
its two baselines.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.common.checks import check_choice, check_positive
from sinenerf.common.settings import InitKind, LayerKind
from sinenerf.factored import FactoredLinear, precise
from sinenerf.theory import sine_variance, target_variance


class SineLowRankLinear(FactoredLinear):
    """W = sin(omega U V^T) / g.

    Args:
        rank: k, the width of the factors.
        omega: frequency; fixed as in the paper unless `learn_omega`.
        gain: g. By default `init` decides.
        activation: what follows the layer ("relu", "linear", "tanh", ...: the names of `torch.nn.init.calculate_gain`),
            or the factor a itself, for Var W = a^2 / in_features.
        init: "spread": the factors are normal, of the size that gives the phase omega U V^T the standard deviation
            `spread`, and g gives W the variance that `activation` needs. "paper": the factors are Kaiming-uniform and g
            is sqrt(in), so that omega alone decides how many periods of the sine the initial W covers.
        spread: initial standard deviation of the phase, in radians, with init "spread". It decides how many periods
            W covers, independently of omega and rank.
        learn_omega, learn_gain: make the scalar trainable.
        anchored: fix k rows of V (see `FactoredLinear`).

    Initialisation by spread. The factors are N(0, s^2), omega s^2 sqrt(k) = spread. Given V the phase z is normal; over
    both, E[cos 2z] = (1 + 4 omega^2 s^4)^(-k/2). So for any k and omega, exactly,

        Var W = E[sin^2 z] / g^2 = (1 - (1 + 4 spread^2 / k)^(-k/2)) / (2 g^2).

    Entries of a row share U but not V, and the sine is odd, so they are uncorrelated: the pre-activation's variance is
    that of a dense layer. g is solved from Var W = a^2 / in_features with a the activation's gain (He et al. 2015).
    In the k columns of W that belong to anchored rows of V, z has the same variance but is normal:
    E[sin^2 z] = (1 - exp(-2 spread^2)) / 2.

    Initialisation of the paper's figures. The factors are U(-1, 1) / sqrt(k): Kaiming-uniform with slope sqrt 5, which
    is torch's default for a matrix with k columns. The phase has the standard deviation omega / (3 sqrt(k)).

    Raises:
        ValueError: rank outside 1..min(in, out); omega, gain or spread not positive and finite; an unknown init.
    """

    omega: Tensor
    gain: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        omega: float = 100.0,
        gain: float | None = None,
        bias: bool = True,
        activation: str | float = "relu",
        spread: float = 0.3,
        learn_omega: bool = False,
        learn_gain: bool = False,
        anchored: bool = False,
        init: InitKind = "spread",
    ) -> None:
        super().__init__(in_features, out_features, rank, bias, anchored)
        check_choice("init", init, InitKind)
        for name, value in (("omega", omega), ("gain", gain), ("spread", spread)):
            if value is not None:
                check_positive(name, value)
        self.init = init
        self.spread = omega / (3 * math.sqrt(rank)) if init == "paper" else spread
        if gain is None and init == "paper":
            gain = math.sqrt(in_features)
        elif gain is None:
            gain = math.sqrt(sine_variance(spread, rank) / target_variance(in_features, activation))
        self.initial = {"omega": float(omega), "gain": float(gain)}
        self._scalar("omega", learn_omega)
        self._scalar("gain", learn_gain)
        self.reset_parameters()

    def _scalar(self, name: str, learned: bool) -> None:
        tensor = torch.tensor(self.initial[name])
        if learned:
            self.register_parameter(name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    def reset_parameters(self) -> None:
        """Draw new factors (see the class), zero the bias, and set omega and gain to what they were at first."""
        with torch.no_grad():
            self.omega.fill_(self.initial["omega"])
            self.gain.fill_(self.initial["gain"])
        if self.init == "paper":
            self._draw(1 / math.sqrt(3 * self.rank), uniform=True)
        else:
            self._draw(math.sqrt(self.spread / (self.initial["omega"] * math.sqrt(self.rank))))

    def build(self) -> Float[Tensor, "out in"]:
        return (torch.sin(self._phase()) / self.gain).to(self.U.dtype)

    def slope(self) -> Float[Tensor, "out in"]:
        return (self.omega / self.gain * torch.cos(self._phase())).to(self.U.dtype)

    def _phase(self) -> Float[Tensor, "out in"]:
        # omega amplifies rounding errors, so neither autocast nor a model in half precision must blur the phase
        U, V = (precise(factor) for factor in self.factors)
        with torch.autocast(U.device.type, enabled=False):
            return (self.omega * U) @ V.T

    def extra_repr(self) -> str:
        numbers = "" if self.omega.is_meta else f", omega={float(self.omega):g}, gain={float(self.gain):.4g}"
        return super().extra_repr() + numbers


class LowRankLinear(FactoredLinear):
    """W = U V^T, the plain baseline. The factors are N(0, s^2) with k s^4 the variance that `activation` needs."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rank: int,
        bias: bool = True,
        activation: str | float = "relu",
        anchored: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, rank, bias, anchored)
        self.variance = target_variance(in_features, activation)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new factors (see the class) and zero the bias."""
        self._draw((self.variance / self.rank) ** 0.25)

    def build(self) -> Float[Tensor, "out in"]:
        U, V = self.factors
        return U @ V.T

    def slope(self) -> Float[Tensor, "out in"]:
        return torch.ones(self.out_features, self.in_features, dtype=self.U.dtype, device=self.U.device)

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        if self._kept:
            return super().forward(x)
        # two thin products: k(m + n) multiplications per row, where W would cost m n
        U, V = self.factors
        return F.linear(x @ V, U, self.bias)


@dataclass(frozen=True)
class LayerSpec:
    """The kind of linear layer in a network, and its settings."""

    kind: LayerKind = "sine"
    """sine: sin(omega U V^T) / g; low-rank: U V^T; dense: nn.Linear."""
    rank: int = 5
    """Width k of the factors."""
    omega: float = 100.0
    """Frequency of the sine."""
    spread: float = 0.3
    """Initial standard deviation of the phase omega U V^T, in radians."""
    learn_omega: bool = False
    """Train omega too, one per layer."""
    learn_gain: bool = False
    """Train the gain too, one per layer."""
    anchored: bool = False
    """Fix k rows of each V: the same matrices from k^2 fewer parameters."""
    init: InitKind = "spread"
    """How a sine layer starts: spread, or paper (Kaiming-uniform factors, g = sqrt(in_features))."""

    @classmethod
    def of(cls, config: Any) -> "LayerSpec":
        """From the settings of a field, which have the same names, and `layer` for the kind."""
        names = [field.name for field in fields(cls) if field.name != "kind"]
        return cls(config.layer, **{name: getattr(config, name) for name in names})


def make_linear(
    spec: LayerSpec, in_features: int, out_features: int, activation: str | float = "relu"
) -> nn.Linear | FactoredLinear:
    """A new layer of the kind `spec.kind`, initialised for the activation that follows it.

    Raises:
        ValueError: the rank does not fit the layer, or omega is not positive.
    """
    if spec.kind == "sine":
        return SineLowRankLinear(
            in_features,
            out_features,
            spec.rank,
            spec.omega,
            activation=activation,
            spread=spec.spread,
            learn_omega=spec.learn_omega,
            learn_gain=spec.learn_gain,
            anchored=spec.anchored,
            init=spec.init,
        )
    if spec.kind == "low-rank":
        return LowRankLinear(in_features, out_features, spec.rank, activation=activation, anchored=spec.anchored)
    if spec.kind == "dense":
        layer = nn.Linear(in_features, out_features)
        nn.init.normal_(layer.weight, std=math.sqrt(target_variance(in_features, activation)))
        nn.init.zeros_(layer.bias)
        return layer
    raise ValueError(f"no layer is called {spec.kind!r}: choose sine, low-rank or dense")
