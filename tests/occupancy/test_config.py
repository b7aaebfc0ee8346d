"""Settings of an occupancy field and of its training."""

import math
from dataclasses import fields, replace

import pytest
import torch

from sinenerf.occupancy.config import FitConfig, OccupancyConfig

CONFIGS = OccupancyConfig, FitConfig
BOUNDED = [(kind, f) for kind in CONFIGS for f in fields(kind) if f.metadata["positive"] or f.name in ("seed", "decay")]


@pytest.mark.parametrize(("kind", "field"), BOUNDED, ids=[f.name for _, f in BOUNDED])
def test_each_bound_refuses_with_the_settings_name(kind, field):
    smallest = 1 if field.metadata["positive"] else 0
    replace(kind(), **{field.name: smallest}).check()
    for value in (smallest - 1, -7):
        with pytest.raises(ValueError, match=rf"^{field.name} is {value}: it must be "):
            replace(kind(), **{field.name: value}).check()


def test_all_numbers_are_bounded():
    numbers = {f.name for kind in CONFIGS for f in fields(kind) if f.type in (int, float)}
    assert numbers <= {f.name for _, f in BOUNDED}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_decay_is_finite(value):
    with pytest.raises(ValueError, match=f"^decay is {value}: it must be 0 or more, and finite$"):
        FitConfig(decay=value).check()


def test_a_share_of_points_is_at_most_one():
    FitConfig(near=1.0).check()
    with pytest.raises(ValueError, match=r"near is 1.5: it is a share of the points, at most 1"):
        FitConfig(near=1.5).check()


def test_the_batch_cannot_shrink():
    FitConfig(growth=1.0).check()
    with pytest.raises(ValueError, match=r"growth is 0.5: the points per step can only grow, by a factor of 1 or more"):
        FitConfig(growth=0.5).check()


def test_two_values_for_one_budget_are_refused():
    with pytest.raises(ValueError, match="give minutes or steps, not both"):
        FitConfig(minutes=1.0, steps=5).check()
    with pytest.raises(ValueError, match="give bits or bytes, not both"):
        FitConfig(bits=8.0, bytes=900).check()


def test_budgets_and_sizes_have_defaults():
    assert FitConfig().budget()[0] == 120.0 and FitConfig(steps=7).budget()[1] == 7
    assert FitConfig().file_size(1000) == 1000 and FitConfig(bytes=900).file_size(1000) == 900
    assert FitConfig(bits=32).file_size(1000) is None


def test_a_missing_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device cuda: torch finds no CUDA GPU"):
        FitConfig(device="cuda").check()
