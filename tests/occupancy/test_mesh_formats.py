"""Broken and strange meshes as files: each is right, or warned of, or refused by a line that names its fault."""

import numpy as np
import pytest
from support.mesh_corpus import CASES

from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.solid import LARGEST_AMBIGUOUS_FRACTION, Placement, Solid


def test_the_corpus_is_large():
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
def test_every_mesh_of_the_corpus(name, tmp_path):
    case = CASES[name]
    path = case.write(tmp_path)
    if case.refusal:
        with pytest.raises(ValueError, match=case.refusal) as error:
            solid, _ = _read(path)
            assert solid.ambiguous_fraction
        assert "\n" not in str(error.value) and "Error" not in str(error.value)
        return
    solid, report = _read(path)
    assert case.report in str(report)
    assert (solid.ambiguous_fraction > LARGEST_AMBIGUOUS_FRACTION) == case.warning
    if case.solid is not None:
        points = _points(solid)
        world = solid.placement.from_cube(points)
        assert np.mean(solid.contains(points) == case.solid(world)) > 0.999


def _read(path):
    mesh, report = read_mesh(path)
    return Solid(mesh, Placement.of(mesh)), report


def _points(solid):
    """Points of the cube and near the surface, except nearer to it than the facets of a ball are to the ball."""
    random = np.random.default_rng(1)
    points = np.concatenate([random.uniform(-1, 1, (10_000, 3)), solid.near_surface(10_000, 0.04, random)])
    return points[solid.distance(points) > 0.01]
