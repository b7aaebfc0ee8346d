"""The learning rate over a training whose budget may be in seconds: only the share that is spent is known."""

import math


def warm_cosine(done: float) -> float:
    """Factor of the peak rate at a share of a training: a warm-up over 2 %, half a cosine to zero (Loshchilov 2017)."""
    return min(1.0, done / 0.02 + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
