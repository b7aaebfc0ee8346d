"""A field in Python: what it is fitted to, and what it takes and gives."""

import numpy as np
import pytest
import torch
import trimesh
from support import independent_reader, independent_renderer
from support.golden_files import HASHES, golden, hash_of, name_of

from sinenerf.occupancy.field import CHUNK, OccupancyConfig, OccupancyField
from sinenerf.occupancy.fit import fit_mesh
from sinenerf.occupancy.solid import Placement
from sinenerf.sine_file import load

QUICK = {"width": 32, "rank": 2, "batch": 256, "pool": 5_000, "steps": 3, "bits": 32.0}


@pytest.fixture
def field(tmp_path):
    """Finished, as a file gives it: x = (1, 2, 3) + 10 cube."""
    OccupancyField(OccupancyConfig(width=32, rank=2), Placement((1.0, 2.0, 3.0), 10.0)).save(tmp_path / "x.sine")
    return load(tmp_path / "x.sine")


def test_meshes_scenes_and_paths_are_fitted_alike(torus, tmp_path):
    torus.export(tmp_path / "torus.ply")
    path = tmp_path / "torus.ply"
    read = trimesh.load_mesh(path)  # a file has float32
    made = [fit_mesh(x, **QUICK).to_bytes() for x in (read, trimesh.Scene(read), path, str(path))]
    assert len(set(made)) == 1
    two = trimesh.Scene([torus, torus.copy().apply_translation([5, 0, 0])])
    assert fit_mesh(two, **QUICK).placement == Placement.of(two.to_mesh())


def test_what_cannot_be_fitted_is_refused_in_a_line(tmp_path, unchecked):
    with pytest.raises(FileNotFoundError, match=r"nothing\.ply: no such file"):
        fit_mesh(tmp_path / "nothing.ply", **QUICK)
    with pytest.raises(
        TypeError, match=r"the mesh: is a ndarray\. Give a trimesh\.Trimesh, a trimesh\.Scene or a path"
    ):
        fit_mesh(np.zeros((3, 3)), **QUICK)
    with pytest.raises(ValueError, match="steps is 0"):  # before a file is read
        fit_mesh(tmp_path / "nothing.ply", **{**QUICK, "steps": 0})


def test_progress_is_shown_if_wanted(torus, capsys):
    fit_mesh(torus, **QUICK)
    assert capsys.readouterr().err == ""
    fit_mesh(torus, progress=True, **QUICK)
    said = capsys.readouterr().err
    assert "watertight" in said and "Fitting" in said and "IoU" in said


def test_fitting_leaves_the_callers_generator(torus):
    torch.manual_seed(5)
    expected = torch.rand(3)
    made = []
    for seed in (5, 6, 7):  # a seed gives the same field, wherever the caller's generator is
        torch.manual_seed(seed)
        made.append(fit_mesh(torus, seed=1, **QUICK).to_bytes())
        assert seed != 5 or torch.equal(torch.rand(3), expected)
    assert len(set(made)) == 1
    torch.manual_seed(1)
    start = OccupancyField(OccupancyConfig(width=32, rank=2), Placement.of(torus))
    fitted = fit_mesh(torus, seed=1, **QUICK, learning_rate=1e-12)
    torch.testing.assert_close(dict(fitted.named_parameters()), dict(start.named_parameters()))


def test_numpy_points_give_the_networks_tensors(field):
    points = np.random.default_rng(0).uniform(-9, 13, (2, 50, 3))
    found = field(points)
    assert found.shape == (2, 50) and found.dtype == torch.float32
    torch.testing.assert_close(found, field(torch.from_numpy(points)))
    torch.testing.assert_close(found, field(torch.from_numpy(points).float()), rtol=0, atol=1e-5)
    flipped = points[:, ::-1]
    flipped.flags.writeable = False
    assert torch.equal(field(flipped), found.flip(1))


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
    np.testing.assert_allclose(found, torch.sigmoid(field.logits(torch.from_numpy((points - [1, 2, 3]) / 10))).detach())


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
