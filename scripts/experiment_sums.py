"""Is there a hidden matrix from a sine of factors that is ahead of the plain kinds at equal numbers of parameters?

    python scripts/experiment_sums.py dragon.ply --bytes 3000 --steps 6000 --seeds 0 1 2

Every variant replaces the two hidden matrices of a shape's network, has about as many parameters (the largest rank that
fits), the same number of SOAP steps, and is not rounded unless `--rounded`.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor, nn

from sinenerf.activations import hidden_gain
from sinenerf.common.console import Stop
from sinenerf.common.progress import TaskProgress
from sinenerf.factored import FactoredLinear, factored_layers
from sinenerf.layers import LayerSpec, LowRankLinear, SineLowRankLinear, make_linear
from sinenerf.networks import count_parameters
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.evaluate import Truth
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sizing import BITS_PER_PARAMETER, split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training
from sinenerf.rounding.by_curvature import CurvatureRounding

GAUSSIAN = hidden_gain("gaussian", 10.0)
"""What a field's activation needs from the layer before it."""


class Sum(FactoredLinear):
    """W = (A B^T + sin(omega U V^T) / g) / sqrt 2, from factors of their own; both V and B are anchored."""

    def __init__(self, width: int, rank: int, low: int, spread: float) -> None:
        super().__init__(width, width, rank)
        sine = SineLowRankLinear(width, width, rank, 3.0, activation=GAUSSIAN, spread=spread, anchored=True)
        plain = LowRankLinear(width, width, low, activation=GAUSSIAN, anchored=True)
        self.U, self.V, self.A, self.B = sine.U, sine.V, plain.U, plain.V
        self.parts = [sine, plain]  # a list, so that they are not submodules

    def build(self) -> Tensor:
        return torch.stack([part.build() for part in self.parts]).sum(0) / math.sqrt(2)


class OfOneProduct(SineLowRankLinear):
    """W is a function of Z = U V^T entry by entry: a mean of sines of several frequencies, and perhaps of Z itself."""

    def __init__(self, width: int, rank: int, spread: float, frequencies: tuple[float, ...], linear: bool) -> None:
        super().__init__(width, width, rank, 3.0, activation=GAUSSIAN, spread=spread, anchored=True)
        self.frequencies, self.linear = frequencies, linear

    def build(self) -> Tensor:
        U, V = self.factors
        phase = self.omega * (U @ V.T)
        parts = [torch.sin(f * phase) / self.gain for f in self.frequencies]
        if self.linear:
            parts.append(phase / (self.spread * math.sqrt(2) * self.gain))  # of the variance of a wide sine
        return torch.stack(parts).sum(0) / math.sqrt(len(parts))


def fix_v(layer: FactoredLinear, largest: int) -> FactoredLinear:
    """Replace V by fixed random integers from -`largest` to `largest`, scaled to its size, which cost no bytes.

    A row of W = sin(omega U V^T) is then a function on a torus at a point U: phases modulo one period suffice.
    """
    size = float(layer.V.detach().square().mean().sqrt())
    fixed = torch.randint(-largest, largest + 1, layer.V.shape).float()
    del layer.V
    layer.register_buffer("V", fixed * size / fixed.square().mean().sqrt())
    return layer


Pair = Callable[[int, int], list[Any]]
"""The two hidden layers for a width and a rank."""


def sine(spread: float) -> Pair:
    return lambda n, k: [
        SineLowRankLinear(n, n, k, 3.0, activation=GAUSSIAN, spread=spread, anchored=True) for _ in range(2)
    ]


def low_rank(n: int, k: int) -> list[Any]:
    return [LowRankLinear(n, n, k, activation=GAUSSIAN, anchored=True) for _ in range(2)]


def dense(n: int, k: int) -> list[Any]:
    return [make_linear(LayerSpec("dense"), n, n, GAUSSIAN) for _ in range(2)]


def sharing_v(pair: Pair) -> Pair:
    def make(n: int, k: int) -> list[Any]:
        first, second = pair(n, k)
        second.V, second.anchor = first.V, first.anchor
        return [first, second]

    return make


def summed(share: float, spread: float) -> Pair:
    """A share of the rank for the sine."""
    return lambda n, k: [Sum(n, max(1, round(share * k)), max(1, k - round(share * k)), spread) for _ in range(2)]


def of_product(spread: float, frequencies: tuple[float, ...], linear: bool = False) -> Pair:
    return lambda n, k: [OfOneProduct(n, k, spread, frequencies, linear) for _ in range(2)]


def fixed_v(spread: float, largest: int) -> Pair:
    """A sine of this spread, or low-rank for a spread of 0."""

    def layer(n: int, k: int) -> FactoredLinear:
        if spread:
            return SineLowRankLinear(n, n, k, 3.0, activation=GAUSSIAN, spread=spread)
        return LowRankLinear(n, n, k, activation=GAUSSIAN)

    return lambda n, k: [fix_v(layer(n, k), largest) for _ in range(2)]


