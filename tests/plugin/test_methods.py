"""The methods that ns-train lists."""

import pytest

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.methods import sine_nerf, sine_nerf_small
from sinenerf.plugin.model import SineNeRFModel


def test_presets_set_their_optimiser_and_model():
    kinds = [method.config.optimizers["fields"]["optimizer"].kind for method in (sine_nerf, sine_nerf_small)]
    assert kinds == ["adam", "soap"]
    assert sine_nerf.config.pipeline.model._target is sine_nerf_small.config.pipeline.model._target is SineNeRFModel
