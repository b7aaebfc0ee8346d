"""Points sampled from what the cameras of a field see."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.radiance_fields import a_field

from sinenerf.radiance.surface_points import sample_surface, sampling_views
from sinenerf.radiance.warps import Box

BOX = Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("warp", [None, BOX], ids=["ndc", "box"])
def test_points_are_where_home_sees_them(warp):
    """The first points are the pixels of home: at the rendered depth, in the rendered colour."""
    torch.manual_seed(0)
    field = a_field(warp)
    points = sample_surface(field, 3000)
    assert 2000 < len(points.positions) < 4500
    np.testing.assert_allclose(np.linalg.norm(points.normals, axis=1), 1, atol=1e-4)
    home = field.capture.home
    first = points.positions[:50]
    origin = torch.from_numpy(home.pose[:, 3]).float().expand(50, -1)
    directions = torch.from_numpy(first).float() - origin
    seen = field.render_rays(origin, torch.nn.functional.normalize(directions, dim=1))
    np.testing.assert_allclose(seen["rgb"], points.colours[:50], atol=0.02)
    np.testing.assert_allclose(seen["depth"][:, 0], directions.norm(dim=1), rtol=0.02)
    np.testing.assert_allclose(points.towards[:50], -torch.nn.functional.normalize(directions, dim=1), atol=1e-4)
    gaps = np.linalg.norm(np.diff(first / (points.spacing[:50, None]), axis=0), axis=1)
    assert np.median(gaps) == pytest.approx(1, rel=0.3), "neighbouring pixels are a spacing apart, if as deep"


def test_a_similarity_moves_all_that_points_have():
    field = a_field()
    points = sample_surface(field, 200)
    motion = np.array([[0, -2.0, 0, 1], [2, 0, 0, 2], [0, 0, 2, 3], [0, 0, 0, 1]])
    moved = points.moved(motion)
    np.testing.assert_allclose(moved.positions[0], motion[:3, :3] @ points.positions[0] + [1, 2, 3])
    np.testing.assert_allclose(moved.normals[0], motion[:3, :3] @ points.normals[0] / 2)
    np.testing.assert_allclose(moved.towards[0], motion[:3, :3] @ points.towards[0] / 2)
    np.testing.assert_allclose(moved.spacing, 2 * points.spacing)


def test_a_view_adds_only_what_is_new():
    field = a_field()
    home = field.capture.home
    small = [home.resized(2), home.resized(2)]
    once, twice = (sample_surface(field, 1000, small[:n]) for n in (1, 2))
    assert len(twice.positions) == pytest.approx(len(once.positions), rel=0.05)
    shifted = home.pose + np.array([[0, 0, 0, 5.0], [0, 0, 0, 0], [0, 0, 0, 0]])
    apart = [home, replace(home, pose=shifted)]
    colours = {tuple(np.round(colour, 6)) for colour in sample_surface(field, 1000, apart[:1]).colours}
    both = sample_surface(field, 1000, apart)
    assert len(both.positions) > 600 and not {tuple(np.round(colour, 6)) for colour in both.colours} <= colours


def test_views_go_around_an_object_and_stay_before_a_scene():
    field, around = a_field(), a_field(BOX)
    target = around.capture.home.pose[:, 3] - around.capture.focus * around.capture.home.pose[:, 2]
    views = sampling_views(around.capture, forward_facing=False)
    offsets = np.stack([view.pose[:, 3] - target for view in views])
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), around.capture.focus, rtol=1e-6)
    np.testing.assert_allclose(offsets[:, :2].mean(0), 0, atol=1e-6)
    for view, offset in zip(views, offsets, strict=True):
        np.testing.assert_allclose(view.pose[:, 2], offset / np.linalg.norm(offset), atol=1e-6)
    shifts = [view.pose[:, 3] - field.capture.home.pose[:, 3] for view in sampling_views(field.capture, True)]
    assert (abs(np.stack(shifts) @ field.capture.home.pose[:, :3]) <= field.capture.radii + 1e-9).all()


@pytest.mark.parametrize("count", [0, -1])
def test_no_points_are_refused(count):
    with pytest.raises(ValueError, match="at least one"):
        sample_surface(a_field(), count)


def test_an_empty_scene_is_refused():
    field = a_field(BOX, background="white")
    with torch.no_grad():
        for parameter in field.fine.density.parameters():
            parameter.zero_()
        field.fine.density.bias.fill_(-20.0)
    with pytest.raises(ValueError, match="nothing but the background"):
        sample_surface(field, 100)
