"""The network that --layer auto chooses."""

import pytest
from torch import nn

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin.layer_choice import BITS, architecture_of, fewest_bytes, network_for, parameters_of
from sinenerf.radiance.architecture import build_networks
from sinenerf.radiance.header import file_length, overhead
from sinenerf.rounding.by_learned_steps import LearnedStepRounding


@pytest.mark.parametrize("layer", ["auto", "sine", "low-rank"])
def test_a_network_is_as_wide_as_the_bytes_allow(layer):
    whole = network_for(layer, None)
    assert whole["layer"] == ("dense" if layer == "auto" else layer) and whole["width"] == 224
    widths = []
    for size in (10**9, 60_000, 30_000, 10_000):
        chosen = network_for(layer, size)
        assert BITS / 8 * parameters_of(chosen) <= size
        assert layer == "auto" or chosen["rank"] == chosen["width"] // 5
        widths.append(chosen["width"])
    assert widths == sorted(widths, reverse=True) and widths[0] == 224 > widths[-1]
    assert network_for(layer, 1)["width"] == 16


@pytest.mark.parametrize("layer", ["auto", "sine"])
def test_the_fewest_bytes_are_those_that_the_training_accepts(layer):
    settings = network_for(layer, 1)
    config, least = architecture_of(settings), fewest_bytes(settings)
    networks = nn.ModuleList(build_networks(config))
    with pytest.raises(ValueError, match=f"Give at least {least:,} bytes"):
        LearnedStepRounding(networks, least - 1, file_length, overhead(config))
    LearnedStepRounding(networks, least, file_length, overhead(config))
