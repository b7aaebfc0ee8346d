"""The rows about a field in nerfstudio's viewer."""

import pytest
from support.tiny_runs import make_trainer

pytest.importorskip("nerfstudio", reason="needs nerfstudio")


def test_the_panel_shows_rank_and_bytes(scene, tmp_path):
    from nerfstudio.viewer.utils import parse_object
    from nerfstudio.viewer.viewer_elements import ViewerElement

    trainer = make_trainer("sine-nerf-small", scene, tmp_path, bits=8.0)
    found = {e.name: e for _, e in parse_object(trainer.pipeline, ViewerElement, "Custom Elements")}
    model = trainer.pipeline.model
    assert found["Rank"].value == "sine, k = 4"
    assert found["Parameters"].value == f"{model.field.parameters_count:,}"
    assert "float32" in found["Bytes"].value and float(found["Bits / parameter"].value) > 32
    model.quantiser.start()
    model.panel.update(model.field, model.quantiser)
    assert "float32" not in found["Bytes"].value and float(found["Bits / parameter"].value) < 24
