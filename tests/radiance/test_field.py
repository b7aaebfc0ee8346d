"""The field that renders without nerfstudio: to bytes and back, from a run to a file, to pictures."""

import subprocess
import sys
from dataclasses import replace

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
from sinenerf.codec.container import RADIANCE, Container, pack
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.tensors import QuantisedTensor, values_of
from sinenerf.radiance.architecture import build_networks, tensors_of
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import NUMBERS, SETTINGS_BYTES, overhead
from sinenerf.radiance.volume_rendering import composite, histogram_samples, median, uniform_bins, weights_of
from sinenerf.radiance.warps import NDC, Box

CASES = [
    {},
    {"layer": "dense"},
    {"layer": "low-rank", "background": "white"},
    {"sampling": "coarse-fine", "depth": 3, "skips": (1,), "density_activation": "softplus", "learn_omega": True},
    {"anchored": False, "position_frequencies": 0, "skips": (0,), "rank": 5, "factored": ("hidden", "head")},
    {"position_frequencies": 0, "skips": (0,), "rank": 5, "factored": ("hidden", "head")},
    {"factored": ("hidden",), "learn_gain": True, "background": "black"},
]


@pytest.mark.parametrize("changes", CASES)
@pytest.mark.parametrize("warp", [NDC(0.6, 0.45), Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6), 0.1)])
def test_to_bytes_and_back(changes, warp, tmp_path):
    field = a_field(warp, **changes)
    field.precision = "float32"
    field.save(tmp_path / "scene.sine")
    read = sinenerf.load(tmp_path / "scene.sine")
    assert isinstance(read, RadianceField)
    read.precision = "float32"
    assert read.config == field.config and read.warp == warp and read.far == 0.9
    for name, value in field.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], value, rtol=0, atol=0)
    np.testing.assert_allclose(read.capture.home.pose, field.capture.home.pose, atol=1e-6)
    np.testing.assert_allclose(read.capture.motion, field.capture.motion, atol=1e-6)
    view = field.capture.home.resized(0.5)
    for name, picture in field.render(view, normals=True).items():
        again = read.render(
            Camera(view.pose, *(getattr(view, k) for k in ("fx", "fy", "cx", "cy", "width", "height"))), True
        )
        torch.testing.assert_close(again[name], picture, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_golden_scenes_decode_to_the_same_integers(path):
    field, (_, tensors) = sinenerf.load(path), independent_reader.read(path.read_bytes())
    assert hash_of(tensors) == HASHES[name_of(path)]
    for (name, parameter), (integers, values) in zip(field.named_parameters(), tensors.values(), strict=True):
        np.testing.assert_array_equal(parameter.detach().numpy(), values)
        assert integers is None or np.array_equal(field.coded[name].integers, integers)
    assert field.to_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_golden_scenes_show_the_same_picture(path):
    field, (config, tensors) = sinenerf.load(path), independent_reader.read(path.read_bytes())
    field.precision = "float32"
    shown = field.render(field.capture.home)["rgb"].reshape(-1, 3).numpy()
    assert shown.std(0).min() > 0.01
    np.testing.assert_allclose(Renderer(config, tensors).pixels(*home_rays(config)), shown, atol=1e-4)


@pytest.mark.parametrize("changes", CASES)
def test_second_reader_finds_the_same_field(changes):
    """A reader that is made from docs/format.md alone: the same numbers, the same density, the same picture."""
    for warp in (NDC(0.6, 0.45), Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6), 0.1)):
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
        assert config["box"] == isinstance(warp, Box) and config["far"] == pytest.approx(ours.far)
        expected = (
            (warp.tan_x, warp.tan_y, warp.near) if isinstance(warp, NDC) else (*warp.centre, *warp.half, warp.near)
        )
        assert config["warp"][: len(expected)] == pytest.approx(expected)
        capture = ours.capture
        np.testing.assert_allclose(config["motion"], capture.motion.ravel(), atol=1e-6)
        np.testing.assert_allclose(config["position_of_home"], capture.home.pose[:, 3], atol=1e-6)
        assert config["lens"] == pytest.approx((capture.home.fx, capture.home.fy, capture.home.cx, capture.home.cy))
        assert config["pixels"] == (capture.home.width, capture.home.height)
        points = np.random.default_rng(0).uniform(-1, 1, (50, 3))
        with torch.no_grad():
            wanted = ours.density(torch.from_numpy(points).float())[:, 0].numpy()
        renderer = Renderer(config, tensors)
        np.testing.assert_allclose(renderer.density(1, points)[0], wanted, rtol=5e-3, atol=1e-4)
        shown = ours.render(capture.home)["rgb"].reshape(-1, 3).numpy()
        np.testing.assert_allclose(renderer.pixels(*home_rays(config)), shown, atol=2e-3)


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
    made = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "scene.sine")], capture_output=True, text=True, check=False
    )
    assert "torch.Size([18, 24, 3])" in made.stdout, made.stderr


