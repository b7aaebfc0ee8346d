"""Image metrics."""

import pytest
import torch

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.radiance import image_metrics as metrics


def test_lpips_never_fetches(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    metrics.lpips_vgg.cache_clear()
    image = torch.rand(24, 24, 3)
    assert set(metrics.perceptual_metrics(image, image)) == {"ssim"}
    metrics.lpips_vgg.cache_clear()


def test_psnr_of_a_known_error():
    truth = torch.full((24, 24, 3), 0.5)
    assert float(metrics.psnr(truth + 0.1, truth)) == pytest.approx(20, abs=1e-3)
    assert metrics.perceptual_metrics(truth, truth)["ssim"] == pytest.approx(1)
