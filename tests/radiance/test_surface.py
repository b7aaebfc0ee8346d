"""Meshes of shapes whose surface is known."""

import re
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.marching_cubes import (
    EmptySurface,
    clean,
    density_grid,
    map_vertices,
    marching_cubes,
    suggest_level,
)
from sinenerf.radiance.surface import extract_surface
from sinenerf.radiance.warps import NDC, Box, Contraction

CUBE = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
CELL = 2 / 31  # of a grid of 32 samples over the cube


def ball(radius, centre=(0.0, 0.0, 0.0), sharpness=40.0):
    """A density that is 1 on the sphere and changes by e every 1 / sharpness."""
    return lambda points: torch.exp((sharpness * (radius - (points - torch.tensor(centre)).norm(dim=-1))).clamp(max=30))


def union(*densities):
    return lambda points: torch.stack([density(points) for density in densities]).amax(0)


def sample(density, box=CUBE, resolution=32):
    return density_grid(density, resolution, box, "cpu", progress=False)


@pytest.fixture
def sphere():
    return marching_cubes(sample(ball(0.6)), 1.0, CUBE)


@pytest.fixture
def coloured(sphere):
    colours = np.random.default_rng(0).integers(0, 256, (len(sphere.vertices), 4), dtype=np.uint8)
    colours[:, 3] = 255
    sphere.visual.vertex_colors = colours
    return sphere


def test_grid_is_the_density_at_its_vertices():
    grid = sample(lambda p: p @ torch.tensor([1.0, 10.0, 100.0]), ((0, 0, 0), (1, 2, 3)), 61)
    assert grid.shape == (21, 41, 61)  # 3 / 60 a cell
    assert grid.dtype == np.float32
    assert grid[0, 0, 0] == 0
    assert grid[10, 20, 60] == pytest.approx(0.5 + 10 + 300)
    assert grid[-1, -1, -1] == pytest.approx(321)


def test_grid_is_evaluated_in_chunks_without_gradients():
    layer, sizes = torch.nn.Linear(3, 1), []

    def density(points):
        sizes.append(len(points))
        return layer(points)[:, 0]

    tracemalloc.start()
    grid = density_grid(density, 128, CUBE, "cpu", progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(sizes) <= 2**17
    assert sum(sizes) == 128**3
    assert peak < grid.nbytes + 2**24, "the points of the whole grid are 25 MB"


@pytest.mark.parametrize(("resolution", "box"), [(1, CUBE), (8, ((0, 0, 0), (1, 0, 1)))])
def test_grid_without_cells_is_refused(resolution, box):
    with pytest.raises(ValueError, match="at least 2 samples"):
        density_grid(ball(0.6), resolution, box, "cpu")


@pytest.mark.parametrize("sharpness", [5, 40, 400])
def test_sphere_has_its_radius(sharpness):
    mesh = marching_cubes(sample(ball(0.6, sharpness=sharpness)), 1.0, CUBE)
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert np.abs(radius - 0.6).max() < (0.5 if sharpness == 400 else 0.02) * CELL
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.02)  # positive: outward


def test_level_moves_the_surface():
    mesh = marching_cubes(sample(ball(0.6)), np.exp(4), CUBE)
    assert np.linalg.norm(mesh.vertices, axis=1).mean() == pytest.approx(0.5, abs=0.01)


def test_long_box():
    box = ((-1, -2, 0.5), (1, 1, 1.5))
    mesh = marching_cubes(sample(ball(0.4, (0.2, -1.0, 1.0)), box, 64), 1.0, box)
    assert np.abs(np.linalg.norm(mesh.vertices - (0.2, -1, 1), axis=1) - 0.4).max() < 3 / 63
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.02)


def test_cut_by_the_box_the_surface_is_open():
    mesh = marching_cubes(sample(ball(0.6, (0.0, 0.0, 1.0))), 1.0, CUBE)
    assert not mesh.is_watertight
    assert mesh.area == pytest.approx(2 * np.pi * 0.6**2, rel=0.02)  # half of the sphere, without a wall
    assert mesh.bounds[1, 2] == 1


@pytest.mark.parametrize("level", [-1.0, 0.0, 1e-30, 1e30])
def test_empty_surface_suggests_a_level_that_works(level):
    grid = sample(ball(0.6))
    with pytest.raises(EmptySurface) as caught:
        marching_cubes(grid, level, CUBE)
    message = str(caught.value)
    assert "\n" not in message
    assert f"from {grid.min():.3g} to {grid.max():.3g}" in message
    suggestion = float(re.search(r"--level (\S+)", message)[1])
    assert len(marching_cubes(grid, suggestion, CUBE).faces)


