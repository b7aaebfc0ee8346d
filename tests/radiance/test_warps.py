"""Warps of points and rays into the cube."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sinenerf.radiance.warps import NDC, Box, Contraction

WARPS = {
    "ndc": NDC(0.6, 0.45),
    "box": Box((0.5, -1.0, 2.0), (1.0, 2.0, 0.5)),
    "contraction": Contraction((0.5, -1.0, 2.0), 1.5),
}


def rays(n=64):
    torch.manual_seed(0)
    origins = torch.randn(n, 3) * 0.1
    directions = torch.nn.functional.normalize(torch.randn(n, 3) * 0.3 + torch.tensor([0.0, 0, -1]), dim=-1)
    return origins, directions


def test_ndc_follows_the_published_convention():
    """Appendix C of Mildenhall et al. 2020, as in its published code, for a 504x378 image with focal length 400."""
    height, width, focal, near = 378, 504, 400.0, 1.0
    warp = NDC(width / (2 * focal), height / (2 * focal), near)
    o, d = rays()
    t = -(near + o[:, 2]) / d[:, 2]
    o = o + t[:, None] * d
    expected_o = torch.stack(
        [
            -1.0 / (width / (2 * focal)) * o[:, 0] / o[:, 2],
            -1.0 / (height / (2 * focal)) * o[:, 1] / o[:, 2],
            1.0 + 2 * near / o[:, 2],
        ],
        -1,
    )
    expected_d = torch.stack(
        [
            -1.0 / (width / (2 * focal)) * (d[:, 0] / d[:, 2] - o[:, 0] / o[:, 2]),
            -1.0 / (height / (2 * focal)) * (d[:, 1] / d[:, 2] - o[:, 1] / o[:, 2]),
            -2 * near / o[:, 2],
        ],
        -1,
    )
    got = warp.warp_rays(*rays())
    torch.testing.assert_close(got.origins, expected_o)
    torch.testing.assert_close(got.directions * got.far, expected_d)


def test_ndc_rays_run_from_the_near_plane_to_infinity():
    got = WARPS["ndc"].warp_rays(*rays())
    torch.testing.assert_close(got.origins[:, 2], torch.full((64,), -1.0))
    torch.testing.assert_close((got.origins + got.far * got.directions)[:, 2], torch.ones(64))


@pytest.mark.parametrize("name", WARPS)
@settings(max_examples=30, deadline=None)
@given(xyz=st.tuples(*[st.floats(-3, 3)] * 2, st.floats(-50, -1.01)))
def test_unwarping_inverts_warping(name, xyz):
    warp, point = WARPS[name], torch.tensor([xyz], dtype=torch.float64)
    torch.testing.assert_close(warp.unwarp_points(warp.warp_points(point)), point, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", WARPS)
def test_points_on_rays_in_the_cube_are_points_on_world_rays(name):
    warp = WARPS[name]
    origins, directions = (x.double() for x in rays())
    if name == "box":
        directions = torch.nn.functional.normalize(torch.tensor([0.5, -1.0, 2.0]).double() - origins, dim=-1)
    u = torch.tensor([0.01, 0.3, 0.9]).double().expand(len(origins), 3)
    got = warp.warp_rays(origins, directions)
    distance = got.distances(u)
    assert (distance[:, :1] > 0).all() and (distance.diff() > 0).all()
    world = origins[:, None] + distance[..., None] * directions[:, None]
    torch.testing.assert_close(warp.warp_points(world), got.points(u), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(got.points(u).diff(dim=1).norm(dim=-1), got.lengths(u))


def test_rays_that_point_backwards_stay_finite():
    origins = torch.zeros(3, 3)
    directions = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    got = WARPS["ndc"].warp_rays(origins, directions)
    assert all(torch.isfinite(part).all() for part in got[:4])
    assert torch.isfinite(got.distances(torch.ones(3, 1))).all()


def test_box_bounds_rays():
    warp = Box.from_aabb(torch.tensor([[-1.5, -1.5, -1.5], [1.5, 1.5, 1.5]]))
    origins = torch.tensor([[0.0, 0, 4], [0, 0, 4], [0, 0, 0]])
    directions = torch.tensor([[0.0, 0, -1], [0, 1, 0], [0, 0, -1]])
    got = warp.warp_rays(origins, directions)
    distance = got.distances(torch.tensor([0.0, 1]).expand(3, 2))
    torch.testing.assert_close(distance[0], torch.tensor([2.5, 5.5]))
    assert got.near[1] == got.far[1]  # a miss is empty
    torch.testing.assert_close(distance[2], torch.tensor([0.05, 1.5]))


def test_a_contraction_follows_the_published_one():
    """Equation 10 of Barron et al. 2022, halved so that it fits the cube, with the maximum norm."""
    warp = Contraction((0.0, 0.0, 0.0), 1.0)
    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) * 3
    norm = torch.linalg.vector_norm(x, ord=torch.inf, dim=-1, keepdim=True)
    torch.testing.assert_close(2 * warp.warp_points(x), torch.where(norm <= 1, x, (2 - 1 / norm) * x / norm))
    far = warp.warp_points(torch.tensor([[1e9, 0, -1e8]]))
    torch.testing.assert_close(far, torch.tensor([[1.0, 0, -0.1]]))


def test_rays_of_a_contraction_reach_the_cubes_faces_evenly_in_disparity():
    warp = Contraction((0.0, 0.0, 0.0), 2.0, near=0.5)
    got = warp.warp_rays(torch.tensor([[0.1, 0, 0]]), torch.tensor([[0.0, 0, 1]]))
    u = torch.linspace(0, 1, 9)[None]
    disparity = 1 / (got.distances(u) - warp.near + warp.radius)
    torch.testing.assert_close(disparity[:, :-1].diff(), torch.full((1, 7), -1 / 16))
    torch.testing.assert_close(got.distances(u)[0, [0, 4]], torch.tensor([0.5, 2.5]))
    assert 0.999 < float(got.points(u)[0, -1, 2]) <= 1
