"""What a radiance field is made of: its networks, and how rays are sampled."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import nn

from sinenerf.common.checks import check_choice
from sinenerf.layers import LayerKind, LayerSpec
from sinenerf.networks import RadianceMLP, Role, ScalarMLP, Trunk

Sampling = Literal["coarse-fine", "proposal"]
DensityActivation = Literal["softplus", "exp"]
Background = Literal["last_sample", "white", "black"]


@dataclass(frozen=True)
class RadianceConfig:
    """Architecture of a radiance field; `sinenerf.plugin.model_config` says more of each setting."""

    layer: LayerKind
    """sine, low-rank or dense."""
    rank: int
    """Width k of the factors."""
    omega: float
    """Frequency of the sine."""
    spread: float
    """Standard deviation, in radians, of the phase at the start."""
    learn_omega: bool
    """One trained omega a layer."""
    learn_gain: bool
    """One trained gain a layer."""
    anchored: bool
    """k rows of each V are fixed."""
    factored: tuple[Role, ...]
    """Layers that are factored; the others are dense."""
    width: int
    """Neurons of a hidden layer."""
    depth: int
    """Hidden layers."""
    skips: tuple[int, ...]
    """After these layers (from 0) the encoded position joins the features again."""
    position_frequencies: int
    """Octaves of the position's encoding."""
    direction_frequencies: int
    """Octaves of the viewing direction's encoding."""
    sampling: Sampling
    """What places the samples: a radiance network, or a proposal network."""
    coarse_samples: int
    """Samples a ray of the first network."""
    fine_samples: int
    """Samples a ray that the first network places for the second."""
    proposal_width: int
    """Neurons of a hidden layer of the proposal network."""
    proposal_depth: int
    """Hidden layers of the proposal network."""
    proposal_frequencies: int
    """Octaves of the proposal network's encoding."""
    density_activation: DensityActivation
    """What makes the density positive."""
    background: Background
    """What shows where a ray is not full."""

    def networks(self) -> tuple[RadianceMLP | ScalarMLP, RadianceMLP]:
        """(what places the samples, what is seen), new.

        Raises:
            ValueError: a rank that does not fit, a size, omega or spread that is not positive, or an unknown choice.
        """
        check_choice("layer", self.layer, LayerKind)
        check_choice("sampling", self.sampling, Sampling)
        check_choice("density_activation", self.density_activation, DensityActivation)
        check_choice("background", self.background, Background)
        for role in self.factored:
            check_choice("role in factored", role, Role)
        for name in ("rank", "width", "depth", "coarse_samples", "fine_samples", "proposal_width", "proposal_depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be positive")
        if self.width < 2:
            raise ValueError("width is 1: the view layer has half of it, so it must be 2 or more")
        for name in ("position_frequencies", "direction_frequencies", "proposal_frequencies"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be 0 or more")
        spec = LayerSpec(
            self.layer, self.rank, self.omega, self.spread, self.learn_omega, self.learn_gain, self.anchored
        )
        trunk = Trunk(self.width, self.depth, self.skips, self.factored)

        def radiance() -> RadianceMLP:
            return RadianceMLP(trunk, spec, self.position_frequencies, self.direction_frequencies)

        if self.sampling == "coarse-fine":
            return radiance(), radiance()
        # beyond a quarter of the width factors save nothing
        narrow = replace(spec, rank=min(self.rank, max(1, self.proposal_width // 4)))
        proposal = Trunk(self.proposal_width, self.proposal_depth, (), self.factored)
        return ScalarMLP(proposal, narrow, self.proposal_frequencies), radiance()

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all trainable tensors, in the order in which a file has them."""
        with torch.random.fork_rng(devices=[]):  # what is drawn here, no caller should miss
            coarse, fine = self.networks()
        module = nn.ModuleDict({"coarse": coarse, "fine": fine})
        return {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}

    @property
    def features_a_ray(self) -> int:
        """Bound on the numbers that one layer makes of all samples of a ray."""
        coarse, fine = self.coarse_samples, self.fine_samples
        octaves = max(self.position_frequencies, self.proposal_frequencies)
        return (coarse + fine + 2) * (max(self.width, self.proposal_width) + 3 + 6 * octaves)

    @property
    def baked_size(self) -> int:
        """Bound on the weights that a decoder builds."""
        inputs = 3 + 6 * max(self.position_frequencies, self.direction_frequencies, self.proposal_frequencies)
        networks = 2 if self.sampling == "coarse-fine" else 1
        of_trunk = (self.depth + 3) * (self.width + inputs) ** 2
        return math.ceil(networks * of_trunk + self.proposal_depth * (self.proposal_width + inputs) ** 2)
