"""Whether it pays to fit one half of a solid that is only nearly its own mirror image.

A folded field describes half of the space with all of its parameters, but cannot tell a point from its image. Where the
two have labels y and y', the best that it can answer is their mean, which costs

    KL(y | (y + y') / 2)        on average over the points of the training,

known before any training. A whole field could avoid this, but has its own loss, which a short training tells roughly:
how much of that loss a whole training leaves depends on the file's size. Folding pays if it costs far less than what is
left.
"""

import copy
import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import xlogy

from sinenerf.common.console import Stop
from sinenerf.common.progress import TaskProgress
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.sampling import SurfaceSampler, soft_labels
from sinenerf.occupancy.solid import Solid
from sinenerf.occupancy.training import Training

STEPS = 400
"""Steps of the short training."""
HELD_OUT = 2**14
"""Points, drawn like those of the training, at which losses are compared."""
SIZES, LEFT = (1000, 3000, 12000), (0.26, 0.11, 0.03)
"""Fraction of its loss after a short training that a whole field of so many bytes keeps (docs/experiments.md)."""
AFFORDED = 1 / 3
"""Fraction of a whole field's loss that folding may cost: up to one half, both are level."""


def folding_pays(
    field: OccupancyField, solid: Solid, config: FitConfig, mirror: Mirror, size: int, bar: TaskProgress
) -> bool:
    """Whether a field of `size` bytes, here untrained, describes a solid better if it is folded.

    Both losses are cross-entropies less the least that the labels allow. The bar is shown while points are labelled,
    as the training itself shows it, which then finds them labelled.
    """
    held_out = SurfaceSampler(solid, config.seed + 1, HELD_OUT, config.near, config.distance)
    points, labels = held_out.batch(0, HELD_OUT)
    cost = folding_cost(solid, mirror, points.double().numpy())
    trial = copy.deepcopy(field)
    short = replace(config, steps=STEPS, minutes=None, bits=32, bytes=None, sampler="surface", loss="cross-entropy")
    training = Training(trial, solid, short, TaskProgress("Trial", bar.show))  # which never starts
    for _ in training.run(Stop()):
        pass
    with torch.no_grad():
        logits = trial.logits(points)[:, None]
    loss = float(F.binary_cross_entropy_with_logits(logits, labels) - F.binary_cross_entropy(labels, labels))
    left = math.exp(float(np.interp(math.log(size), np.log(SIZES), np.log(LEFT))))
    return cost <= AFFORDED * left * loss


def folding_cost(solid: Solid, mirror: Mirror, points: np.ndarray) -> float:
    """The mean cross-entropy that a folded field has at these points at least, less what the labels allow."""
    own, image = soft_labels(solid, points), soft_labels(solid, mirror.reflect(points))
    mean = (own + image) / 2
    ideal = xlogy(own, own) + xlogy(1 - own, 1 - own)
    return float((ideal - xlogy(own, mean) - xlogy(1 - own, 1 - mean)).mean())
