"""How near a nerfstudio pipeline comes to the held-out views."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf.plugin.edge import silence
from sinenerf.radiance.image_metrics import image_metrics, psnr

Image = Float[np.ndarray, "height width 3"]


@dataclass
class Score:
    """How good the held-out views are."""

    metrics: dict[str, float]
    """Means of psnr, ssim and, where its weights are on disk, lpips; psnr alone where pixels were left out."""
    images: list[Image]
    truths: list[Image]


@silence()
@torch.no_grad()
def score_held_out(pipeline: Any, render: Callable[[Any, int], Tensor], stride: int = 1) -> Score:
    """Render each held-out view, or every `stride`-th pixel of it across and down, and compare.

    Args:
        render: (camera, stride) to (height, width, 3) in [0, 1].
    """
    pipeline.eval()
    metrics, images, truths = [], [], []
    for camera, batch in pipeline.datamanager.fixed_indices_eval_dataloader:
        pixels = batch["image"][::stride, ::stride].float().cpu()
        truth = pipeline.model.renderer_rgb.blend_background(pixels)
        image = render(camera, stride).cpu().clamp(0, 1)
        if stride == 1:
            metrics.append(image_metrics(image, truth))
        else:
            metrics.append({"psnr": float(psnr(image, truth))})
        images.append(image.numpy())
        truths.append(truth.numpy())
    return Score({name: float(np.mean([m[name] for m in metrics])) for name in metrics[0]}, images, truths)


def model_renderer(pipeline: Any) -> Callable[[Any, int], Tensor]:
    """What a nerfstudio model shows."""

    def render(camera: Any, stride: int) -> Tensor:
        rays = camera.generate_rays(camera_indices=0, keep_shape=True)[::stride, ::stride]
        outputs = pipeline.model.get_outputs_for_camera_ray_bundle(rays.to(pipeline.device))
        return outputs["rgb"] if "rgb" in outputs else outputs["rgb_fine"]

    return render
