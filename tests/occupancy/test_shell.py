"""A shell around an open sheet, and the warning where a mesh is no solid."""

import numpy as np
import pytest
import trimesh
from support.mesh_shapes import kept, moebius_strip, terrain

from sinenerf.occupancy.evaluate import Truth
from sinenerf.occupancy.fit import fit_mesh
from sinenerf.occupancy.mesh_input import prepare_mesh
from sinenerf.occupancy.shell import Shell, thickness_of
from sinenerf.occupancy.solid import Placement


def test_inside_is_where_the_sheet_is_near():
    """A square of side 2, which is flat, as a plate of thickness 0.4."""
    square, _ = prepare_mesh(kept(trimesh.creation.box((2, 2, 2)), lambda z: z > 0.9), sheet=True)
    placement = Placement.of(square, 0.2)
    shell = Shell(square, placement, 0.4)
    points = placement.to_cube(
        np.array([[0, 0, 1.19], [0, 0, 0.81], [0, 0, 1.21], [0.9, 0.9, 1], [1.19, 0, 1], [1.25, 0, 1]])
    )
    assert shell.contains(points).tolist() == [True, True, False, True, True, False]
    assert np.allclose(shell.distance(points)[:3] * placement.scale, 0.01)
    assert abs(points).max() <= 1 and shell.ambiguous_fraction == 0
    truth = Truth(square, placement, 1000, thickness=0.4)
    assert all(inside.any() and not inside.all() for _, inside in truth.samples)


@pytest.mark.parametrize("text", ["0.5", 0.5, "25%", " 25 %"])
def test_thickness_is_in_units_or_a_percentage(text):
    assert thickness_of(text, trimesh.creation.box((1, 2, 1))) == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["0", "-1%", "2", "thin", "nan", "100%"])
def test_a_thickness_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="give a number in the mesh's unit or a percentage"):
        thickness_of(text, trimesh.creation.box((1, 2, 1)))


def test_what_is_no_solid_is_warned_of_or_refused():
    settings = {"steps": 1, "width": 8, "rank": 1, "pool": 1000, "bits": 32}
    with pytest.warns(UserWarning, match="is not a solid: 4. % of the points near its surface.*--thickness"):
        fit_mesh(moebius_strip(), **settings)
    with pytest.raises(ValueError, match="is not a solid"):
        fit_mesh(terrain(), strict=True, **settings)


def test_a_shell_is_fitted_without_a_warning(recwarn):
    field = fit_mesh(terrain(), thickness="10%", strict=True, steps=1, width=8, rank=1, pool=1000, bits=32)
    assert not [w for w in recwarn if "not a solid" in str(w.message)]
    assert field.placement.scale == pytest.approx(1.1 / 0.95, rel=2**-9)
