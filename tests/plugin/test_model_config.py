"""The model's settings in nerfstudio: those of the field, and its own."""

from dataclasses import fields, replace

import pytest
import yaml

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from nerfstudio.models.base_model import ModelConfig

from sinenerf.plugin.methods import sine_nerf, sine_nerf_small
from sinenerf.plugin.model import SineNeRFModel
from sinenerf.plugin.model_config import SineNeRFModelConfig
from sinenerf.radiance.config import RadianceConfig


def names_of(config):
    return {f.name for f in fields(config)}


def test_settings_are_the_fields_and_the_models_own():
    own = {"background_color", "precision", "exposure", "refine_poses", "bits", "bytes"}
    assert names_of(SineNeRFModelConfig) - names_of(ModelConfig) == names_of(RadianceConfig) - {"background"} | own
    assert SineNeRFModelConfig().architecture(endless=True) == RadianceConfig()


@pytest.mark.parametrize(
    ("color", "endless", "background"),
    [
        ("auto", True, "last_sample"),
        ("auto", False, "white"),
        ("random", True, "black"),
        ("black", True, "black"),
        ("last_sample", False, "last_sample"),
    ],
)
def test_the_field_gets_all_settings_and_a_background(color, endless, background):
    config = replace(sine_nerf_small.config.pipeline.model, background_color=color, rank=7, skips=(1,))
    field = config.architecture(endless)
    assert field.background == background and field.rank == 7 and field.skips == (1,) and field.width == 160


def test_a_runs_config_names_the_model_and_all_settings():
    for method in (sine_nerf, sine_nerf_small):
        model = method.config.pipeline.model
        again = yaml.load(yaml.dump(model), Loader=yaml.Loader)
        assert again == model and again._target is SineNeRFModel
