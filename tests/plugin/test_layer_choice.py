"""The network that --layer auto chooses."""

import pytest

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin.layer_choice import BITS, network_for, parameters_of


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