def test_suggestion_in_a_narrow_range_is_inside():
    grid = np.full((4, 4, 4), 1000.5, np.float32)
    grid[1, 1, 1] = 1000.6
    with pytest.raises(EmptySurface) as caught:
        marching_cubes(grid, 5.0, CUBE)
    assert 1000.5 < float(re.search(r"--level (\S+)", str(caught.value))[1]) < 1000.6


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0])
def test_constant_density_has_no_level(value):
    with pytest.raises(EmptySurface, match=f"from {value:.3g} to {value:.3g} .* no level"):
        marching_cubes(np.full((4, 4, 4), value, np.float32), 1.0, CUBE)


def test_level_within_rounding_of_the_maximum():
    grid = np.zeros((4, 4, 4), np.float32)
    grid[1, 1, 1] = 1
    with pytest.raises(EmptySurface, match="no surface"):
        marching_cubes(grid, 1 - 1e-12, CUBE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("function", [suggest_level, lambda grid: marching_cubes(grid, 1.0, CUBE)])
def test_density_that_is_no_number(function, value):
    grid = sample(ball(0.6))
    grid[3, 4, 5:7] = value
    with pytest.raises(ValueError, match="NaN or infinite at 2 of 32768 grid points") as caught:
        function(grid)
    assert not isinstance(caught.value, EmptySurface)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(("empty", "solid"), [(1e-3, 1e2), (0.1, 30.0), (1e-8, 1e5)])
def test_level_lies_between_two_populations(share, empty, solid):
    rng = np.random.default_rng(0)
    is_solid = rng.random((48, 48, 48)) < share
    grid = np.exp(np.where(is_solid, np.log(solid), np.log(empty)) + 0.7 * rng.standard_normal(is_solid.shape))
    level = suggest_level(grid.astype(np.float32))
    assert np.mean((grid > level) == is_solid) > 0.99
    assert level == pytest.approx(np.sqrt(max(empty, 0.1) * min(solid, 1e3)), rel=1)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_level_of_densities_all_thin_or_all_thick_is_inside(scale):
    grid = scale * (1 + np.random.default_rng(0).random((8, 8, 8), dtype=np.float32))
    assert grid.min() < suggest_level(grid) < grid.max()


def test_components():
    grid = sample(union(ball(0.5, (-0.4, 0.0, 0.0)), ball(0.2, (0.7, 0.7, 0.7))))
    both = marching_cubes(grid, 1.0, CUBE)
    both.visual.vertex_colors = np.where(both.vertices[:, :1] < 0.3, [[255, 0, 0, 255]], [[0, 0, 255, 255]])
    small = len(both.faces) - len(clean(both, True, 0).faces)
    assert both.body_count == 2
    assert 0 < small < len(both.faces) / 2

    assert len(clean(both, False, small).faces) == len(both.faces)
    for one in (clean(both, True, 10**9), clean(both, False, small + 1)):
        assert one.volume == pytest.approx(4 / 3 * np.pi * 0.5**3, rel=0.02)
        assert (one.visual.vertex_colors == [255, 0, 0, 255]).all()
        assert len(one.visual.vertex_colors) == len(one.vertices)
    assert both.body_count == 2, "the mesh itself is left alone"


def test_no_component_is_large_enough(sphere):
    with pytest.raises(ValueError, match=f"the largest has {len(sphere.faces)}$"):
        clean(sphere, False, 10**6)


@pytest.mark.parametrize(
    "function",
    [
        lambda v: v * [1.0, 2.0, 3.0] + 5,
        lambda v: v * [1.0, 1.0, -1.0],
        lambda v: v[:, [1, 0, 2]],
        lambda v: np.sinh(2 * v) * [-1.0, 1.0, 1.0],
        lambda v: NDC(0.7, 0.5).unwarp_points(torch.from_numpy(v).float()).numpy(),
    ],
    ids=["affine", "mirror", "swap", "curved mirror", "ndc"],
)
def test_mapped_normals_stay_outward(coloured, function):
    before = coloured.vertices.copy()
    mapped = map_vertices(coloured, function)
    assert np.allclose(mapped.vertices, function(before))
    assert mapped.volume > 0
    assert (mapped.visual.vertex_colors == coloured.visual.vertex_colors).all()
    assert (coloured.vertices == before).all()


def test_where_the_map_is_flat_it_does_not_vote(sphere):
    mapped = map_vertices(sphere, lambda v: np.column_stack([-v[:, 0], v[:, 1], np.maximum(v[:, 2], 0.2)]))
    assert mapped.volume > 0


@settings(max_examples=25, deadline=None)
@given(
    radii=st.tuples(*[st.floats(0.3, 0.6)] * 3),
    centre=st.tuples(*[st.floats(-0.3, 0.3)] * 3),
    sharpness=st.floats(5, 60),
    level=st.floats(0.2, 5),
)
def test_any_ellipsoid(radii, centre, sharpness, level):
    """Its surface, where sharpness * (1 - |p / radii|) = log level, is closed, outward and in its place."""
    radii, centre = torch.tensor(radii), torch.tensor(centre)
    scale = 1 - np.log(level) / sharpness

    def density(points):
        return torch.exp(sharpness * (1 - ((points - centre) / radii).norm(dim=-1)))

    box = ((-1.2, -1.2, -1.2), (1.2, 1.2, 1.2))  # 0.3 + 0.6 scale at most
    mesh = marching_cubes(sample(density, box, 28), level, box)
    assert mesh.is_watertight
    assert mesh.body_count == 1
    distance = np.linalg.norm((mesh.vertices - centre.numpy()) / radii.numpy(), axis=1) - scale
    assert np.abs(distance).max() * float(radii.min()) < 2.4 / 27
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * scale**3 * float(radii.prod()), rel=0.15)


