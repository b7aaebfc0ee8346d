"""Scores of the held-out views."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from support.capture_changes import make
from support.tiny_runs import budgeted_training, make_trainer

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.scoring import camera_of, model_renderer, score_held_out
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


def test_nerfstudios_evaluation_leaves_out_what_masks_exclude_as_ours_does(scene, tmp_path):
    make("llff", scene, tmp_path / "capture")
    (tmp_path / "capture/masks").mkdir()
    mask = Image.fromarray(np.uint8(255 * (np.arange(48) < 24))[None].repeat(36, 0))
    for path in (tmp_path / "capture/images").iterdir():
        mask.save(tmp_path / "capture/masks" / path.name)
        with Image.open(path) as image:
            image.paste("magenta", (24, 0, 48, 36))
            image.save(path)
    pipeline = make_trainer("sine-nerf-small", tmp_path / "capture", tmp_path).pipeline
    theirs = pipeline.get_average_eval_image_metrics()
    ours = mean_metrics([score.metrics for score in score_held_out(pipeline, model_renderer(pipeline))])
    assert {name: theirs[name] for name in ours} == pytest.approx(ours, rel=1e-5)


@pytest.mark.parametrize("kind", ["PERSPECTIVE", "FISHEYE"])
@pytest.mark.parametrize(
    "bent", [None, [0.0] * 6, [-0.12, 0.03, 0.01, -0.002, 0.004, -0.003], [0.3, 0.2, 0, 0, 0.05, 0]]
)
def test_rays_are_those_of_nerfstudio(kind, bent):
    """For every pixel, with OpenCV's distortion of a pinhole and of a fisheye."""
    from nerfstudio.cameras.cameras import Cameras, CameraType

    pose = torch.tensor([[0.6, 0, 0.8, 1], [0, 1, 0, 2], [-0.8, 0, 0.6, 3]])
    params = None if bent is None else torch.tensor(bent)
    lens = dict(fx=30.0, fy=32.0, cx=23.5, cy=17.0, width=48, height=36, distortion_params=params)
    cameras = Cameras(camera_to_worlds=pose[None], camera_type=CameraType[kind], **lens)
    theirs = cameras.generate_rays(camera_indices=0)
    origins, directions = camera_of(cameras[0]).rays()
    np.testing.assert_allclose(directions.reshape(36, 48, 3), theirs.directions, atol=2e-6)
    np.testing.assert_allclose(origins.reshape(36, 48, 3), theirs.origins)


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