VARIANTS: dict[str, tuple[Pair, float]] = {
    "dense": (dense, 0.0),
    "low-rank": (low_rank, 1.0),
    "low-rank, 1.25 times as wide": (low_rank, 1.25),
    "sine, spread 0.5": (sine(0.5), 1.0),
    "sine, spread 0.5, 1.25 times as wide": (sine(0.5), 1.25),
    "sine, spread 3, 1.5 times as wide": (sine(3.0), 1.5),
    "low-rank and sine, half each, spread 0.5": (summed(0.5, 0.5), 1.0),
    "low-rank and sine, half each, spread 3": (summed(0.5, 3.0), 1.0),
    "low-rank and a sine of a fifth, spread 3": (summed(0.2, 3.0), 1.0),
    "low-rank and a sine of a fifth, spread 3, 1.25 times as wide": (summed(0.2, 3.0), 1.25),
    "Z and sin Z of one product, spread 3": (of_product(3.0, (1.0,), True), 1.0),
    "sin Z and sin 3 Z of one product, spread 0.5": (of_product(0.5, (1.0, 3.0)), 1.0),
    "sin Z and sin 3 Z of one product, spread 1.5, 1.25 times as wide": (of_product(1.5, (1.0, 3.0)), 1.25),
    "sine, V shared by both layers, spread 0.5": (sharing_v(sine(0.5)), 1.0),
    "low-rank, V shared by both layers": (sharing_v(low_rank), 1.0),
    "V of -1, 0, 1, spread 0.5": (fixed_v(0.5, 1), 1.0),
    "V of -1, 0, 1, spread 0.5, 1.25 times as wide": (fixed_v(0.5, 1), 1.25),
    "V of -1, 0, 1, spread 1, 1.25 times as wide": (fixed_v(1.0, 1), 1.25),
    "V of -1, 0, 1, spread 3, 1.5 times as wide": (fixed_v(3.0, 1), 1.5),
    "V of -3 to 3, spread 3, 1.5 times as wide": (fixed_v(3.0, 3), 1.5),
    "V of -1, 0, 1, low-rank": (fixed_v(0.0, 1), 1.0),
    "V of -1, 0, 1, low-rank, 1.25 times as wide": (fixed_v(0.0, 1), 1.25),
}
"""The layers of a variant, and its width in those of a sine; 0: the largest that fits."""


@dataclass
class Options:
    mesh: Annotated[Path, tyro.conf.Positional]
    """Mesh to fit."""
    bytes: int = 3000
    """Bytes of a file; a parameter takes 6.5 bits."""
    steps: int = 6000
    """Steps of a training."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the networks."""
    only: tuple[str, ...] = ()
    """Only the variants of these names."""
    pool: int = 500_000
    """Labelled points."""
    bits: float = BITS_PER_PARAMETER
    """Bits a parameter, from which their number follows."""
    rounded: bool = False
    """Round to these bytes. Only sine, low-rank, dense and those with a fixed V, whose readings of the neurons in the
    layer before it cannot be reordered."""


def network_of(pair: Pair, width: int, rank: int, placement: Placement, seed: int) -> OccupancyField:
    """A field whose hidden layers are the pair's."""
    torch.manual_seed(seed)
    field = OccupancyField(OccupancyConfig(layer="dense", width=width, rank=1), placement)
    for index, layer in enumerate(pair(width, rank), 1):
        field.network.trunk.layers[index] = layer
    return field


def largest(pair: Pair, times: float, width: int, limit: float, placement: Placement) -> tuple[int, int]:
    """The width, and the largest rank whose parameters fit; the largest width where it is open."""

    def fits(width: int, rank: int) -> bool:
        return count_parameters(network_of(pair, width, rank, placement, 0)) <= limit

    if not times:
        return next(w for w in count(8, 2) if not fits(w + 2, 1)), 1
    width = 4 * round(width * times / 4)
    return width, next(k for k in count(2) if not fits(width, k + 1))


class FixedTraining(Training):
    """The training of a network with fixed V, which keep the order of the neurons that they read."""

    def rounding(self, size: int) -> CurvatureRounding:
        rounding = super().rounding(size)
        rounding.layers = rounding.layers[-1:]
        return rounding


def training_of(field: OccupancyField, solid: Solid, config: FitConfig, options: Options) -> Training:
    """A training, rounded or not. A file could leave out the sign of each neuron that a fixed V reads, but ours does
    not: it is allowed as many bits more."""
    fixed = [layer for layer in factored_layers(field) if not isinstance(layer.V, nn.Parameter)]
    if not options.rounded:
        config = replace(config, bytes=None, bits=32)
    elif fixed:
        config = replace(config, bytes=options.bytes + sum(layer.in_features for layer in fixed) // 8)
    kind = FixedTraining if fixed else Training
    return kind(field, solid, replace(config, steps=options.steps), TaskProgress("Fitting", False))


def main(options: Options) -> None:
    mesh = read_mesh(options.mesh)[0]
    solid = Solid(mesh, Placement.of(mesh))
    truth = Truth(mesh, solid.placement, seed=5)
    for name, (pair, times) in VARIANTS.items():
        if options.only and name not in options.only:
            continue
        kind = "dense" if name == "dense" else "sine"
        architecture, config = split_settings({"bytes": options.bytes, "layer": kind, "pool": options.pool})
        limit = 8 * options.bytes / options.bits
        width, rank = largest(pair, times, architecture.width, limit, solid.placement)
        for seed in options.seeds:
            field = network_of(pair, width, rank, solid.placement, seed)
            training = training_of(field, solid, config, options)
            start = time.process_time()
            for _ in training.run(Stop()):
                pass
            seconds = time.process_time() - start
            training.finish()
            score = truth.evaluate_field(field, 0, None)
            print(
                f"{name} | {width} x {rank} | {field.parameters_count} | seed {seed} | {score.iou:.4f} | "
                f"{score.iou_near:.4f} | {seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main(tyro.cli(Options))
