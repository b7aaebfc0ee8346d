"""The compiled passes against autograd's."""

import pytest
import torch

from sinenerf.common.hardware import multiplies_bfloat16
from sinenerf.common.word_kernels import SUPPORTED
from sinenerf.radiance.compiled_networks import CompiledNetworks, thinned
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.render import compiled_rendering
from sinenerf.radiance.warps import Box

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="needs AVX")
CONFIGS = [
    {"layer": "sine", "width": 48, "rank": 4, "depth": 3, "coarse_samples": 32, "fine_samples": 12},
    {"layer": "dense", "width": 22, "depth": 1, "coarse_samples": 5, "fine_samples": 192, "position_frequencies": 0},
    {"layer": "low-rank", "width": 16, "rank": 3, "depth": 2, "coarse_samples": 7, "fine_samples": 1},
]


@pytest.fixture
def all_kept(monkeypatch):
    """Every sample goes into the gradients."""
    monkeypatch.setattr("sinenerf.radiance.compiled_networks.ALWAYS_KEPT", 0.0)


def make_field(config: dict) -> RadianceField:
    torch.manual_seed(0)
    settings = RadianceConfig(skips=(), sampling="proposal", **{"proposal_width": 9, **config})
    field = RadianceField(settings, Box((0, 0, 0), (1, 1, 1)))
    field.precision = "float32"
    with torch.no_grad():  # biases start at zero, which would hide their places
        for name, parameter in field.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1)
    return field


def compiled_networks(field: RadianceField) -> CompiledNetworks:
    return CompiledNetworks((field.coarse, field.fine), field.config)


def results(field: RadianceField, compiled: CompiledNetworks | None, rays: int = 50) -> list[torch.Tensor]:
    """Densities and colours of both networks at random points, and all gradients of a function of them."""
    field.zero_grad()
    field.compiled = compiled
    generator = torch.Generator().manual_seed(1)
    found = []
    for network, samples in ((field.coarse, field.config.coarse_samples), (field.fine, field.config.fine_samples)):
        positions = torch.rand(rays, samples, 3, generator=generator) * 2 - 1
        directions = torch.nn.functional.normalize(torch.randn(rays, 3, generator=generator), dim=-1)
        if compiled is not None:
            assert compiled.serve(positions, field.precision == "bfloat16")
        outputs = [values for values in field.query(network, positions, directions) if values is not None]
        sum((torch.randn(v.shape, generator=generator) * v).sum() for v in outputs).backward()
        found += [v.detach() for v in outputs]
    return found + [p.grad for p in field.parameters()]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config['layer']}-{config['width']}")
@pytest.mark.parametrize("rays", [1, 50])
@pytest.mark.usefixtures("all_kept")
def test_results_and_gradients_are_those_of_autograd(config, rays):
    field = make_field(config)
    expected = results(field, None, rays)
    compiled = compiled_networks(field)
    for threads in (1, 3):
        compiled.threads = threads
        compiled.passes.clear()
        for value, truth in zip(results(field, compiled, rays), expected, strict=True):
            torch.testing.assert_close(value, truth, rtol=1e-3, atol=2e-5 * float(1 + truth.abs().max()))


@pytest.mark.skipif(not multiplies_bfloat16("cpu"), reason="needs bfloat16")
@pytest.mark.usefixtures("all_kept")
def test_bfloat16_is_as_near_to_float32_as_autograds():
    field = make_field(CONFIGS[0])
    exact = results(field, None)
    field.precision = "bfloat16"
    for value, peer, truth in zip(results(field, compiled_networks(field)), results(field, None), exact, strict=True):
        assert float((value - truth).norm()) <= 2 * float((peer - truth).norm()) + 1e-3 * float(truth.norm())


@pytest.mark.parametrize("rays", [1, 50])
def test_gradients_are_those_of_the_samples_that_are_kept(monkeypatch, rays):
    field = make_field(CONFIGS[0])
    samples = field.config.fine_samples
    kept = torch.rand(rays * samples, generator=torch.Generator().manual_seed(2)) < 0.4
    kept[: 20 * samples] = rays == 1  # whole blocks without a sample
    positions, directions = torch.rand(rays, samples, 3) * 2 - 1, torch.eye(3)[:1].expand(rays, 3)
    weights = torch.rand(rays * samples, 4)

    def gradients(compiled: CompiledNetworks | None) -> list[torch.Tensor]:
        field.zero_grad()
        field.compiled = compiled
        density, colour = field.query(field.fine, positions, directions)
        values = torch.cat([density, colour], dim=-1).flatten(0, 1) * weights
        (values if compiled else values[kept]).sum().backward()
        return [p.grad for p in field.fine.parameters()]

    monkeypatch.setattr("sinenerf.radiance.compiled_networks.thinned", lambda slopes, _: (slopes * kept[:, None], kept))
    for value, truth in zip(gradients(compiled_networks(field)), gradients(None), strict=True):
        torch.testing.assert_close(value, truth, rtol=1e-3, atol=2e-5 * float(1 + truth.abs().max()))


