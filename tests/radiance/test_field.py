"""Radiance fields: writing and reading files, rendering, and sampling along rays."""

import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import independent_reader
from support.golden_files import HASHES, golden, hash_of, name_of
from support.independent_renderer import Renderer, home_rays
from support.radiance_fields import SMALL, a_field

import sinenerf
from sinenerf.codec.container import Container
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.tensors import QuantisedTensor, values_of
from sinenerf.radiance.architecture import tensors_of
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.volume_rendering import composite, histogram_samples, median, uniform_bins, weights_of
from sinenerf.radiance.warps import NDC, Box, Contraction

CASES = [
    {},
    {"init": "paper", "omega": 100.0},
    {"layer": "dense"},
    {"layer": "low-rank", "background": "white"},
    {"sampling": "coarse-fine", "depth": 3, "skips": (1,), "density_activation": "softplus", "learn_omega": True},
    {"anchored": False, "position_frequencies": 0, "skips": (0,), "rank": 5, "factored": ("hidden", "head")},
    {"position_frequencies": 0, "skips": (0,), "rank": 5, "factored": ("hidden", "head")},
    {"factored": ("hidden",), "learn_gain": True, "background": "black"},
]
CENTRE = (0.125, 0.25, 0.375)
WARPS = [NDC(0.625, 0.5), Box(CENTRE, (1.0, 0.75, 0.625), 0.125), Contraction(CENTRE, 1.5, 0.125)]
"""Of numbers that float32 holds."""


@pytest.mark.parametrize("changes", CASES)
@pytest.mark.parametrize("warp", WARPS)
def test_a_saved_field_loads_unchanged(changes, warp, tmp_path):
    field = a_field(warp, **changes)
    field.precision = "float32"
    field.save(tmp_path / "scene.sine")
    loaded = sinenerf.load(tmp_path / "scene.sine")
    assert isinstance(loaded, RadianceField)
    loaded.precision = "float32"
    assert loaded.config == field.config and loaded.warp == warp and loaded.far == field.far
    for name, value in field.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    np.testing.assert_allclose(loaded.capture.home.pose, field.capture.home.pose, atol=1e-6)
    np.testing.assert_allclose(loaded.capture.motion, field.capture.motion, atol=1e-6)
    camera = field.capture.home.resized(0.5)
    for name, image in field.render(camera, normals=True).items():
        again = loaded.render(
            Camera(camera.pose, *(getattr(camera, k) for k in ("fx", "fy", "cx", "cy", "width", "height"))), True
        )
        torch.testing.assert_close(again[name], image, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_golden_scenes_decode_to_the_same_integers(path):
    field, (_, tensors) = sinenerf.load(path), independent_reader.read(path.read_bytes())
    assert hash_of(tensors) == HASHES[name_of(path)]
    for (name, parameter), (integers, values) in zip(field.named_parameters(), tensors.values(), strict=True):
        np.testing.assert_array_equal(parameter.detach().numpy(), values)
        assert integers is None or np.array_equal(field.coded[name].integers, integers)
    assert field.to_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_golden_scenes_render_the_same_image(path):
    field, (config, tensors) = sinenerf.load(path), independent_reader.read(path.read_bytes())
    field.precision = "float32"
    image = field.render(field.capture.home)["rgb"].reshape(-1, 3).numpy()
    assert image.std(0).min() > 0.01
    np.testing.assert_allclose(Renderer(config, tensors).pixels(*home_rays(config)), image, atol=1e-4)


@pytest.mark.parametrize("changes", CASES)
def test_independent_reader_reads_the_same_field(changes):
    """The reader is written from docs/format.md alone: parameters, density and image must agree."""
    for warp in WARPS:
        ours = a_field(warp, **changes)
        ours.precision = "float32"
        with torch.no_grad():
            for parameter in ours.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        names = [name for name, _ in ours.named_parameters()]
        ours.coded = {}
        for name, parameter in list(ours.named_parameters())[::2]:  # every other tensor as integers
            step = 2.0**-9
            integers = (parameter.detach() / step).round().long().numpy()
            ours.coded[name] = QuantisedTensor(integers, step)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(ours.coded[name].values()))
        config, tensors = independent_reader.read(ours.to_bytes())
        assert len(tensors) == len(names)
        for name, (integers, values) in zip(names, tensors.values(), strict=True):
            np.testing.assert_array_equal(values, ours.get_parameter(name).detach().numpy())
            assert (integers is None) == (name not in ours.coded)
        assert config["box"] == isinstance(warp, Box) and config["contraction"] == isinstance(warp, Contraction)
        assert config["far"] == pytest.approx(ours.far)
        expected = np.hstack(astuple(warp))
        assert config["warp"][: len(expected)] == pytest.approx(expected)
        capture = ours.capture
        np.testing.assert_allclose(config["motion"], capture.motion.ravel(), atol=1e-6)
        np.testing.assert_allclose(config["position_of_home"], capture.home.pose[:, 3], atol=1e-6)
        assert config["lens"] == pytest.approx((capture.home.fx, capture.home.fy, capture.home.cx, capture.home.cy))
        assert config["pixels"] == (capture.home.width, capture.home.height)
        points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
        with torch.no_grad():
            density = ours.density(torch.from_numpy(points).float())[:, 0].numpy()
        renderer = Renderer(config, tensors)
        np.testing.assert_allclose(renderer.density(1, points)[0], density, rtol=5e-3, atol=1e-4)
        image = ours.render(capture.home)["rgb"].reshape(-1, 3).numpy()
        np.testing.assert_allclose(renderer.pixels(*home_rays(config)), image, atol=2e-3)


