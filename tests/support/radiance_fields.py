"""Small radiance fields with any settings, and their captures."""

import math

import numpy as np

from sinenerf.radiance.cameras import Camera, capture_of, look_at
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.warps import NDC

SMALL = dict(
    layer="sine",
    rank=3,
    omega=30.0,
    spread=0.3,
    learn_omega=False,
    learn_gain=False,
    anchored=True,
    factored=("input", "hidden", "head"),
    width=16,
    depth=2,
    skips=(),
    position_frequencies=4,
    direction_frequencies=2,
    sampling="proposal",
    coarse_samples=8,
    fine_samples=6,
    proposal_width=8,
    proposal_depth=2,
    proposal_frequencies=3,
    density_activation="exp",
    background="last_sample",
)


def a_capture(forward=True):
    angles = np.linspace(-0.3, 0.3, 5)
    if forward:
        poses = [look_at(np.array([a, 0.1 * a, 0.0]), np.array([0.0, 0, -4]), np.array([0.0, 1, 0])) for a in angles]
    else:
        poses = [
            look_at(3 * np.array([math.sin(a), 0.2, math.cos(a)]), np.zeros(3), np.array([0.0, 1, 0])) for a in angles
        ]
    lens = Camera(poses[0], 20.0, 21.0, 12.0, 9.0, 24, 18)
    motion = np.array([[0.0, -1, 0, 0.5], [1, 0, 0, -1], [0, 0, 1, 2]])
    return capture_of(np.stack(poses), lens, motion, 0.5, forward)


def a_field(warp=None, **changes):
    warp = warp or NDC(0.625, 0.5)
    return RadianceField(RadianceConfig(**{**SMALL, **changes}), warp, 0.875, a_capture(isinstance(warp, NDC))).eval()
