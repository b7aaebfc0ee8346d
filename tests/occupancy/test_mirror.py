"""Planes of symmetry: reflection, the fold, and fields that know one half of their shape."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.solid import Placement

OBLIQUE = Mirror.of(np.array([0.6, -0.3, 0.7]), -0.11)


def test_the_fold_keeps_one_side_and_reflects_the_other():
    points = np.random.default_rng(0).uniform(-1, 1, (100, 3))
    normal, offset = OBLIQUE.plane()
    assert np.linalg.norm(normal) == pytest.approx(1) and offset == pytest.approx(-0.11, abs=1e-4)
    images, folded = OBLIQUE.reflect(points), OBLIQUE.fold(torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(OBLIQUE.reflect(images), points, atol=1e-12)
    beyond = points @ normal < offset
    assert 20 < beyond.sum() < 80
    np.testing.assert_allclose(folded[beyond], images[beyond], atol=1e-12)
    assert np.array_equal(folded[~beyond], points[~beyond])


def test_a_field_with_a_plane_is_its_own_image(tmp_path):
    placement = Placement((1.0, 2.0, 3.0), 2.0, mirror=OBLIQUE)
    field = OccupancyField(OccupancyConfig(width=16, rank=2), placement).eval()
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (200, 3))
    own, image = (field.logits(torch.from_numpy(p).float()) for p in (points, OBLIQUE.reflect(points)))
    torch.testing.assert_close(own, image, atol=1e-4, rtol=0)
    assert own.std() > 1e-3
    field.save(tmp_path / "x.sine")
    assert OccupancyField.load(tmp_path / "x.sine").placement == placement
    assert field.describe().architecture["mirror"] == str(OBLIQUE)


@pytest.mark.slow
def test_one_half_is_fitted_where_a_shape_is_symmetric():
    """Two balls of different sizes side by side: the plane that swaps their sides, not the one between them."""
    mesh = trimesh.creation.icosphere(3).apply_translation([2.0, 0, 0]) + trimesh.creation.icosphere(3)
    network, config = OccupancyConfig("dense", width=16), FitConfig(steps=200, batch=1024, pool=20_000)
    assert fit(mesh, network, config).placement.mirror is None  # too short for a search
    history = []
    folded = fit(mesh, network, replace(config, mirror="always"), history=history)
    assert folded.placement.mirror is not None and history[-1]["iou"] > 0.8
    made = folded.mesh(48)
    assert np.allclose(made.bounds, mesh.bounds, atol=0.2)