def test_thinned_derivatives_are_right_on_average_and_whole_where_they_are_large():
    slopes = torch.randn(300, 4, generator=torch.Generator().manual_seed(0)).exp() * torch.tensor([1.0, -1, 1, -1])
    slopes[::3] /= 50
    torch.manual_seed(0)
    drawn = [thinned(slopes, 1.0) for _ in range(4000)]
    mean = torch.stack([values for values, _ in drawn]).mean(dim=0)
    size = slopes.abs().sum(dim=1)
    large = size >= size.mean()
    assert 0 < int(large.sum()) < 300
    assert torch.equal(drawn[0][0][large], slopes[large])
    assert all(bool(kept[large].all()) and bool((values[~kept] == 0).all()) for values, kept in drawn)
    error = (mean - slopes).abs().sum(dim=1) / (size * size.mean() / 4000).sqrt().clamp_min(1e-9)
    assert float(error.max()) < 6  # in standard deviations of the mean, at most
    assert float(torch.stack([kept for _, kept in drawn]).float().mean()) < 0.7


def test_derivatives_of_zero_are_left_out_and_those_that_are_no_number_are_not():
    assert not thinned(torch.zeros(5, 4), 1.0)[1].any()
    values, kept = thinned(torch.tensor([[0.0], [float("nan")], [2.0]]), 1.0)
    assert bool(kept[1]) and bool(values[1].isnan())
    values, kept = thinned(torch.tensor([[0.5], [1e-20], [2.0]]), 0.0)
    assert bool(kept.all()) and values.tolist() == [[0.5], [pytest.approx(1e-20)], [2.0]]


@pytest.mark.usefixtures("all_kept")
def test_memory_of_two_passes_is_not_shared_before_their_gradients():
    field = make_field(CONFIGS[0])
    compiled = compiled_networks(field)
    directions = torch.nn.functional.normalize(torch.randn(9, 3), dim=-1)
    batches = [torch.rand(9, 4, 3) for _ in range(2)]

    def gradients(together: bool) -> list[torch.Tensor]:
        field.zero_grad()
        losses = []
        for points in batches:
            losses.append(compiled.raw(field.fine, points, directions, False)[1].square().sum())
            if not together:
                losses.pop().backward()
        if together:
            sum(losses).backward()
        return [p.grad for p in field.fine.parameters()]

    for a, b in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_a_parameter_that_is_no_number_is_not_hidden():
    field = make_field(CONFIGS[0])
    field.compiled = compiled_networks(field)
    with torch.no_grad():
        field.fine.trunk.layers[0].bias[3] = float("nan")
    density, colour = field.query(field.fine, torch.rand(2, 3, 3), torch.eye(3)[:2])
    assert density.isnan().all()
    assert colour.isnan().all()


def test_autograd_serves_where_positions_need_gradients():
    field = make_field(CONFIGS[0])
    compiled = compiled_networks(field)
    positions = torch.rand(2, 3, 3, requires_grad=True)
    assert not compiled.serve(positions, False)
    assert compiled.serve(positions.detach(), False)
    with torch.no_grad():
        assert not compiled.serve(positions.detach(), False)


@pytest.mark.parametrize("settings", [{"skips": (0,)}, {"fine_samples": 193}, {"sampling": "coarse-fine"}])
def test_autograd_serves_both_networks_where_the_passes_cannot_serve_one(settings):
    config = RadianceConfig(**{"width": 8, "depth": 2, "rank": 2, "skips": (), "sampling": "proposal", **settings})
    field = RadianceField(config, Box((0, 0, 0), (1, 1, 1)))
    assert not compiled_networks(field).serve(torch.rand(2, 3, 3), False)


@torch.no_grad()
def test_pictures_are_those_of_torch_and_take_one_memory():
    field = make_field(CONFIGS[0])
    directions = torch.nn.functional.normalize(torch.randn(40, 3) * 0.2 - torch.tensor([0.0, 0, 1]), dim=-1)
    origins = torch.tensor([0.0, 0, 3]).expand(40, 3)
    expected = field.render_rays(origins, directions)
    field.compiled = compiled_networks(field)
    field.render_rays(origins, directions)
    assert not field.compiled.passes  # only torch's, outside of trainings
    with compiled_rendering(field):
        for _ in range(2):
            torch.testing.assert_close(field.render_rays(origins, directions), expected, rtol=1e-3, atol=1e-3)
        assert [len(network.free) for network in field.compiled.passes.values()] == [1, 1]


def test_a_rendering_that_fails_leaves_no_passes_behind():
    field = make_field(CONFIGS[0])
    with pytest.raises(KeyError), compiled_rendering(field):
        raise KeyError
    assert field.compiled is None
