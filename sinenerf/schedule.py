"""The learning rate over a training whose budget may be in seconds: only the share that is spent is known."""

import math

AFTER = 0.03
"""Factor of the peak rate with which the numbers that are still free follow those that are being rounded."""


def warm_cosine(done: float) -> float:
    """Factor of the peak rate at a share of a training: a warm-up over 2 %, half a cosine to zero (Loshchilov 2017)."""
    return min(1.0, done / 0.02 + 0.01) * 0.5 * (1 + math.cos(math.pi * done))


def cosine_then_rounding(done: float, begin: float) -> float:
    """The same, over before rounding begins; from then on a small rate falls to zero.

    Numbers are best where a small rate has averaged their noise away: those that are rounded first would miss that.
    """
    if done < begin:
        return max(AFTER, warm_cosine(done / begin))
    return AFTER * (1 - done) / (1 - begin)
