"""Image metrics. LPIPS (VGG) is computed only if its weights are already on disk; they are never downloaded."""

import warnings
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

Image = Float[Tensor, "height width 3"]


def psnr(prediction: Float[Tensor, "*any"], truth: Float[Tensor, "*any"]) -> Float[Tensor, ""]:
    """Peak signal-to-noise ratio in dB of values in [0, 1], at most 100."""
    return -10 * torch.log10(torch.mean((prediction - truth) ** 2).clamp(min=1e-10))


def perceptual_metrics(prediction: Image, truth: Image) -> dict[str, float]:
    """SSIM (Wang et al. 2004, 11x11 Gaussian window) and, where possible, LPIPS of images in [0, 1]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchmetrics warns of names that it moves within itself
        from torchmetrics.functional.image import structural_similarity_index_measure

    prediction, truth = (x.float().moveaxis(-1, 0)[None].clamp(0, 1) for x in (prediction, truth))
    ssim = structural_similarity_index_measure(prediction, truth, data_range=1.0)
    metrics = {"ssim": float(torch.as_tensor(ssim))}
    lpips = lpips_vgg(prediction.device)
    if lpips is not None:
        metrics["lpips"] = float(lpips(prediction, truth))
    return metrics


def vgg_weights() -> Path:
    """Where torchvision keeps VGG's weights, which LPIPS needs, whether or not they are there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / "vgg16-397923af.pth"


def lpips_notes() -> list[str]:
    """A line that says how to get LPIPS, where VGG's weights are not on disk."""
    weights = vgg_weights()
    advice = f"LPIPS is left out: for it, put {weights.name} (download.pytorch.org) into {weights.parent}"
    return [] if weights.is_file() else [advice]


@cache
def lpips_vgg(device: torch.device):
    """The LPIPS network, or None if VGG's weights are not on disk. It is no part of the model."""
    if not vgg_weights().is_file():
        return None
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    return LearnedPerceptualImagePatchSimilarity(net_type="vgg", normalize=True).to(device).eval()
