"""scripts/experiment_collection.py: what the networks of a collection share."""

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import trimesh

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import experiment_collection as experiment

BY_NAME = {variant.name: variant for variant in experiment.VARIANTS}


def test_shared_parameters_are_one_tensor_and_count_once():
    variant = BY_NAME["sine, V and first layer shared, k = 6"]
    first, second = made = experiment.networks(variant, 2, 16, 0)
    shared = {name for name, p in first.named_parameters() if p is second.get_parameter(name)}
    assert shared == {f"trunk.layers.{part}" for part in ("0.weight", "0.bias", "1.V", "2.V")}
    one = sum(p.numel() for p in first.parameters())
    both = sum(p.numel() for p in experiment.parameters_of(made))
    assert both == 2 * one - 4 * 16 - 2 * 10 * 6  # of V, the anchored rows are no parameters


def test_the_width_is_the_largest_that_fits():
    variant = BY_NAME["dense, hidden matrices shared"]
    width = experiment.largest_width(variant, 3, 3000)

    def count(width):
        return sum(p.numel() for p in experiment.parameters_of(experiment.networks(variant, 3, width, 0)))

    assert count(width) <= 3000 < count(width + 2)


def test_an_own_change_starts_at_zero_and_sets_the_shapes_apart():
    variant = replace(BY_NAME["dense, hidden matrices shared, own change of rank 2"])
    first, second = experiment.networks(variant, 2, 16, 0)
    assert torch.equal(first.trunk.layers[1].weight, second.trunk.layers[1].weight)
    with torch.no_grad():
        first.trunk.layers[1].parametrizations.weight[0].A += 1
    assert not torch.equal(first.trunk.layers[1].weight, second.trunk.layers[1].weight)


def test_networks_at_their_mean_need_no_bits_for_differences():
    variant = BY_NAME["dense, separate, pulled to their mean, 1"]
    made = experiment.networks(variant, 2, 16, 0)
    with torch.no_grad():
        for parameter in made[1].parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    before = experiment.saved_bits(made)
    experiment.move_to_mean(made, 0.75)  # differences are a quarter as large: two bits
    assert experiment.saved_bits(made) - before == pytest.approx(2, abs=0.1)


@pytest.mark.slow
def test_shapes_are_learnt_together(monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr(experiment.time, "process_time", lambda: next(ticks) / 100)  # a hundred steps a second
    options = experiment.Options(meshes=(), pool=20_000)
    ball = trimesh.creation.icosphere(3)
    shapes = [experiment.Shape(mesh, options.pool, 0) for mesh in (ball, ball.copy().apply_scale([1, 0.5, 0.8]))]
    variant = BY_NAME["dense, hidden matrices shared, own change of rank 2"]
    few = experiment.train(variant, shapes, 600, replace(options, seconds=1e-3))
    more = experiment.train(variant, shapes, 600, replace(options, seconds=1.5))
    assert few["steps"] == 2 and more["steps"] == 300
    assert more["iou"] > 0.9 > few["iou"]
