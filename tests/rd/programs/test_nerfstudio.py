"""nerfstudio's own methods as a program: settings, and the file of their weights."""

import pytest
import torch

from sinenerf.plugin.nerfstudio_methods import build, configure
from sinenerf.rd.programs.nerfstudio import NerfstudioProgram, pack_weights, rendering_weights, unpack_weights


def test_options_must_be_a_table():
    with pytest.raises(ValueError, match=r"^options is 'x': it must be a table$"):
        NerfstudioProgram().resolve({"method": "nerfacto", "steps": 9, "options": "x"})


def test_whether_a_methods_weights_fit_a_file_is_known_before_it_is_trained():
    settings = {"method": "tensorf", "bits": 8, "steps": 9}
    with pytest.raises(
        ValueError, match=r"tensorf has up to 17,.* parameters, and an 8-bit file holds at most 4,194,304"
    ):
        NerfstudioProgram().resolve(settings)
    for changes in ({"bits": 32}, {"options": {"pipeline.model.final_resolution": 128}}, {"method": "vanilla-nerf"}):
        assert NerfstudioProgram().resolve(settings | changes)["method"]


def test_weights_survive_their_file(scene, tmp_path):
    """8 bits keep every weight within half a step, 32 exactly; camera corrections and metrics are left out."""
    options = {"pipeline.model.implementation": "torch", "pipeline.model.log2_hashmap_size": 4}
    model = build(configure("nerfacto", scene, tmp_path, options, {"downscale_factor": 1})).pipeline.model
    assert any("camera_optimizer" in name for name, _ in model.named_parameters())
    weights = {name: values.clone() for name, values in rendering_weights(model).items()}
    assert weights and not any("camera_optimizer" in name or "lpips" in name for name in weights)
    for bits in (32, 8):
        data = pack_weights(model, bits)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        unpack_weights(model, data, bits)
        for name, values in rendering_weights(model).items():
            half = 0 if bits == 32 else 0.51 * float(weights[name].abs().max()) / 126
            assert float((values - weights[name]).abs().max()) <= half, name
            values.copy_(weights[name])