class Ball(torch.nn.Module):
    """A grey ball and, far outside the part of a contraction that is not distorted, another one of twice the size."""

    warp, far = Contraction((1.0, 0.0, 0.0), 2.0), 0.95

    def __init__(self):
        super().__init__()
        self.parameter = torch.nn.Parameter(torch.zeros(1))

    def density(self, points):
        near, far = ball(1.0, (1.0, 0.5, 0.0), sharpness=4.0), ball(2.0, (9.0, 0.0, 0.0), sharpness=4.0)
        return union(near, far)(self.warp.unwarp_points(points))[..., None]

    def colour(self, points, directions):
        assert torch.allclose(directions.norm(dim=-1), torch.ones(len(points)))
        return torch.full((len(points), 3), 0.5)


def test_a_surface_outside_the_undistorted_part_of_a_contraction_has_its_size():
    mesh = extract_surface(Ball(), 128, 1.0, largest_component=False, min_faces=10)
    near, far = sorted(mesh.split(only_watertight=False), key=lambda piece: piece.vertices[:, 0].mean())
    np.testing.assert_allclose(near.bounds, [[0, -0.5, -1], [2, 1.5, 1]], atol=0.05)
    np.testing.assert_allclose(far.bounds, [[7, -2, -2], [11, 2, 2]], atol=0.3)
    assert near.volume > 0 and far.volume > 0


class Wall(Ball):
    """A wall before cameras that face one way."""

    warp, far = NDC(0.5, 0.25), 0.95

    def density(self, points):
        return torch.exp((40 * points[..., 2:]).clamp(-30, 30))


@pytest.mark.parametrize(("shift", "reach"), [(None, (1, 1)), (0.2, (1.4, 1)), (9.0, (2, 1))])
def test_a_surface_before_cameras_that_face_one_way_reaches_as_far_as_they_see(shift, reach):
    """It was cut at the view of the mean camera."""
    views = []
    for side in () if shift is None else (-shift, shift):
        pose = np.column_stack([np.eye(3), [side, 0, 0]])
        views.append(Camera(pose, 320.0, 320.0, 160.0, 80.0, 320, 160))
    mesh = extract_surface(Wall(), 33, 1.0, largest_component=False, min_faces=10, views=views)
    inside = Wall.warp.warp_points(torch.from_numpy(np.array(mesh.vertices)))
    np.testing.assert_allclose(inside[:, :2].abs().amax(0), reach, atol=0.05)
    np.testing.assert_allclose(inside[:, 2], 0, atol=0.02)
    assert len(mesh.vertices) == pytest.approx(33**2 * reach[0], rel=0.1)  # the cells are as large as without views


class Slab(Ball):
    """A ball in a flat box, and another one beyond the box, where no ray was trained on."""

    warp, far = Box((1.0, 0.0, 0.0), (2.0, 2.0, 1.0)), 1.0

    def density(self, points):
        inner, outer = ball(0.5, (1.0, 0.0, 0.0), sharpness=20.0), ball(0.3, (1.0, 0.0, 1.5), sharpness=20.0)
        return union(inner, outer)(self.warp.unwarp_points(points))[..., None]


def test_the_surface_of_a_box_ends_where_rays_do():
    mesh = extract_surface(Slab(), 65, 1.0, largest_component=False, min_faces=10)
    np.testing.assert_allclose(mesh.bounds, [[0.5, -0.5, -0.5], [1.5, 0.5, 0.5]], atol=0.02)
