"""Evaluating, saving and loading occupancy fields."""

import numpy as np
import pytest
import torch
from support import independent_reader, independent_renderer
from support.golden_files import HASHES, golden, hash_of, name_of
from support.no_float64 import NoFloat64

from sinenerf.occupancy.field import CHUNK, OccupancyConfig, OccupancyField
from sinenerf.occupancy.fit import fit_mesh
from sinenerf.occupancy.solid import Placement
from sinenerf.sine_file import load

SMALL = {"width": 32, "rank": 2, "batch": 1024, "pool": 20_000}


@pytest.fixture
def field(tmp_path):
    """Finished, as a file gives it: x = (1.25, 2.5, 2.8125) + 10 cube."""
    OccupancyField(OccupancyConfig(width=32, rank=2), Placement((1.25, 2.5, 2.8125), 10.0)).save(tmp_path / "x.sine")
    return load(tmp_path / "x.sine")


def test_numpy_points_give_the_networks_tensors(field):
    points = np.random.default_rng(0).uniform(-9, 13, (2, 50, 3))
    found = field(points)
    assert found.shape == (2, 50) and found.dtype == torch.float32
    torch.testing.assert_close(found, field(torch.from_numpy(points)))
    torch.testing.assert_close(found, field(torch.from_numpy(points).float()), rtol=0, atol=1e-5)
    flipped = points[:, ::-1]
    flipped.flags.writeable = False
    assert torch.equal(field(flipped), field(np.ascontiguousarray(flipped)))
    torch.testing.assert_close(field(flipped), found.flip(1), rtol=0, atol=1e-6)  # products depend on a point's row


def test_a_double_field_takes_any_points_and_gives_doubles(field):
    points = torch.rand(20, 3)
    expected = field(points)
    field.double()
    for found in (field(points), field(points.double()), field(points.double().numpy())):
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, expected.double(), rtol=0, atol=1e-5)
    assert field.evaluate(points.numpy()).dtype == np.float32


def test_evaluate_gives_occupancies_as_numpy(field):
    points = np.random.default_rng(0).uniform(-7, 11, (2, 50, 3))
    found = field.train().evaluate(points)
    assert found.shape == (2, 50) and found.dtype == np.float32 and found.min() > 0 and found.max() < 1
    np.testing.assert_allclose(
        found, torch.sigmoid(field.logits(torch.from_numpy((points - field.placement.centre) / 10))).detach()
    )


def test_outside_the_cube_is_empty_even_at_infinity(field):
    points = torch.tensor([[1.0, 2, 3], [np.inf, 2, 3], [1, -np.inf, 3], [1, 2, 13.1], [np.nan, 2, 3]])
    points.requires_grad_()
    found = field(points)
    assert found[0] > 0 and found[1:4].tolist() == [0, 0, 0] and found[4].isnan()
    found[:4].sum().backward()
    assert points.grad[0].norm() > 0 and points.grad[1:4].eq(0).all()


def test_many_points_are_evaluated_in_chunks(field, monkeypatch):
    sizes, points = [], torch.rand(2 * CHUNK + 5, 3)
    whole = field(points.clone().requires_grad_())
    assert whole.requires_grad  # where points require them, gradients are there
    network = field.network.forward
    monkeypatch.setattr(field.network, "forward", lambda cube: sizes.append(len(cube)) or network(cube))
    found = field(points)
    assert sizes == [CHUNK, CHUNK, 5] and not found.requires_grad
    torch.testing.assert_close(found, whole.detach())
    assert field(torch.empty(0, 3)).shape == (0,) and field(points[0]).shape == ()
    with torch.no_grad():
        assert not field(points[:3].requires_grad_()).requires_grad


def test_a_field_in_training_mode_has_gradients(field):
    field.train()(torch.rand(10, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in field.parameters())


@pytest.mark.parametrize("path", golden(), ids=name_of)
def test_golden_files_decode_to_the_same_integers(path):
    field = OccupancyField.load(path)
    _, tensors = independent_reader.read(path.read_bytes())
    for name, (integers, values) in tensors.items():
        np.testing.assert_array_equal(field.network.get_parameter(name).detach().numpy(), values)
        assert integers is None or np.array_equal(field.coded[name].integers, integers)
    assert hash_of(tensors) == HASHES[name_of(path)]
    assert field.to_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", golden(), ids=name_of)
def test_the_independent_renderer_sees_the_same_field(path):
    config, tensors = independent_reader.read(path.read_bytes())
    cube = np.random.default_rng(0).uniform(-1, 1, (500, 3)).astype(np.float32)
    ours = OccupancyField.load(path).logits(torch.from_numpy(cube)).numpy()
    np.testing.assert_allclose(independent_renderer.occupancy(config, tensors, cube), ours, atol=2e-3)


def test_saved_field_is_the_same_field(torus, tmp_path):
    field = fit_mesh(torus, steps=3, **SMALL)
    field.save(tmp_path / "torus.sine")
    loaded = OccupancyField.load(tmp_path / "torus.sine")
    points = torch.rand(100, 3) * 3 + 4
    torch.testing.assert_close(loaded(points), field(points))
    assert loaded.config == field.config and loaded.placement == field.placement
    assert [p.name for p in tmp_path.iterdir()] == ["torus.sine"]


def test_points_far_from_the_origin_need_no_float64():
    placement = Placement((1e6 + 0.1, -0.3, 7.0), 100.0)
    field = OccupancyField(OccupancyConfig(width=16, rank=2, bandwidth=30.0), placement)
    points = torch.tensor([[1e6 + 1, 2, 8], [1e6 - 50, 30, 60], [1e6 + 200, 0, 0]])
    expected = field(points.double())
    with NoFloat64():
        found = field(points)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert found[2] == 0 < found[0]


def test_numbers_changed_after_training_are_kept(torus, tmp_path):
    field = fit_mesh(torus, steps=3, **SMALL)
    with torch.no_grad():
        field.network.head.bias += 1.0
    field.save(tmp_path / "torus.sine")
    torch.testing.assert_close(OccupancyField.load(tmp_path / "torus.sine").network.head.bias, field.network.head.bias)
