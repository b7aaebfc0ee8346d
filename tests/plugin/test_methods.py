"""The methods that ns-train lists."""

import pytest

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.methods import sine_nerf, sine_nerf_small
from sinenerf.plugin.model import SineNeRFModel


def test_presets_set_their_optimiser_and_model():
    kinds = [method.config.optimizers["fields"]["optimizer"].kind for method in (sine_nerf, sine_nerf_small)]
    assert kinds == ["adam", "soap"]
    assert sine_nerf.config.pipeline.model._target is sine_nerf_small.config.pipeline.model._target is SineNeRFModel


def test_step_sizes_learn_as_fast_at_the_end_as_at_the_start():
    """They start late: a falling rate left the file far too large when parameters began to settle, and the steps that
    made it fit at once cost 1.5 dB."""
    assert sine_nerf_small.config.optimizers["codec"]["scheduler"] is None
