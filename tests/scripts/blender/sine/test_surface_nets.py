"""Surfaces by numpy alone: closed, outwards, and where the function is zero."""

import numpy as np
import pytest
from support.blender import addon_module

surface_nets = addon_module("surface_nets")
CENTRE = np.array([0.1, 0.0, 0.05])


def ball(points):
    return 0.6 - np.linalg.norm(points - CENTRE, axis=1)


def test_a_ball_is_closed_and_outwards():
    grid = surface_nets.sampled(ball, -np.ones(3), np.ones(3), 32)
    vertices, quads = surface_nets.surface_nets(grid)
    places = vertices * 2 / 32 - 1 - CENTRE
    radii = np.linalg.norm(places, axis=1)
    assert radii.min() > 0.595 and radii.max() < 0.6001
    a, b, c, d = (places[quads[:, i]] for i in range(4))
    assert ((np.cross(c - a, d - b) * places[quads].mean(1)).sum(1) > 0).all()
    edges = np.sort(np.concatenate([quads[:, [i, (i + 1) % 4]] for i in range(4)]), axis=1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all() and len(vertices) - len(unique) + len(quads) == 2


def test_blocks_far_from_the_surface_are_left_out():
    count = 0

    def counted(points):
        nonlocal count
        count += len(points)
        return ball(points)

    low, high = -np.ones(3), np.array([1.0, 1.0, 0.5])
    grid = surface_nets.sampled(counted, low, high, 64)
    assert grid.shape == (65, 65, 49) and count < grid.size / 2
    axes = [np.linspace(a, b, n) for a, b, n in zip(low, high, grid.shape, strict=True)]
    whole = ball(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)).reshape(grid.shape)
    for part, full in zip(surface_nets.surface_nets(grid), surface_nets.surface_nets(whole), strict=True):
        np.testing.assert_allclose(part, full, atol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
def test_no_surface_is_empty(sign):
    grid = surface_nets.sampled(lambda points: np.full(len(points), float(sign)), -np.ones(3), np.ones(3), 8)
    vertices, quads = surface_nets.surface_nets(grid)
    assert vertices.shape == (0, 3) and quads.shape == (0, 4)


def test_parts_make_the_whole(monkeypatch):
    monkeypatch.setattr(surface_nets, "CHUNK", 7)
    rows = np.arange(60.0).reshape(20, 3)
    np.testing.assert_array_equal(surface_nets.in_parts(lambda a, b: a + b, rows, 2 * rows), 3 * rows)


@pytest.mark.parametrize("count", [1, 2])
def test_the_pieces_with_the_most_faces_are_kept(count):
    centres, radii = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.8, 0]]), np.array([0.4, 0.3, 0.1])

    def balls(points):
        return (radii - np.linalg.norm(points[:, None] - centres, axis=2)).max(1)

    whole = surface_nets.surface_nets(surface_nets.sampled(balls, -np.ones(3), np.ones(3), 32))
    vertices, quads = surface_nets.without_specks(*whole, count)
    places = vertices * 2 / 32 - 1
    assert len(np.unique(quads)) == len(vertices) and len(quads) < len(whole[1])
    assert np.abs(np.linalg.norm(places[:, None] - centres[:2], axis=2) - radii[:2]).min(1).max() < 0.01
    assert all(len(places[places[:, 0] * side > 0.1]) > 100 for side in (-1, 1))
