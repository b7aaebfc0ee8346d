"""Samplers: what a training sees."""

import igl
import numpy as np
import pytest
import torch
import trimesh

from sinenerf.occupancy.sampling import SOFTNESS, GridSampler, SurfaceSampler


def test_samplers_agree_with_the_solid_and_with_their_seed(solid):
    for sampler in (SurfaceSampler(solid, 3, 20_000), GridSampler(solid, 3, 20)):
        points, inside = sampler.batch(2, 500)
        assert points.shape == (500, 3) and inside.shape == (500, 1)
        assert (
            (inside[:, 0] > 0.5) == torch.from_numpy(solid.contains(points.double().numpy()))
        ).float().mean() > 0.998
        assert abs(points).max() < 1.3
        assert not torch.equal(points, sampler.batch(3, 500)[0])
    middle, ring = solid.mesh.vertices.mean(0), 0.95 / 1.4  # a torus of radii 1 and 0.4, in cube units
    points, inside = (t.double().numpy() for t in SurfaceSampler(solid, 3, 20_000, near=1.0).batch(0, 5000))
    x, y, z = (points - middle).T
    exact = 0.4 * ring - np.hypot(np.hypot(x, y) - ring, z)
    assert abs(inside[:, 0] - 1 / (1 + np.exp(-exact / SOFTNESS))).mean() < 0.1  # its faces are flat
    again = SurfaceSampler(solid, 3, 20_000), SurfaceSampler(solid, 4, 20_000)
    first = SurfaceSampler(solid, 3, 20_000).batch(2, 500)[0]
    assert torch.equal(first, again[0].batch(2, 500)[0]) and not torch.equal(first, again[1].batch(2, 500)[0])


def test_surface_sampler_is_mostly_near_and_wraps_round(solid):
    sampler = SurfaceSampler(solid, count=20_000)
    points, _ = sampler.batch(0, 20_000)
    distance = abs(trimesh.proximity.signed_distance(solid.mesh, points[:500].double().numpy()))
    assert 0.5 < (distance < 0.1).mean() < 0.95
    again, _ = sampler.batch(1, 19_000)
    assert torch.equal(again[1000:], points[:18_000])


def test_points_lie_as_far_from_the_surface_as_asked(solid):
    near = SurfaceSampler(solid, count=20_000, near=1.0, distance=0.004)
    distances = solid.distance(near.points.double().numpy())
    # along the normal the offsets are Gaussians of standard deviation 0.004 and, for half of the points, 0.016
    assert distances.mean() == pytest.approx(np.sqrt(2 / np.pi) * 0.01, rel=0.1)
    assert np.median(distances) < 0.007
    half = SurfaceSampler(solid, count=20_000, near=0.5, distance=0.004)
    assert (solid.distance(half.points.double().numpy()) < 0.05).mean() < 0.7


def test_grid_sampler_visits_every_voxel_once_an_epoch(solid):
    sampler = GridSampler(solid, resolution=13)
    points = torch.cat([sampler.batch(step, 169)[0] for step in range(13)])
    cells = ((points + 1) / 2 * 13 - 0.5).round().long()
    assert len(torch.unique(cells, dim=0)) == 13**3
    assert abs(points).max() == pytest.approx(12 / 13)


def test_labels_build_one_tree_of_distances(solid, monkeypatch):
    built = []
    with monkeypatch.context() as patch:
        patch.setattr(igl, "AABB", lambda tree=igl.AABB: built.append(tree()) or built[-1])
        SurfaceSampler(solid, count=3 * 2**16)
    assert len(built) == 1
    points = np.random.default_rng(0).uniform(-1, 1, (1000, 3))
    squared, *_ = igl.point_mesh_squared_distance(points, solid.mesh.vertices, solid.mesh.faces)
    assert np.array_equal(solid.distance(points), np.sqrt(squared))
