"""The search for a plane of symmetry, and when a shape is folded in it."""

import numpy as np
import pytest
import trimesh

from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.symmetry import chosen_mirror, find_mirror


def a_chair(extra=0.0):
    """A body with one plane of symmetry, x = 0; with `extra`, a box of that size on one side."""
    parts = [
        trimesh.creation.box((1.0, 1.2, 0.2)),
        trimesh.creation.box((1.0, 0.2, 1.6)).apply_translation([0, 0.5, 0.7]),
    ]
    parts += [trimesh.creation.box((0.2, 0.2, 1.0)).apply_translation([x, -0.4, -0.5]) for x in (-0.4, 0.4)]
    if extra:
        parts.append(trimesh.creation.box((extra,) * 3).apply_translation([0.5, 0, 0.2]))
    return trimesh.util.concatenate(parts)


def solid_of(mesh):
    return Solid(mesh, Placement.of(mesh))


@pytest.fixture(scope="module")
def turned():
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3], [0.3, 0.1, 0])
    return solid_of(a_chair().apply_transform(turn)), turn[:3, 0]


def test_the_plane_of_a_turned_body_is_found(turned):
    solid, normal = turned
    mirror, difference = find_mirror(solid)
    found, _ = mirror.plane()
    assert abs(found @ normal) > 1 - 1e-4 and difference < 0.01


def test_an_axis_is_met_exactly():
    mirror, difference = find_mirror(solid_of(a_chair()))
    assert np.abs(mirror.normal).tolist() == [1, 0, 0] and mirror.offset == 0 and difference < 1e-4


def test_a_shape_is_folded_if_it_costs_nothing_at_its_size():
    solid = solid_of(a_chair(extra=0.12))
    asked = []

    def pays(plane):
        asked.append(plane)
        return False

    mirror, difference = chosen_mirror(solid, "always", 1000, pays)
    assert 0.002 < difference < 0.01
    assert chosen_mirror(solid, "auto", 150, pays) == (mirror, difference)
    assert chosen_mirror(solid, "auto", 100_000, pays) is None and chosen_mirror(solid, "never", 1000, pays) is None
    assert not asked


def test_where_the_asymmetry_does_not_tell_a_trial_decides():
    solid = solid_of(a_chair(extra=0.12))
    asked = []
    assert chosen_mirror(solid, "auto", 5000, lambda plane: not asked.append(plane)) is not None
    assert chosen_mirror(solid, "auto", 5000, lambda plane: False) is None
    assert asked == [find_mirror(solid)[0]]
