"""Failed training is detected before it does harm."""

import math

import pytest
import torch

from sinenerf.plugin.divergence import TrainingDiverged, check_losses, check_parameters, find_collapse


def peaked_weights(peak, total):
    """Weights of 8 rays with 20 samples each, which sum to `total` and peak at a position on the ray."""
    position = torch.linspace(0, 1, 20)[None, :, None].expand(8, 20, 1)
    weights = torch.exp(-(((position - peak) / 0.02) ** 2))
    return total * weights / weights.sum(1, keepdim=True)


def test_an_ordinary_scene_has_not_collapsed():
    assert find_collapse(peaked_weights(0.5, 0.9)) is None


def test_an_empty_scene_has_collapsed():
    assert "nothing" in find_collapse(peaked_weights(0.5, 1e-4))


def test_a_filled_scene_has_collapsed():
    assert "fills everything" in find_collapse(peaked_weights(0.0, 1.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_losses_that_are_not_finite_are_named(bad):
    with pytest.raises(TrainingDiverged, match="rgb_coarse is NaN or infinite"):
        check_losses({"rgb": torch.tensor(0.1), "rgb_coarse": torch.tensor(bad)})
    check_losses({"rgb": torch.tensor(0.1)})


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_parameters_that_are_not_finite_are_refused(bad):
    values = torch.zeros(3)
    check_parameters([torch.ones(2, 2), values])
    values[1] = bad
    with pytest.raises(TrainingDiverged, match="a parameter of the field is NaN or infinite"):
        check_parameters([torch.ones(2, 2), values])
