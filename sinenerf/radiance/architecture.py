"""Building the networks of a radiance field from its settings."""

from dataclasses import replace

import torch
from torch import nn

from sinenerf.layers import LayerSpec
from sinenerf.networks import RadianceMLP, ScalarMLP, Trunk
from sinenerf.radiance.config import RadianceConfig

Networks = tuple[RadianceMLP | ScalarMLP, RadianceMLP]
"""(the network that places the samples, the network that renders)."""


def build_networks(config: RadianceConfig) -> Networks:
    """Build networks with initial parameters drawn from torch's generator.

    Raises:
        ValueError: a setting is out of bounds, or the rank does not fit a layer.
    """
    config.check()
    spec = LayerSpec.of(config)
    trunk = Trunk(config.width, config.depth, config.skips, config.factored)

    def radiance() -> RadianceMLP:
        return RadianceMLP(trunk, spec, config.position_frequencies, config.direction_frequencies)

    if config.sampling == "coarse-fine":
        return radiance(), radiance()
    # factors save nothing beyond a quarter of the width
    narrow = replace(spec, rank=min(config.rank, max(1, config.proposal_width // 4)))
    proposal = Trunk(config.proposal_width, config.proposal_depth, (), config.factored)
    return ScalarMLP(proposal, narrow, config.proposal_frequencies), radiance()


def tensors_of(config: RadianceConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all trainable tensors, in their order in a file.

    Raises:
        ValueError: as `build_networks`.
    """
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random numbers unchanged
        coarse, fine = build_networks(config)
    module = nn.ModuleDict({"coarse": coarse, "fine": fine})
    return {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