def test_renders_without_nerfstudio(tmp_path):
    a_field().save(tmp_path / "scene.sine")
    code = """
import sys
import time
sys.modules["nerfstudio"] = None
import sinenerf
field = sinenerf.load(sys.argv[1])
print(field.render(field.capture.home)["rgb"].shape)
"""
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "scene.sine")], capture_output=True, text=True, check=False
    )
    assert "torch.Size([18, 24, 3])" in process.stdout, process.stderr


def test_chunks_shrink_for_fields_with_many_samples_per_ray(monkeypatch):
    """An untrusted file may ask for so many samples per ray that the usual chunk of rays would exhaust memory."""
    field, chunks = a_field(), []
    whole, render_rays = field.render(field.capture.home)["rgb"], field.render_rays
    monkeypatch.setattr("sinenerf.radiance.field.LARGEST_CHUNK", 100 * field.config.features_per_ray)
    monkeypatch.setattr(field, "render_rays", lambda o, d, normals: chunks.append(len(o)) or render_rays(o, d, normals))
    torch.testing.assert_close(field.render(field.capture.home)["rgb"], whole)
    assert max(chunks) == 100 and sum(chunks) == 24 * 18


def test_the_file_of_a_scene_does_not_load_as_a_shape(tmp_path):
    from sinenerf.occupancy.field import OccupancyField

    a_field().save(tmp_path / "scene.sine")
    with pytest.raises(CodecError, match="holds a scene, not a shape"):
        OccupancyField.load(tmp_path / "scene.sine")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_sampling_follows_the_histogram(seed):
    """Each bin receives a share of the samples equal to its share of the weight, up to the padding."""
    random = torch.Generator().manual_seed(seed)
    weights = torch.rand(3, 16, 1, generator=random) * 10
    bins = uniform_bins(16, 3)
    edges = histogram_samples(bins, weights, 999, merge=False)
    assert (edges.diff() >= 0).all() and edges.min() >= 0 and edges.max() <= 1
    padded = (weights[..., 0] + 0.01) / (weights[..., 0] + 0.01).sum(-1, keepdim=True)
    drawn = torch.stack([torch.histc(e, 16, 0, 1) for e in edges]) / 1000
    torch.testing.assert_close(drawn, padded, atol=3e-3, rtol=0)
    merged = histogram_samples(bins, weights, 10, merge=True)
    assert merged.shape == (3, 28) and (merged.diff() >= 0).all()


def test_weights_and_median_distance_of_a_wall():
    edges = uniform_bins(10, 2)
    density = torch.zeros(2, 10, 1)
    density[:, 4] = 1e4
    weights = weights_of(density, edges.diff())
    torch.testing.assert_close(weights.sum(-2), torch.ones(2, 1))
    midpoints = ((edges[:, 1:] + edges[:, :-1]) / 2)[..., None]
    torch.testing.assert_close(median(midpoints, weights), torch.full((2, 1), 0.45))
    grey = torch.full((2, 10, 3), 0.5)
    torch.testing.assert_close(composite(grey, weights, "white"), torch.full((2, 3), 0.5))
    torch.testing.assert_close(composite(grey, 0 * weights, "white"), torch.ones(2, 3))


def test_decoded_values_are_finite():
    container = Container.parse(a_field().to_bytes())
    shapes = list(tensors_of(RadianceConfig(**SMALL)).values())
    assert all(np.isfinite(values_of(tensor)).all() for tensor in container.tensors(shapes))
