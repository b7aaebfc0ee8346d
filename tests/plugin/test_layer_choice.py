"""The network that --layer auto chooses."""

import pytest

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin.layer_choice import BITS, network_for, parameters_of


def test_a_layer_that_is_asked_for_has_the_presets_settings():
    assert network_for("sine", 1000) == {"layer": "sine"}
    assert parameters_of({"layer": "sine"}) == 52_445  # as the preset


def test_auto_is_as_wide_as_the_bytes_allow():
    whole = network_for("auto", None)
    assert whole["layer"] == "dense" and whole["width"] == 224
    widths = []
    for size in (10**9, 60_000, 30_000, 10_000):
        chosen = network_for("auto", size)
        assert BITS / 8 * parameters_of(chosen) <= size
        widths.append(chosen["width"])
    assert widths == sorted(widths, reverse=True) and widths[0] == 224 > widths[-1]
    assert network_for("auto", 1)["width"] == 16
