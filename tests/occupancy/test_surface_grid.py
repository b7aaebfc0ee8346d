"""The search for the cells that a surface crosses, and its refusal of fields without a surface."""

import math

import numpy as np
import pytest
import torch

from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.surface import LevelError, extract_surface

PLACEMENT = Placement((0.0, 0.0, 0.0), 1.0)


@pytest.mark.slow
def test_a_fine_grid_evaluates_few_of_its_points():
    found = extract_surface(lambda p: 20 * (0.6 - p.norm(dim=-1)), PLACEMENT, 512)
    assert found.evaluations < 0.05 * 513**3
    radius = np.linalg.norm(found.mesh.vertices, axis=1)
    assert abs(radius - 0.6).max() < 1e-4
    assert found.mesh.volume == pytest.approx(4 / 3 * math.pi * 0.6**3, rel=1e-4)


def test_a_shape_between_all_coarse_vertices_is_found():
    def plate(p):
        x, y, z = (p - torch.tensor([0.0, 0.0, 1 / 64])).unbind(-1)
        return 40 * (0.004 - torch.maximum(abs(z), torch.maximum(abs(x), abs(y)) - 0.5))

    found = extract_surface(plate, PLACEMENT, 128)
    assert found.mesh.is_watertight and abs(found.mesh.extents[:2] - 1).max() < 0.05
    with pytest.raises(LevelError, match=r"no surface at level 0.9: .* Try --level 0"):
        extract_surface(plate, PLACEMENT, 128, 0.9)


@pytest.mark.slow
def test_noise_is_refused_before_it_fills_the_memory(monkeypatch):
    def logits(p):
        return torch.sin(1e6 * p).prod(-1)

    with pytest.raises(LevelError, match=r"is noise: .* 1,\d{3},\d{3} of 1,728,000 cells. Try --resolution 64"):
        extract_surface(logits, PLACEMENT, 120)
    monkeypatch.setattr("sinenerf.occupancy.surface_grid.COARSE", 8)
    monkeypatch.setattr("sinenerf.occupancy.surface_grid.MAX_CELLS", 8)
    assert extract_surface(logits, PLACEMENT, 8).mesh.is_watertight
    with pytest.raises(LevelError, match=r"may cross 4,096 of 4,096 cells. Try --resolution 8"):
        extract_surface(logits, PLACEMENT, 1024)  # by its coarse cells


def test_a_level_below_the_field_gives_no_box():
    """The cube's wall counts as outside, and would close a surface around all of it."""

    def logits(p):
        return 1 - p.square().sum(-1)

    with pytest.raises(LevelError, match=r"no surface at level 0.1: .* from 0.119 to 0.731\. Try --level 0.425"):
        extract_surface(logits, PLACEMENT, 16, 0.1)
    assert extract_surface(logits, PLACEMENT, 16, 0.425).mesh.is_watertight


def test_no_surface_names_the_range_and_a_level():
    def logits(p):
        return -1 - p.square().sum(-1)

    with pytest.raises(LevelError, match=r"no surface at level 0.5: .* from 0.018 to 0.269\. Try --level 0.14"):
        extract_surface(logits, PLACEMENT, 16)
    assert extract_surface(logits, PLACEMENT, 16, 0.14).mesh.is_watertight
    with pytest.raises(LevelError, match="between 0 and 1"):
        extract_surface(logits, PLACEMENT, 16, 1.5)
    with pytest.raises(ValueError, match="resolution is 1"):
        extract_surface(logits, PLACEMENT, 1)
    with pytest.raises(LevelError, match="is NaN at some points"):
        extract_surface(lambda p: p[..., 0] * math.nan, PLACEMENT, 16)
