"""What it costs to fold a nearly symmetric solid, and whether a short training finds that it pays."""

import numpy as np
import pytest
import torch
import trimesh

from sinenerf.common.progress import TaskProgress
from sinenerf.occupancy import sampling
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.mirror_trial import folding_cost, folding_pays
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training

PLANE = Mirror.of(np.array([1.0, 0, 0]), 0.0)


def a_torus(wart=0.0):
    """A torus around the z axis; with a wart, a ball of that radius on one side."""
    torus = trimesh.creation.torus(1.0, 0.4)
    parts = [torus, trimesh.creation.icosphere(2, wart).apply_translation([0.7, 0.7, 0.4])] if wart else [torus]
    mesh = trimesh.util.concatenate(parts)
    return Solid(mesh, Placement((0.0, 0.0, 0.0), 1.5))


def points_of(solid):
    return solid.near_surface(20_000, 0.02, np.random.default_rng(0))


def test_a_symmetric_solid_costs_nothing_and_a_larger_wart_costs_more():
    costs = [folding_cost(solid, PLANE, points_of(solid)) for solid in (a_torus(), a_torus(0.1), a_torus(0.3))]
    assert costs[0] < 1e-4 < costs[1] < costs[2]


def test_the_cost_is_that_of_answering_the_mean_of_both_labels():
    """A half ball folded onto its empty half: points deep on either side have the labels 0 and 1, which costs ln 2."""
    ball = trimesh.creation.icosphere(3, 0.9).slice_plane([0, 0, 0], [1, 0, 0], cap=True)
    solid = Solid(ball, Placement((0.0, 0.0, 0.0), 1.0))
    deep = np.array([[0.4, 0, 0], [-0.4, 0, 0.1]])
    assert folding_cost(solid, PLANE, deep) == pytest.approx(np.log(2), rel=1e-6)


def test_the_trial_labels_the_points_of_the_training_itself(monkeypatch):
    """They were labelled twice, and first without a bar, where a bar is shown."""
    made = []
    plain = sampling.SurfaceSampler.__init__

    def counted(self, solid, seed, count, *rest):
        made.append((count, *rest[2:]))
        plain(self, solid, seed, count, *rest)

    monkeypatch.setattr(sampling.SurfaceSampler, "__init__", counted)
    monkeypatch.setattr("sinenerf.occupancy.mirror_trial.STEPS", 1)
    architecture, config = split_settings({"bytes": 1000, "pool": 9_000, "steps": 1})
    solid, bar = a_torus(), TaskProgress("Fitting", True)
    field = OccupancyField(architecture, solid.placement)
    state = torch.get_rng_state()
    folding_pays(field, solid, config, PLANE, 1000, bar)
    assert torch.equal(torch.get_rng_state(), state)  # the caller's generator is left alone
    Training(field, solid, config, bar)
    assert [pool for pool in made if pool[0] == 9_000] == [(9_000, True)]


@pytest.mark.slow
def test_it_pays_only_if_the_wart_is_small():
    architecture, config = split_settings({"bytes": 1000, "pool": 50_000})
    paying = []
    for wart in (0.05, 0.5):
        solid = a_torus(wart)
        torch.manual_seed(0)
        field = OccupancyField(architecture, solid.placement)
        before = {name: value.clone() for name, value in field.state_dict().items()}
        paying.append(folding_pays(field, solid, config, PLANE, 1000, TaskProgress("Fitting", False)))
        assert all(torch.equal(value, before[name]) for name, value in field.state_dict().items())
    assert paying == [True, False]
