"""Settings of a radiance field: its networks, and how rays are sampled. Does not import torch."""

from dataclasses import dataclass
from typing import Literal

from sinenerf.common import settings
from sinenerf.common.settings import InitKind, LayerKind, Role, Stored, setting

Sampling = Literal["coarse-fine", "proposal"]
DensityActivation = Literal["softplus", "exp"]
Background = Literal["last_sample", "white", "black"]

SIZE, DEPTH, SAMPLES, OCTAVES, SCALAR = (1, 2**16 - 1), (1, 16), (1, 1024), (0, 24), (1e-3, 1e6)
"""Bounds of settings in a file."""


@dataclass
class RadianceNetworks:
    """Settings of the networks of a radiance field, and of the samples along a ray."""

    layer: LayerKind = setting("sine", stored=Stored(0, 2))
    """sine: sin(omega U V^T) / gain, the method; low-rank: plain U V^T; dense: full matrices."""
    rank: int = setting(10, positive=True, stored=Stored(40, 16, SIZE))
    """Width k of the factors U and V."""
    omega: float = setting(100.0, positive=True, stored=Stored(152, 32, SCALAR))
    """Frequency of the sine."""
    spread: float = setting(0.3, positive=True, stored=Stored(184, 32, SCALAR))
    """Standard deviation of the initial phase omega U V^T, in radians."""
    learn_omega: bool = setting(False, stored=Stored(6, 1))
    """Train one omega per layer."""
    learn_gain: bool = setting(False, stored=Stored(7, 1))
    """Train one gain per layer."""
    anchored: bool = setting(True, stored=Stored(12, 1))
    """Fix k rows of each V: k^2 fewer parameters per layer for the same matrices."""
    init: InitKind = setting("spread", stored=Stored(15, 1))
    """spread: phases of that spread, weights of He's variance; paper: Kaiming-uniform factors, g = sqrt(inputs). The
    paper's omegas, 100 and more, belong to the second."""
    factored: tuple[Role, ...] = setting(("input", "hidden", "head"), stored=Stored(8, 3))
    """Layers to factor. input: the first of each trunk; hidden: the rest of the trunk; head: the layers after it."""
    width: int = setting(256, at_least=2, stored=Stored(16, 16, (2, 2**16 - 1)))  # the view layer has half as many
    """Neurons per hidden layer."""
    depth: int = setting(8, positive=True, stored=Stored(32, 8, DEPTH))
    """Number of hidden layers."""
    skips: tuple[int, ...] = setting((4,), at_least=0, stored=Stored(56, 16))
    """Indices, from 0, of the layers after which the encoded position is concatenated to the features."""
    position_frequencies: int = setting(10, at_least=0, stored=Stored(72, 8, OCTAVES))
    """Octaves in the encoding of the position."""
    direction_frequencies: int = setting(4, at_least=0, stored=Stored(80, 8, OCTAVES))
    """Octaves in the encoding of the viewing direction."""
    sampling: Sampling = setting("coarse-fine", stored=Stored(2, 1))
    """coarse-fine: two radiance networks (NeRF); proposal: a density network places the samples (mip-NeRF 360)."""
    coarse_samples: int = setting(64, positive=True, stored=Stored(88, 16, SAMPLES))
    """Samples per ray of the first network."""
    fine_samples: int = setting(128, positive=True, stored=Stored(104, 16, SAMPLES))
    """Samples per ray that the first network places for the second."""
    proposal_width: int = setting(32, positive=True, stored=Stored(120, 16, SIZE))
    """Neurons per hidden layer of the proposal network."""
    proposal_depth: int = setting(2, positive=True, stored=Stored(136, 8, DEPTH))
    """Number of hidden layers of the proposal network."""
    proposal_frequencies: int = setting(6, at_least=0, stored=Stored(144, 8, OCTAVES))
    """Octaves in the proposal network's encoding."""
    density_activation: DensityActivation = setting("softplus", stored=Stored(3, 1))
    """Function that makes the density positive; exp learns solid surfaces sooner."""


@dataclass
class RadianceConfig(RadianceNetworks):
    """All settings that rendering a radiance field needs."""

    background: Background = setting("last_sample", stored=Stored(4, 2))
    """Colour behind a ray that is not fully absorbed."""

    def check(self) -> None:
        """Raise ValueError, naming the setting, if a value is out of bounds. `build_networks` checks that the rank
        fits."""
        settings.check(self)

    @property
    def features_per_ray(self) -> int:
        """Bound on the number of values that one layer computes for all samples of a ray."""
        coarse, fine = self.coarse_samples, self.fine_samples
        octaves = max(self.position_frequencies, self.proposal_frequencies)
        return (coarse + fine + 2) * (max(self.width, self.proposal_width) + 3 + 6 * octaves)

    @property
    def baked_size(self) -> int:
        """Bound on the number of weights that a decoder builds."""
        inputs = 3 + 6 * max(self.position_frequencies, self.direction_frequencies, self.proposal_frequencies)
        networks = 2 if self.sampling == "coarse-fine" else 1
        of_trunk = (self.depth + 3) * (self.width + inputs) ** 2
        return networks * of_trunk + self.proposal_depth * (self.proposal_width + inputs) ** 2
