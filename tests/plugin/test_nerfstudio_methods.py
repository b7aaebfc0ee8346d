"""Trainers of nerfstudio's own methods."""

import os
import random
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from support.capture_changes import make

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.nerfstudio_methods import build, configure, largest_model

SMALL = {"pipeline.model.implementation": "torch", "pipeline.model.log2_hashmap_size": 4}


def test_errors_name_unknown_methods_and_options(scene, tmp_path):
    with pytest.raises(ValueError, match="nerfstudio has no method 'nerfakto'"):
        configure("nerfakto", scene, tmp_path, {}, {})
    with pytest.raises(ValueError, match=r"no option of nerfacto is called 'pipeline\.model\.hashmap'"):
        configure("nerfacto", scene, tmp_path, {"pipeline.model.hashmap": 4}, {})


def test_an_invalid_scene_raises(tmp_path):
    config = configure("nerfacto", tmp_path / "nowhere", tmp_path, SMALL, {})
    with pytest.raises(ValueError, match=r"^[^:]*nowhere: no such folder"):
        build(config)


def test_methods_train_where_masks_are_white(scene, tmp_path):
    """nerfstudio's own data manager wants a mask of each photograph, in the size of those that are trained on."""
    make("llff", scene, tmp_path / "scene")
    (tmp_path / "scene/masks").mkdir()
    white = np.uint8(255 * (np.arange(48) < 24))[None].repeat(36, 0)
    Image.fromarray(white).save(tmp_path / "scene/masks/image001.png")
    config = configure("nerfacto", tmp_path / "scene", tmp_path, SMALL, {"downscale_factor": 2})
    _, batch = build(config).pipeline.datamanager.next_train(0)
    masked = batch["indices"][batch["indices"][:, 0] == 0]
    assert len(masked) > 100 and (masked[:, 2] < 12).all()


def test_the_seed_fixes_the_order_of_the_photographs(scene, tmp_path):
    """nerfstudio shuffles them, by Python's generator: each drawn number is then of another photograph."""
    orders = []
    for other in range(2):
        random.seed(other)
        manager = build(configure("nerfacto", scene, tmp_path, SMALL, {}), seed=5).pipeline.datamanager
        orders.append(manager.train_image_dataloader.cached_collated_batch["image_idx"].tolist())
    assert orders[0] == orders[1]


def test_models_are_built_without_the_network_weights_of_lpips(scene, tmp_path, monkeypatch):
    """nerfstudio would download them. Afterwards torch's cache folder is the same as before."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("torch.hub.download_url_to_file", lambda *arguments, **options: pytest.fail("a download"))
    filters = list(warnings.filters)
    model = build(configure("nerfacto", scene, tmp_path, SMALL, {"downscale_factor": 1})).pipeline.model
    assert not any("lpips" in name for name in model.state_dict())
    assert os.environ["TORCH_HOME"] == str(tmp_path / "cache") and not (tmp_path / "cache").exists()
    assert warnings.filters == filters


def test_the_largest_model_has_no_values(scene, tmp_path):
    options = {"pipeline.model.init_resolution": 16, "pipeline.model.final_resolution": 24}
    model = largest_model(configure("tensorf", scene, tmp_path, options, {}))
    grids = [values for values in model.parameters() if 24 in values.shape]
    assert grids and all(values.is_meta for values in grids)
    assert torch.get_default_device().type == "cpu"
