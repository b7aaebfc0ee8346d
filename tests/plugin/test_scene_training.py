"""The training of `sinenerf scene`."""

import pytest

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin.nerfstudio_methods import build
from sinenerf.plugin.optimizers import LinearDecayConfig
from sinenerf.plugin.scene_training import SceneTraining, scene_config

TINY = {"width": 16, "rank": 2, "coarse_samples": 8, "fine_samples": 6, "bits": 10}


def training(scene, folder, steps):
    config = scene_config(scene, folder, TINY, {"hold_every": 3})
    assert isinstance(config.optimizers["fields"]["scheduler"], LinearDecayConfig)
    return SceneTraining(
        trainer=build(config), max_seconds=None, max_steps=steps, checkpoint=folder / "checkpoint.pt", show=True
    )


def test_a_finished_training_is_not_repeated(scene, tmp_path, capsys):
    first = training(scene, tmp_path, 12)
    assert first.run() and len(first.trainer.pipeline.datamanager.eval_dataset) == 3
    again = training(scene, tmp_path, 12)
    again.trainer.train_iteration = lambda step: pytest.fail("it trained again")
    assert again.run() and again.step == 12 and again.seconds == first.seconds
    assert "resuming from step 12" in capsys.readouterr().err


def test_unknown_settings_are_refused(scene, tmp_path):
    for options, parser in (({"witdh": 3}, {}), ({}, {"hold_evry": 3})):
        with pytest.raises(ValueError, match=r"no setting is called '(witdh|hold_evry)'"):
            scene_config(scene, tmp_path, options, parser)
