"""Layers of a field: the shapes of their tensors, and W = sin(omega U V^T) / g, U V^T, or W itself from these."""

from dataclasses import dataclass
from math import expm1, log1p, sqrt

import numpy as np

from sine_reader.container import Tensors, check

SINE, LOW_RANK, DENSE = range(3)


@dataclass(frozen=True)
class LayerKind:
    """What the factored layers of a field have in common."""

    number: int
    """SINE, LOW_RANK or DENSE."""
    omega: float
    """Frequency of the sine, where a layer does not learn its own."""
    spread: float
    """Standard deviation of the phase at the start, in radians."""
    learns_omega: bool
    learns_gain: bool
    anchored: bool
    """Whether the first k rows of V are fixed, and not stored."""
    paper: bool
    """Whether the gain, and the fixed rows, are those of the paper's initialisation."""

    def __post_init__(self) -> None:
        check(self.number <= DENSE, "it has a layer that the format does not define")
        for name in ("omega", "spread"):
            check(1e-3 <= getattr(self, name) <= 1e6, f"{name} is {getattr(self, name)}, beyond the format's bounds")


@dataclass(frozen=True)
class Layer:
    """One layer, x -> W x + bias.

    Args:
        rank: width k of its factors, or 0 for a dense layer.
        a: of the activation that follows it: Var W = a^2 / inputs at the start.
    """

    name: str
    outputs: int
    inputs: int
    rank: int
    a: float
    kind: LayerKind

    @property
    def _fixed(self) -> int:
        """Rows of V that are not stored."""
        return self.rank if self.kind.anchored and self.rank < self.inputs else 0

    def shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """Names and shapes of the tensors, in the file's order."""
        if not self.rank:
            return [(f"{self.name}.weight", (self.outputs, self.inputs)), (f"{self.name}.bias", (self.outputs,))]
        check(self.rank <= min(self.outputs, self.inputs), f"rank {self.rank} does not fit the layer {self.name}")
        stored: list[tuple[str, tuple[int, ...]]] = [
            (f"{self.name}.U", (self.outputs, self.rank)),
            (f"{self.name}.V", (self.inputs - self._fixed, self.rank)),
            (f"{self.name}.bias", (self.outputs,)),
        ]
        sine = self.kind.number == SINE
        learned = {"omega": sine and self.kind.learns_omega, "gain": sine and self.kind.learns_gain}
        return stored + [(f"{self.name}.{name}", ()) for name, is_learned in learned.items() if is_learned]

    def weights(self, tensors: Tensors) -> tuple[np.ndarray, np.ndarray]:
        """(W^T (inputs, outputs), bias (outputs)), both float32."""
        bias = tensors[f"{self.name}.bias"]
        if not self.rank:
            return tensors[f"{self.name}.weight"].T, bias
        U, V = (tensors[f"{self.name}.{factor}"].astype(np.float64) for factor in "UV")
        if self._fixed:
            V = np.concatenate([self._anchor() * np.eye(self.rank), V])
        W = U @ V.T
        if self.kind.number == SINE:
            omega = float(tensors.get(f"{self.name}.omega", self.kind.omega))
            with np.errstate(divide="ignore", invalid="ignore"):  # a learned gain may be 0
                W = np.sin(omega * W) / float(tensors.get(f"{self.name}.gain", self._gain()))
        return W.T.astype(np.float32), bias

    def _anchor(self) -> float:
        """c of the fixed rows, which are c times the identity."""
        if self.kind.number == LOW_RANK:
            return float(self.a**2 * self.rank / self.inputs) ** 0.25
        return sqrt(1 / 3) if self.kind.paper else sqrt(self.kind.spread * sqrt(self.rank) / self.kind.omega)

    def _gain(self) -> float:
        """g where it is not learned."""
        if self.kind.paper:
            return sqrt(self.inputs)
        variance = -0.5 * expm1(-0.5 * self.rank * log1p(4 * self.kind.spread**2 / self.rank))
        return sqrt(variance * self.inputs) / self.a
