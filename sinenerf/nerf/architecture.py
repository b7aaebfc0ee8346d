"""What a radiance field is made of: its networks, and how rays are sampled."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from sinenerf.layers import LayerKind, LayerSpec
from sinenerf.networks import RadianceMLP, Role, ScalarMLP, Trunk

Sampling = Literal["coarse-fine", "proposal"]
DensityActivation = Literal["softplus", "exp"]
Background = Literal["last_sample", "white", "black"]


@dataclass(frozen=True)
class RadianceConfig:
    """Architecture of a radiance field; `sinenerf.nerf.model_config` says what each setting does."""

    layer: LayerKind
    rank: int
    omega: float
    spread: float
    learn_omega: bool
    learn_gain: bool
    anchored: bool
    factored: tuple[Role, ...]
    width: int
    depth: int
    skips: tuple[int, ...]
    position_frequencies: int
    direction_frequencies: int
    sampling: Sampling
    coarse_samples: int
    fine_samples: int
    proposal_width: int
    proposal_depth: int
    proposal_frequencies: int
    density_activation: DensityActivation
    background: Background
    """What shows where a ray is not full."""

    def networks(self) -> tuple[RadianceMLP | ScalarMLP, RadianceMLP]:
        """(what places the samples, what is seen), new.

        Raises:
            ValueError: a rank that does not fit, or a size, omega or spread that is not positive.
        """
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
