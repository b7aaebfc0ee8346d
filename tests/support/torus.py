"""A torus: as a file, and away from the origin as a mesh and as a solid."""

import pytest
import trimesh

from sinenerf.occupancy.solid import Placement, Solid


@pytest.fixture(scope="session")
def torus_file(tmp_path_factory):
    """A torus at the origin, as a file."""
    path = tmp_path_factory.mktemp("torus") / "torus.ply"
    trimesh.creation.torus(1.0, 0.4).export(path)
    return path


@pytest.fixture
def torus():
    mesh = trimesh.creation.torus(1.0, 0.4)
    mesh.apply_transform(trimesh.transformations.translation_matrix([5, 6, 7]))
    return mesh


@pytest.fixture
def solid(torus):
    return Solid(torus, Placement.of(torus))
