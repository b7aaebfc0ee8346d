"""Fitting: inputs, settings, budgets, and a field that resembles its shape."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.evaluate import evaluate
from sinenerf.occupancy.field import OccupancyConfig, OccupancyField
from sinenerf.occupancy.fit import check_file_size, fit, fit_mesh
from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid

BROKEN = Path(__file__).parents[3] / "shared/data/meshes/broken"
SMALL = {"width": 32, "rank": 2, "batch": 1024, "pool": 20_000}
QUICK = {"width": 32, "rank": 2, "batch": 256, "pool": 5_000, "steps": 3, "bits": 32.0}


@pytest.mark.slow
def test_a_fitted_field_is_like_its_shape(torus, solid):
    history = []
    field = fit(
        torus, OccupancyConfig(width=48, rank=3), FitConfig(steps=800, batch=2048, pool=100_000), history=history
    )
    assert history[-1]["iou"] > 0.9 and history[-1]["step"] == 800
    points = torch.tensor([[6.0, 6, 7], [5, 6, 7], [500, 6, 7]])
    assert (field(points) > 0.5).tolist() == [True, False, False]
    result = evaluate(field, 1234, torus, points=20_000, resolution=48)
    assert result.iou > 0.9 and result.iou_near > 0.7 and result.bytes == 1234
    assert result.chamfer_l1 < 0.01 and result.f_score_one_percent > 0.9 and result.normal_consistency > 0.9
    mesh = field.mesh(48, largest_component=True)
    assert mesh.is_watertight and np.allclose(mesh.bounds, torus.bounds, atol=0.15)
    assert mesh.euler_number == 0  # the hole of the torus is there


def a_broken_mesh():
    """Two balls that overlap, each with a hole, and loose pieces; inside out, but for every seventh face."""
    body = trimesh.creation.icosphere(3) + trimesh.creation.icosphere(3).apply_translation([1, 0, 0])
    body.update_faces(body.triangles_center[:, 2] < 0.8)
    loose = [trimesh.creation.box((0.02, 0.02, 0.02)).apply_translation([x, 0.9, 0.9]) for x in (0, 0.3, 0.6)]
    mesh = trimesh.util.concatenate([body, *loose])
    mesh.faces = np.where(np.arange(len(mesh.faces))[:, None] % 7 == 0, mesh.faces, mesh.faces[:, ::-1])
    return mesh


def whole_way(mesh):
    """From a broken mesh to a closed one, in the same place."""
    solid = Solid(mesh, Placement.of(mesh))
    assert solid.ambiguous_fraction < 0.05
    settings = {"width": 32, "rank": 3, "steps": 600, "batch": 1024, "pool": 20_000, "bits": 32.0}
    history = []
    made = fit(mesh, *split_settings(settings), history=history, solid=solid).mesh(64, largest_component=True)
    assert history[-1]["iou"] > 0.75  # thin parts are lost, in a second
    assert made.is_watertight and made.is_winding_consistent and made.volume > 0
    assert np.allclose(made.bounds, mesh.bounds, atol=0.1 * mesh.extents.max())


def test_a_broken_mesh_goes_the_whole_way():
    mesh, report = prepare_mesh(a_broken_mesh())
    assert not report.watertight and report.flipped_faces > len(mesh.faces) / 2
    whole_way(mesh)


@pytest.mark.slow
@pytest.mark.skipif(not BROKEN.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("name", ["bunny_open", "dragon_1473_pieces", "igea_tristrips"])
def test_a_real_broken_mesh_goes_the_whole_way(name):
    mesh, _ = read_mesh(BROKEN / f"{name}.ply")
    whole_way(mesh)


@pytest.mark.parametrize("layer", ["sine", "low-rank", "dense"])
@pytest.mark.parametrize("extra", [{"loss": "mse", "sampler": "grid", "resolution": 16}, {"activation": "sine"}])
def test_every_layer_sampler_and_loss_trains(layer, extra, torus):
    field = fit_mesh(torus, layer=layer, steps=3, **SMALL, **extra)
    assert torch.isfinite(field(torch.rand(10, 3) + 5)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "steps"), [({"bytes": 700}, 3), ({"bytes": 700}, 300), ({"bits": 6.0}, 300), ({"bits": 9.5}, 300)]
)
def test_a_budget_holds(budget, steps, torus):
    field = fit_mesh(torus, steps=steps, **{**SMALL, "width": 64}, **budget)
    size = len(field.to_bytes())
    assert size <= budget.get("bytes", budget.get("bits", 0) * field.parameters_count / 8)
    assert steps < 300 or size > 0.9 * budget.get("bytes", budget.get("bits", 0) * field.parameters_count / 8)


def test_bytes_alone_choose_network_and_training(torus):
    field = fit_mesh(torus, bytes=900, steps=20, pool=20_000)
    assert 850 < len(field.to_bytes()) <= 900 and field.config.width == 40


def test_numbers_of_numpy_are_whole_too(torus, tmp_path, unchecked):
    numbers = {name: np.int64(value) for name, value in {"bytes": 900, "steps": 2, "pool": 20_000, "seed": 3}.items()}
    fit(torus, *split_settings(numbers), tmp_path / "x.sine")
    assert OccupancyField.load(tmp_path / "x.sine").config.width == 40


@pytest.mark.parametrize(
    ("budget", "enough", "message"),
    [
        ({"bytes": 120}, {"bytes": 192}, "120 bytes are too few for 953 parameters: give at least --bytes 192, or a "),
        ({"bits": 1}, {"bits": 1.7}, "119 bytes are too few for 953 parameters: give at least --bits 1.7$"),
    ],
)
def test_a_budget_that_is_too_small(budget, enough, message, torus):
    """A smaller network does not help if its bits are given, and the advice is."""
    with pytest.raises(ValueError, match=message):
        fit_mesh(torus, **budget, steps=3, width=64, rank=2)
    config, training = split_settings({**enough, "steps": 3, "width": 64, "rank": 2})
    check_file_size(OccupancyField(config, Placement.of(torus)), training)


def test_32_bits_are_exact(torus, capsys):
    field = fit_mesh(torus, bits=32.0, steps=3, progress=True, **SMALL)
    assert not field.coded and len(field.to_bytes()) > 4 * field.parameters_count
    assert "3 steps in " in capsys.readouterr().err  # and no rounding


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 300}, "choose a rank from 1 to 32"),
        ({"rank": 0}, "rank is 0"),
        ({"omega": -1.0}, "omega is -1.0"),
        ({"steps": 0}, "steps is 0"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"steps": 1, "minutes": 1.0}, "not both"),
        ({"bits": 8.0, "bytes": 900}, "bits or bytes, not both"),
        ({"bits": -1.0}, "bits is -1.0"),
        ({"seed": -1}, "seed is -1: it must be 0 or more"),
        ({"wdith": 3}, "no setting is called 'wdith'"),
        ({"omega": 5e-4}, "omega is 0.0005: a file holds 0.001 to"),
        ({"spread": 5e-4}, "spread is 0.0005: a file holds 0.001 to"),
        ({"depth": 300}, "depth is 300: a file holds 1 to 255"),
        ({"width": 70_000}, "width is 70000: a file holds 1 to"),
        ({"width": 4000}, "width 4000 and depth 3: a file holds a width\\^2 depth of at most 16,777,216"),
        ({"layer": "dense", "width": 2048}, "8,402,945 values are beyond the format's bound of 4,194,304"),
    ],
)
def test_impossible_settings(settings, message, torus):
    with pytest.raises(ValueError, match=message):
        fit_mesh(torus, **{**SMALL, **settings})


@pytest.mark.parametrize("bytes", [{}, {"bytes": 900}])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "tanh"}, "no activation is called 'tanh': choose relu or gaussian or sine"),
        ({"layer": "cosine", "depth": 1}, "no layer is called 'cosine'"),
        ({"width": 64.0}, "width is 64.0: it must be a whole number"),
        ({"bytes": 900.0}, "bytes is 900.0: it must be a whole number"),
    ],
)
def test_settings_of_another_kind(settings, message, bytes, torus, unchecked):
    with pytest.raises(ValueError, match=message):
        fit_mesh(torus, **{**SMALL, **bytes, **settings})


@pytest.mark.slow
def test_meshes_scenes_and_paths_are_fitted_alike(torus, tmp_path):
    torus.export(tmp_path / "torus.ply")
    path = tmp_path / "torus.ply"
    read = trimesh.load_mesh(path)  # a file has float32
    made = [fit_mesh(x, **QUICK).to_bytes() for x in (read, trimesh.Scene(read), path, str(path))]
    assert len(set(made)) == 1
    two = trimesh.Scene([torus, torus.copy().apply_translation([5, 0, 0])])
    for given, up in (({"up": "y"}, "y"), ({}, "z")):  # a torus lies flat
        placement = fit_mesh(two, **given, **QUICK).placement
        assert replace(placement, pieces=0) == Placement.of(two.to_mesh(), up=up)


def test_what_cannot_be_fitted_is_refused_in_a_line(tmp_path, unchecked):
    with pytest.raises(FileNotFoundError, match=r"nothing\.ply: no such file"):
        fit_mesh(tmp_path / "nothing.ply", **QUICK)
    with pytest.raises(
        TypeError, match=r"the mesh: is a ndarray\. Give a trimesh\.Trimesh, a trimesh\.Scene or a path"
    ):
        fit_mesh(np.zeros((3, 3)), **QUICK)
    with pytest.raises(ValueError, match="steps is 0"):  # before a file is read
        fit_mesh(tmp_path / "nothing.ply", **{**QUICK, "steps": 0})


def test_progress_is_shown_if_wanted(torus, capsys, monkeypatch):
    monkeypatch.setattr("sinenerf.common.progress.EVERY", 0.0)  # a line for each step
    fit_mesh(torus, **QUICK)
    assert capsys.readouterr().err == ""
    fit_mesh(torus, progress=True, **QUICK)
    said = capsys.readouterr().err
    assert "watertight" in said and "sinenerf: fitting, step 1: " in said and "IoU" in said


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
