"""The guess of the axis that points up, of shapes whose up is known, in all six orientations."""

from typing import get_args

import numpy as np
import pytest
import trimesh
from support.mesh_shapes import ball, box, joined, moebius_strip

from sinenerf.common.axes import Up, upright_axes
from sinenerf.occupancy.upright import Y_SHARE, guess_up


def cylinder(radius, low, high):
    return trimesh.creation.cylinder(radius, high - low).apply_translation([0, 0, (low + high) / 2])


def bust():
    return joined(cylinder(0.6, 0, 0.3), cylinder(0.25, 0.2, 1.0), ball(0.45, (0, 0.1, 1.3)))


def house():
    roof = trimesh.convex.convex_hull([[x, y, 1] for x in (-1, 1) for y in (-0.6, 0.6)] + [[-1, 0, 1.6], [1, 0, 1.6]])
    return joined(box((-1, -0.6, 0), (1, 0.6, 1)), roof)


def table():
    legs = [box((x, y, 0), (x + 0.1, y + 0.1, 0.9)) for x in (-1, 0.9) for y in (-0.6, 0.5)]
    return joined(box((-1, -0.6, 0.9), (1, 0.6, 1)), *legs)


def bowl():
    return trimesh.creation.revolve([[0, 0], [0.3, 0], [1, 0.6], [0.95, 0.6], [0.28, 0.05], [0, 0.05]])


def car():
    wheel = trimesh.creation.cylinder(
        0.35, 0.2, transform=trimesh.transformations.rotation_matrix(np.pi / 2, [0, 1, 0])
    )
    wheels = [wheel.copy().apply_translation([x, y, 0.35]) for x in (-0.75, 0.75) for y in (-1.2, 1.2)]
    return joined(box((-0.8, -1.8, 0.3), (0.8, 1.8, 0.9)), box((-0.7, -1, 0.9), (0.7, 0.8, 1.4)), *wheels)


def turned_to(mesh, up):
    """A mesh that is z up, with another axis up."""
    matrix = np.eye(4)
    matrix[:3, :3] = upright_axes(up).T @ upright_axes("z")
    return mesh.copy().apply_transform(matrix)


@pytest.mark.parametrize("up", get_args(Up))
def test_a_bust_is_turned_upright_from_any_side(up):
    for suffix in (*Y_SHARE, ".drc"):
        guess = guess_up(turned_to(bust(), up), suffix)
        assert guess.up == up and "since it stands that way" in str(guess), suffix


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("shape", [house, table, bowl, car])
def test_y_and_z_are_told_apart_whatever_the_file_type(shape, up):
    for suffix in Y_SHARE:
        assert guess_up(turned_to(shape(), up), suffix).up == up, suffix


def test_the_file_type_decides_where_the_form_does_not():
    guesses = {suffix: guess_up(ball(), suffix) for suffix in (".stl", ".obj", ".glb", ".OBJ")}
    assert {suffix: guess.up for suffix, guess in guesses.items()} == {
        ".stl": "z",
        ".obj": "y",
        ".glb": "y",
        ".OBJ": "y",
    }
    assert "probably z" in str(guesses[".stl"]) and "surely y, as glTF demands" in str(guesses[".glb"])
    assert "perhaps" in str(guess_up(ball(), ".ply"))


def test_a_shape_that_mirrors_along_one_axis_alone_is_not_upright_along_it():
    """A figure that mirrors along y cannot be y up, even in an OBJ."""
    figure = joined(ball(0.5), ball(0.3, (0.5, 0, 0.6)), ball(0.2, (0.9, 0, 1.3)), ball(0.25, (-0.4, 0, 0.2)))
    assert guess_up(figure, ".obj").up == "z"


@pytest.mark.parametrize("mesh", [moebius_strip(), trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])])
def test_sheets_have_a_guess_too(mesh):
    assert 0 < guess_up(mesh).certainty < 1
