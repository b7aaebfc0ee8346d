"""Training that goes wrong is noticed before it does harm."""

import math

import pytest
import torch

from sinenerf.plugin.divergence import TrainingDiverged, check_finite, check_numbers, collapse


def batch(where, total):
    """Weights of 8 rays of 20 samples that sum to `total` around a position on the ray."""
    position = torch.linspace(0, 1, 20)[None, :, None].expand(8, 20, 1)
    weights = torch.exp(-(((position - where) / 0.02) ** 2))
    return total * weights / weights.sum(1, keepdim=True)


def test_a_scene_is_no_collapse():
    assert collapse(batch(0.5, 0.9)) is None


def test_nothing():
    assert "nothing" in collapse(batch(0.5, 1e-4))


def test_everything():
    assert "fills everything" in collapse(batch(0.0, 1.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_losses_that_are_no_number_are_named(bad):
    with pytest.raises(TrainingDiverged, match="rgb_coarse is NaN or infinite"):
        check_finite({"rgb": torch.tensor(0.1), "rgb_coarse": torch.tensor(bad)})
    check_finite({"rgb": torch.tensor(0.1)})


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_no_checkpoint_is_made_of_numbers_that_are_none(bad):
    numbers = torch.zeros(3)
    check_numbers([torch.ones(2, 2), numbers])
    numbers[1] = bad
    with pytest.raises(TrainingDiverged, match="a number of the field is NaN or infinite"):
        check_numbers([torch.ones(2, 2), numbers])
