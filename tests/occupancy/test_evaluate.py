"""Metrics of shapes."""

import numpy as np
import pytest
import trimesh

from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.evaluate import evaluate, iou, surface_distance
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.solid import Placement


def test_metrics_of_known_shapes():
    a, b = trimesh.creation.icosphere(4, 1.0), trimesh.creation.icosphere(4, 1.05)
    assert iou(np.array([1, 1, 0], bool), np.array([1, 0, 1], bool)) == pytest.approx(1 / 3)
    same, apart = surface_distance(a, a, 20_000), surface_distance(b, a, 50_000)
    assert same.f_score_half_percent == 1 and same.normal_consistency == pytest.approx(1)
    other = trimesh.creation.icosphere(5, 1.0).apply_transform(trimesh.transformations.random_rotation_matrix())
    again = surface_distance(other, trimesh.creation.icosphere(5, 1.0), 5_000)  # another net of the same surface
    assert again.chamfer_l1 < 2e-4 and again.normal_consistency > 0.999 and again.f_score_half_percent == 1
    diagonal = 2 * 3**0.5
    assert apart.chamfer_l1 == pytest.approx(0.05 / diagonal, rel=0.1)
    assert apart.f_score_half_percent == 0  # 0.05 is 1.4 % of the diagonal
    assert apart.f_score_one_percent == 0


def test_nothing_is_no_perfect_score():
    assert iou(np.zeros(3, bool), np.zeros(3, bool)) == 0


def test_the_normals_of_a_tiny_mesh_count():
    """A part of 20 micrometres in metres: trimesh gives no normal to faces as small as these."""
    part = trimesh.creation.icosphere(6, 1e-5)
    assert surface_distance(part, part, 1000).normal_consistency == pytest.approx(1)


def test_too_few_points_are_refused_before_a_surface_is_extracted(torus, monkeypatch):
    monkeypatch.setattr("sinenerf.occupancy.evaluate.surface_of", lambda *arguments: pytest.fail("it is extracted"))
    field = OccupancyField(OccupancyConfig(width=16, rank=2), Placement.of(torus))
    with pytest.raises(ValueError, match="points is 4: at least 5 are needed"):
        evaluate(field, 900, torus, points=4)


def test_the_iou_is_a_plain_number():
    """A numpy scalar in a checkpoint would make it unreadable without unpickling."""
    assert type(iou(np.array([True, False]), np.array([True, True]))) is float