def test_every_damaged_header_is_an_error_or_a_field():
    data = a_field().to_bytes()
    container = Container.parse(data)
    stored = container.tensors(list(tensors_of(RadianceConfig(**SMALL)).values()))
    random = np.random.default_rng(0)
    errors = 0
    for _ in range(400):
        header = bytearray(container.header)
        for place in random.integers(len(header), size=random.integers(1, 4)):
            header[place] = random.integers(256)
        try:
            field = RadianceField.of_container(Container.parse(pack(RADIANCE, bytes(header), stored)))
        except CodecError:
            errors += 1
        else:
            assert field.config.baked_size <= 2**24
    assert errors > 100


def test_skips_beyond_the_depth_are_none(tmp_path):
    """The presets' skip after the fifth layer, in a network of four."""
    field = a_field(depth=4, skips=(1, 4))
    field.save(tmp_path / "scene.sine")
    read = sinenerf.load(tmp_path / "scene.sine")
    assert read.config.skips == (1,)
    torch.testing.assert_close(read.state_dict(), field.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"depth": 18}, "depth is 18: a file holds 1 to 16"),
        ({"spread": 5e-4}, "spread is 0.0005: a file holds 0.001 to"),
        ({"width": 1024, "depth": 16}, r"baked, the networks hold up to [\d,]+ weights: a file at most 16,777,216"),
        (
            {"width": 512, "depth": 8, "layer": "dense", "sampling": "coarse-fine"},
            "4,504,072 values are beyond the format's bound of",
        ),
    ],
)
def test_what_no_reader_opens_is_not_written(changes, said, tmp_path):
    field = a_field(**changes)
    for write in (field.check_writable, lambda: field.save(tmp_path / "x.sine")):
        with pytest.raises(ValueError, match=said):
            write()
    assert not list(tmp_path.iterdir())


def test_many_samples_are_rendered_a_few_rays_at_once(monkeypatch):
    """A file of a stranger may ask for so many samples a ray that a usual number of rays would fill the memory."""
    field, seen = a_field(), []
    whole, render_rays = field.render(field.capture.home)["rgb"], field.render_rays
    monkeypatch.setattr("sinenerf.radiance.field.LARGEST_CHUNK", 100 * field.config.features_per_ray)
    monkeypatch.setattr(field, "render_rays", lambda o, d, normals: seen.append(len(o)) or render_rays(o, d, normals))
    torch.testing.assert_close(field.render(field.capture.home)["rgb"], whole)
    assert max(seen) == 100 and sum(seen) == 24 * 18


def test_a_camera_beyond_the_formats_bound_is_refused():
    field = a_field()
    field.capture = replace(field.capture, home=replace(field.capture.home, width=16_385))
    with pytest.raises(CodecError, match="16385 x 18: a file holds cameras of at most 16,384 pixels"):
        field.to_bytes()


@pytest.mark.parametrize("changes", [{"width": 1, "rank": 1}, {"position_frequencies": -1}])
def test_networks_that_cannot_be_are_refused(changes):
    with pytest.raises(ValueError, match="it must be"):
        build_networks(RadianceConfig(**{**SMALL, **changes}))


def test_overhead_counts_every_byte():
    field = a_field()
    size = len(field.to_bytes()) - 4 * field.parameters_count
    assert size <= overhead(field.config)
    assert SETTINGS_BYTES + NUMBERS.size < 200


def test_other_kinds_are_refused(tmp_path):
    from sinenerf.occupancy.field import OccupancyField

    a_field().save(tmp_path / "scene.sine")
    with pytest.raises(CodecError, match="holds a scene, not a shape"):
        OccupancyField.load(tmp_path / "scene.sine")


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_sampling_follows_the_histogram(seed):
    """Half of a ray's samples lie where half of its weight is, up to the padding."""
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


def test_weights_and_median_of_a_wall():
    edges = uniform_bins(10, 2)
    density = torch.zeros(2, 10, 1)
    density[:, 4] = 1e4
    weights = weights_of(density, edges)
    torch.testing.assert_close(weights.sum(-2), torch.ones(2, 1))
    middles = ((edges[:, 1:] + edges[:, :-1]) / 2)[..., None]
    torch.testing.assert_close(median(middles, weights), torch.full((2, 1), 0.45))
    grey = torch.full((2, 10, 3), 0.5)
    torch.testing.assert_close(composite(grey, weights, "white"), torch.full((2, 3), 0.5))
    torch.testing.assert_close(composite(grey, 0 * weights, "white"), torch.ones(2, 3))


def test_values_of_files_are_finite():
    container = Container.parse(a_field().to_bytes())
    shapes = list(tensors_of(RadianceConfig(**SMALL)).values())
    assert all(np.isfinite(values_of(tensor)).all() for tensor in container.tensors(shapes))
