"""Samples along rays, and what is seen of them: deterministic, as for evaluation (Mildenhall et al. 2020, section 4-5).

Training samples with jitter, through nerfstudio's samplers, which without jitter do the same.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf.radiance.config import Background

Bins = Float[Tensor, "rays edges"]
Weights = Float[Tensor, "rays samples 1"]
PADDING = 0.01
"""Added to each weight of a histogram, so that no part of a ray is never sampled (as nerfstudio has it)."""


def uniform_bins(samples: int, rays: int) -> Bins:
    """Edges of equal bins from 0 to 1."""
    return torch.linspace(0, 1, samples + 1).expand(rays, -1)


def histogram_samples(bins: Bins, weights: Weights, samples: int, merge: bool) -> Float[Tensor, "rays finer"]:
    """Edges drawn evenly from the histogram of weights over bins (inverse transform sampling).

    Args:
        merge: keep the old edges too.
    """
    padded = weights[..., 0] + PADDING
    probability = padded / padded.sum(-1, keepdim=True)
    cumulative = torch.cat([torch.zeros_like(probability[:, :1]), probability.cumsum(-1).clamp(max=1)], dim=-1)
    count = samples + 1
    u = (torch.arange(count, device=bins.device) + 0.5) / count
    u = u.expand(len(bins), -1).contiguous()
    above = torch.searchsorted(cumulative, u, side="right").clamp(max=bins.shape[-1] - 1)
    below = (above - 1).clamp(min=0)
    low, high = cumulative.gather(-1, below), cumulative.gather(-1, above)
    fraction = ((u - low) / (high - low)).nan_to_num(0).clamp(0, 1)
    start, end = bins.gather(-1, below), bins.gather(-1, above)
    edges = start + fraction * (end - start)
    return torch.cat([bins, edges], dim=-1).sort(-1).values if merge else edges


def weights_of(density: Weights, edges: Bins) -> Weights:
    """w_i = T_i (1 - exp(-sigma_i delta_i)), T_i = exp(-sum_{j < i} sigma_j delta_j) (equation 3)."""
    thickness = density * edges.diff()[..., None]
    before = torch.cat([torch.zeros_like(thickness[:, :1]), thickness[:, :-1].cumsum(1)], dim=1)
    return (-torch.expm1(-thickness) * torch.exp(-before)).nan_to_num(0)


def median(middles: Weights, weights: Weights) -> Float[Tensor, "rays 1"]:
    """Where along each ray half of its accumulation is reached."""
    cumulative = weights[..., 0].cumsum(-1)
    half = torch.searchsorted(cumulative, cumulative[..., -1:] / 2).clamp(max=cumulative.shape[-1] - 1)
    return middles[..., 0].gather(-1, half)


def composite(
    colour: Float[Tensor, "rays samples 3"], weights: Weights, background: Background
) -> Float[Tensor, "rays 3"]:
    """The colour of each ray over its background, in [0, 1]."""
    last = colour[:, -1]
    behind = {"last_sample": last, "white": torch.ones_like(last), "black": torch.zeros_like(last)}[background]
    return ((weights * colour).sum(-2) + behind * (1 - weights.sum(-2))).clamp(0, 1)
