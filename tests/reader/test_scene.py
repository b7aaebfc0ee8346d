"""Scenes of the numpy reader: the same pixels as the independent renderer of the tests, and as torch."""

import numpy as np
import pytest
import sine_reader
import torch
from sine_reader.container import open_container
from sine_reader.scene_header import read_scene_header
from support import independent_reader
from support.golden_files import GOLDEN, golden, name_of
from support.independent_renderer import Renderer, home_rays
from support.radiance_fields import a_field

import sinenerf
from sinenerf.radiance.warps import NDC, Box, Contraction

WARPS = [NDC(0.6, 0.45), Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6), 0.1), Contraction((0.1, 0.2, 0.3), 1.5, 0.1)]


@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_pictures_are_those_of_other_readers(path):
    scene = sine_reader.load(path)
    picture = scene.render(scene.home)
    config, tensors = independent_reader.read(path.read_bytes())
    pixels = Renderer(config, tensors).pixels(*home_rays(config)).reshape(picture.shape)
    assert picture.std() > 0.01
    np.testing.assert_allclose(picture, pixels, atol=1e-5)
    ours = sinenerf.load(path)
    ours.precision = "float32"
    np.testing.assert_allclose(picture, ours.render(ours.capture.home)["rgb"].numpy(), atol=1e-4)
    assert scene.header.far == pytest.approx(ours.far, rel=1e-6)


def test_a_picture_is_rendered_in_parts(monkeypatch):
    scene = sine_reader.load(golden("scenes")[0])
    camera = scene.home.resized(0.5)
    assert camera.width == round(scene.home.width * 0.5)
    whole = scene.render(camera)
    monkeypatch.setattr("sine_reader.scene.CHUNK", 50_000)
    np.testing.assert_allclose(scene.render(camera), whole, atol=1e-6)


@pytest.mark.parametrize("warp", WARPS, ids=lambda warp: type(warp).__name__)
def test_density_and_colour_at_points_of_the_scene(warp):
    field = a_field(warp, density_activation="softplus")
    scene, random = sine_reader.load(field.to_bytes()), np.random.default_rng(0)
    cube = random.uniform(-0.6, 0.6, (50, 3))
    world = scene.warp.to_scene(cube)
    np.testing.assert_allclose(world, warp.unwarp_points(torch.from_numpy(cube)).numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scene.warp.to_cube(world), cube, atol=1e-5)
    directions = random.normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points, seen = torch.from_numpy(cube).float(), torch.from_numpy(directions).float()
    with torch.no_grad():
        np.testing.assert_allclose(scene.density(cube), field.density(points)[:, 0].numpy(), rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(scene.colour(cube, directions), field.colour(points, seen).numpy(), atol=1e-4)


def test_the_proposal_network_counts_towards_the_bounds_even_where_there_is_none():
    """As in the other readers; it was only counted in files with proposal sampling."""
    header = bytearray(open_container((GOLDEN / "scenes/coarse-fine.sine").read_bytes()).header)
    read_scene_header(bytes(header))
    header[15:17] = b"\xff\xff"  # its width
    with pytest.raises(sine_reader.SineFileError, match="beyond the format's bounds"):
        read_scene_header(bytes(header))
