"""Samples along rays and their compositing (Mildenhall et al. 2020, sections 4 and 5), for training and evaluation."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf.radiance.config import Background

Bins = Float[Tensor, "rays edges"]
Noise = Float[Tensor, "rays _"]
"""Uniform random numbers in [0, 1), one per new edge or one per ray, for stratified sampling in training."""
Weights = Float[Tensor, "rays samples 1"]
PADDING = 0.01
"""Added to each weight of a histogram, so that every part of a ray may be sampled (nerfstudio's value)."""


class Samples(NamedTuple):
    """The samples of one network along rays."""

    bins: Bins
    """Edges between the samples, from 0 where the sampled part of a ray begins to 1 where it ends."""
    midpoints: Weights
    """Middle of each bin."""
    weights: Weights
    colour: Float[Tensor, "rays samples 3"] | None
    """In [0, 1]; None for a network without colour."""


def uniform_bins(samples: int, rays: int, noise: Noise | None = None) -> Bins:
    """Edges of equal bins from 0 to 1. With noise, each edge is jittered between its neighbouring bins' midpoints."""
    edges = torch.linspace(0, 1, samples + 1, device=None if noise is None else noise.device).expand(rays, -1)
    if noise is None:
        return edges
    midpoints = (edges[:, 1:] + edges[:, :-1]) / 2
    lower, upper = torch.cat([edges[:, :1], midpoints], dim=-1), torch.cat([midpoints, edges[:, -1:]], dim=-1)
    return lower + (upper - lower) * noise


def histogram_samples(
    bins: Bins, weights: Weights, samples: int, merge: bool, noise: Noise | None = None
) -> Float[Tensor, "rays finer"]:
    """Edges of new samples, drawn from the histogram of weights over bins by stratified inverse transform sampling.

    Args:
        samples: number of new samples, one fewer than new edges.
        merge: also keep the old edges.
        noise: the position of each edge within its stratum; by default the middle.
    """
    padded = weights[..., 0] + PADDING
    probability = padded / padded.sum(-1, keepdim=True)
    cumulative = torch.cat([torch.zeros_like(probability[:, :1]), probability.cumsum(-1).clamp(max=1)], dim=-1)
    count = samples + 1
    u = (torch.arange(count, device=bins.device) + (0.5 if noise is None else noise)) / count
    u = u.expand(len(bins), -1).contiguous()
    above = torch.searchsorted(cumulative, u, side="right").clamp(max=bins.shape[-1] - 1)
    below = (above - 1).clamp(min=0)
    low, high = cumulative.gather(-1, below), cumulative.gather(-1, above)
    fraction = ((u - low) / (high - low)).nan_to_num(0).clamp(0, 1)
    start, end = bins.gather(-1, below), bins.gather(-1, above)
    edges = start + fraction * (end - start)
    return torch.cat([bins, edges], dim=-1).sort(-1).values if merge else edges


def weights_of(density: Weights, lengths: Float[Tensor, "rays samples"]) -> Weights:
    """w_i = T_i (1 - exp(-sigma_i delta_i)), T_i = exp(-sum_{j < i} sigma_j delta_j) (equation 3), with the lengths
    delta_i of the bins."""
    thickness = density * lengths[..., None]
    before = torch.cat([torch.zeros_like(thickness[:, :1]), thickness[:, :-1].cumsum(1)], dim=1)
    return (-torch.expm1(-thickness) * torch.exp(-before)).nan_to_num(0)


def median(midpoints: Weights, weights: Weights) -> Float[Tensor, "rays 1"]:
    """The midpoint on each ray at which half of its accumulation is reached."""
    cumulative = weights[..., 0].cumsum(-1)
    half = torch.searchsorted(cumulative, cumulative[..., -1:] / 2).clamp(max=cumulative.shape[-1] - 1)
    return midpoints[..., 0].gather(-1, half)


def composite(
    colour: Float[Tensor, "rays samples 3"], weights: Weights, background: Background
) -> Float[Tensor, "rays 3"]:
    """The colour of each ray, composited over the background, in [0, 1]."""
    last = colour[:, -1]
    behind = {"last_sample": last, "white": torch.ones_like(last), "black": torch.zeros_like(last)}[background]
    return ((weights * colour).sum(-2) + behind * (1 - weights.sum(-2))).clamp(0, 1)
