"""Settings of an occupancy field and of its training. This module does not import torch."""

import math
from dataclasses import dataclass
from typing import Literal

from sinenerf.common import settings
from sinenerf.common.checks import file_size, training_budget
from sinenerf.common.settings import (
    Activation,
    Clock,
    InitKind,
    LayerKind,
    Loss,
    MirrorChoice,
    OptimizerKind,
    Precision,
    Stored,
    StoredNumber,
    setting,
)

SamplerKind = Literal["surface", "grid"]
Device = Literal["auto", "cpu", "cuda", "mps"]

SIZE, DEPTH, SCALAR = (1, 2**16 - 1), (1, 255), (1e-3, 1e6)
"""Bounds of the values that a file can store."""


@dataclass(frozen=True)
class OccupancyConfig:
    """Architecture of an occupancy field. The paper's is 3-256-256-256-1 with the two square matrices factored."""

    layer: LayerKind = setting("sine", stored=Stored(0, 2), chosen_for_size=True)
    """sine: sin(omega U V^T) / g; low-rank: U V^T; dense: full matrices."""
    rank: int = setting(4, positive=True, stored=StoredNumber(SIZE), chosen_for_size=True)
    """Width k of the factors."""
    width: int = setting(128, positive=True, stored=StoredNumber(SIZE), chosen_for_size=True)
    """Neurons of a hidden layer."""
    depth: int = setting(3, positive=True, stored=StoredNumber(DEPTH), chosen_for_size=True)
    """Hidden layers; all after the first are factored."""
    omega: float = setting(3.0, positive=True, stored=StoredNumber(SCALAR, 10))
    """Frequency of the sine."""
    spread: float = setting(3.0, positive=True, stored=StoredNumber(SCALAR, 100), chosen_for_size=True)
    """Standard deviation, in radians, of the phase omega U V^T at the start."""
    activation: Activation = setting("gaussian", stored=Stored(2, 2))
    """Activation between the layers."""
    bandwidth: float = setting(10.0, positive=True, stored=StoredNumber(SCALAR, 10))
    """b of gaussian, exp(-(b z)^2 / 2), and of sine, sin(b z). A larger b draws finer detail."""
    learn_omega: bool = setting(False, stored=Stored(4, 1))
    """Train one omega per layer."""
    learn_gain: bool = setting(False, stored=Stored(5, 1))
    """Train one gain per layer."""
    anchored: bool = setting(True, stored=Stored(6, 1))
    """Fix k rows of each V: the same matrices with k^2 fewer parameters per layer."""
    init: InitKind = setting("spread", stored=Stored(12, 1))
    """spread: phases of that spread, weights that keep a signal's variance; paper: Kaiming-uniform factors and
    g = sqrt(width). The paper's omegas, 100 and more, belong to the second."""

    def check(self) -> None:
        """Raise ValueError, naming the setting, for a value out of bounds. Whether the rank fits the width is checked
        when the network is built."""
        settings.check(self)


@dataclass(frozen=True)
class FitConfig:
    """Training of an occupancy field, and the size of its file."""

    minutes: float | None = setting(None, positive=True)
    """Training time, without compilation and rounding. Default: until the loss is flat, at most 2 (3,000 bytes) to 16
    (200,000)."""
    steps: int | None = setting(None, positive=True)
    """Number of training steps instead."""
    clock: Clock = setting("wall")
    """processor: count minutes in processor time, in which other programs play no part; with several threads, the time
    of all of them."""
    batch: int = setting(8192, positive=True, chosen_for_size=True)
    """Points per step, at first."""
    growth: float = setting(1.0, positive=True, chosen_for_size=True)
    """Factor by which the points per step grow in the course of the training, in doublings."""
    optimizer: OptimizerKind = setting("adam", chosen_for_size=True)
    """soap is Adam in the eigenbasis of the gradients. It is better, except for a sine with a spread of 1 or more."""
    learning_rate: float = setting(1e-2, positive=True, chosen_for_size=True)
    """Peak learning rate, reached after a warm-up. In the second half of the training it falls to zero."""
    decay: float = setting(0.0, at_least=0, chosen_for_size=True)
    """Share of the learning rate by which the matrices of hidden layers shrink in each step: decoupled weight decay
    (Loshchilov and Hutter 2019). They would grow in a long training, and rounding would cost more."""
    sampler: SamplerKind = setting("surface")
    """surface: most points lie near the surface, some anywhere; grid: every voxel of the cube, as in the paper."""
    pool: int = setting(1_500_000, positive=True)
    """Points that the surface sampler labels before training."""
    near: float = setting(0.7, positive=True, chosen_for_size=True)
    """Share of the surface sampler's points that lie near the surface; the others lie anywhere in the cube."""
    distance: float = setting(0.01, positive=True, chosen_for_size=True)
    """Standard deviation per axis of the offset of half of the points near the surface, in units of half the cube's
    side; of the other half it is four times as large."""
    resolution: int = setting(512, positive=True)
    """Voxels per side for the grid sampler."""
    loss: Loss = setting("cross-entropy")
    """Loss of the occupancy against the label. mse is the paper's."""
    seed: int = setting(0, at_least=0)
    """Seed of the initial parameters and of the training points."""
    device: Device = setting("auto")
    """Device to train on. auto: a GPU if one is available."""
    precision: Precision = setting("auto")
    """Number format inside the network. auto: float32 in the compiled pass of a CPU; elsewhere bfloat16 where the
    processor multiplies it natively. bfloat16 on a CPU is slower."""
    bits: float | None = setting(None, positive=True)
    """Size of the whole file in bits per parameter; 32 stores float32. Default: 8, if a rank or width is given."""
    bytes: int | None = setting(None, positive=True)
    """Size in bytes instead; open settings are chosen to suit it. Default: 3000, if no bits, rank or width is given."""

    mirror: MirrorChoice = setting("auto")
    """Fit one half of a shape that has a plane of symmetry, with all parameters. auto: if the mesh differs from its
    mirror image by far less than the field will differ from the mesh."""

    def check(self) -> None:
        """Raise ValueError, naming the setting, for a value out of bounds, a missing device, or two values for one
        budget."""
        settings.check(self)
        if self.near > 1:
            raise ValueError(f"near is {self.near}: it is a share of the points, at most 1")
        if self.growth < 1:
            raise ValueError(f"growth is {self.growth}: the points per step can only grow, by a factor of 1 or more")
        self.budget()
        self.file_size(1)
        if self.device == "cuda":
            import torch

            if not torch.cuda.is_available():
                raise ValueError("device cuda: torch finds no CUDA GPU here. Leave --device out, or use cpu")

    def file_size(self, parameters: int) -> int | None:
        """Largest size of the file in bytes; None for float32."""
        return file_size(parameters, self.bits, self.bytes, default_bits=8.0)

    @property
    def open_ended(self) -> bool:
        """Whether training ends when the loss is flat."""
        return self.minutes is None and self.steps is None

    def budget(self) -> tuple[float, int]:
        """(seconds, steps): training ends when either is reached, if not before."""
        longest = 2 * math.sqrt(max(1.0, (self.bytes or 0) / 3000))  # larger networks learn for longer
        return training_budget(self.minutes, self.steps, default_minutes=longest)
