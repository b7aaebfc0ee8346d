"""Scores of the held-out views."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.tiny_runs import budgeted_training

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.scoring import model_renderer, score_held_out
from sinenerf.radiance.evaluate import mean_metrics


def test_scores_of_some_pixels_see_the_same_pictures(scene, tmp_path):
    """A score of every pixel equals the metrics of the whole pictures that the model renders."""
    training = budgeted_training(
        "sine-nerf-small", {"pipeline.model.width": 16, "pipeline.model.rank": 2}, scene, tmp_path, 2
    )
    pipeline = training.trainer.pipeline
    whole = score_held_out(pipeline, model_renderer(pipeline))
    metrics = mean_metrics([score.metrics for score in whole])
    assert set(metrics) >= {"psnr", "ssim"}
    strided = score_held_out(pipeline, model_renderer(pipeline), 3)
    assert all(set(score.metrics) == {"psnr"} for score in strided)
    for full, part in zip(whole, strided, strict=True):
        np.testing.assert_allclose(full.rendering[::3, ::3], part.rendering, atol=1e-2)
    errors = [-10 * np.log10(float(((score.rendering - score.photograph) ** 2).mean())) for score in whole]
    assert metrics["psnr"] == pytest.approx(float(np.mean(errors)), abs=1e-3)


def test_transparent_photographs_are_blended_with_the_background():
    """As in the model's loss and in other scores."""
    behind = SimpleNamespace(blend_background=lambda image: image[..., :3] * image[..., 3:] + 1 - image[..., 3:])
    truth = torch.cat([torch.zeros(12, 12, 3), torch.full((12, 12, 1), 0.25)], dim=-1)
    pipeline = SimpleNamespace(
        eval=lambda: None,
        device="cpu",
        model=SimpleNamespace(renderer_rgb=behind),
        datamanager=SimpleNamespace(fixed_indices_eval_dataloader=[(None, {"image": truth})]),
    )
    (score,) = score_held_out(pipeline, lambda camera, stride: torch.full((12, 12, 3), 0.75)[::stride, ::stride], 2)
    assert score.metrics["psnr"] == pytest.approx(100)
