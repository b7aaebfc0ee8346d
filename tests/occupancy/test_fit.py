"""Fitting: labels, samplers, resuming, files, and a field that comes out like the shape."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from support.no_float64 import NoFloat64

from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.evaluate import evaluate, iou, occupied, surface_distance
from sinenerf.occupancy.field import OccupancyConfig, OccupancyField
from sinenerf.occupancy.fit import fit, fit_mesh
from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training
from sinenerf.sine_file import load

BROKEN = Path(__file__).parents[3] / "shared/data/meshes/broken"
SMALL = {"width": 32, "rank": 2, "batch": 1024, "pool": 20_000}


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
    settings = {"width": 32, "rank": 3, "steps": 200, "batch": 1024, "pool": 20_000, "bits": 32.0}
    history = []
    made = fit(mesh, *split_settings(settings), history=history, solid=solid).mesh(64, largest_component=True)
    assert history[-1]["iou"] > 0.65  # thin parts are lost, in two seconds
    assert made.is_watertight and made.is_winding_consistent and made.volume > 0
    assert np.allclose(made.bounds, mesh.bounds, atol=0.1 * mesh.extents.max())


def test_a_broken_mesh_goes_the_whole_way():
    mesh, report = prepare_mesh(a_broken_mesh())
    assert not report.watertight and report.flipped_faces > len(mesh.faces) / 2
    whole_way(mesh)


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


def test_the_papers_parameter_counts():
    def count(layer, rank=1, anchored=False):
        config = OccupancyConfig(layer, rank, width=256, anchored=anchored)
        return OccupancyField(config, Placement((0, 0, 0), 1)).parameters_count

    assert count("sine") == count("low-rank") == 2_817
    assert count("dense") == 132_865
    assert count("sine", 4) == 5_889
    assert count("sine", 4, anchored=True) == count("low-rank", 4, anchored=True) == 5_889 - 2 * 4**2


def test_metrics_of_known_shapes():
    a, b = trimesh.creation.icosphere(4, 1.0), trimesh.creation.icosphere(4, 1.05)
    assert iou(np.array([1, 1, 0], bool), np.array([1, 0, 1], bool)) == pytest.approx(1 / 3)
    same, apart = surface_distance(a, a, 20_000), surface_distance(b, a, 50_000)
    assert same.f_score_half_percent == 1 and same.normal_consistency == pytest.approx(1)
    other = trimesh.creation.icosphere(5, 1.0).apply_transform(trimesh.transformations.random_rotation_matrix())
    again = surface_distance(other, trimesh.creation.icosphere(5, 1.0), 5_000)  # another net of the same surface
    assert again.chamfer_l1 < 2e-4 and again.normal_consistency > 0.999 and again.f_score_half_percent == 1
    diagonal = 2 * 3**0.5
    assert apart.chamfer_l1 == pytest.approx(0.05 / diagonal, rel=0.1)
    assert apart.f_score_half_percent == 0  # 0.05 is 1.4 % of the diagonal
    assert apart.f_score_one_percent == 0


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


@pytest.mark.parametrize("budget", [{"bytes": 700}, {"bits": 6.0}, {"bits": 9.5}])
@pytest.mark.parametrize("steps", [3, 300])
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


def test_a_budget_that_is_too_small(torus):
    with pytest.raises(ValueError, match=r"120 bytes are too few for 953 parameters: at least \d+, or"):
        fit_mesh(torus, bytes=120, steps=3, width=64, rank=2)


def test_32_bits_are_exact(torus):
    field = fit_mesh(torus, bits=32.0, steps=3, **SMALL)
    assert not field.coded and len(field.to_bytes()) > 4 * field.parameters_count


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


def test_a_loss_that_is_no_number_stops(torus, tmp_path):
    with pytest.raises(RuntimeError, match=r"the loss is .* at step"):
        fit(
            torus,
            OccupancyConfig(width=32, rank=2),
            FitConfig(steps=50, learning_rate=1e30, pool=20_000),
            tmp_path / "x.sine",
        )
    assert not (tmp_path / "x.sine").exists()


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_resumed_training_is_the_same_training(optimizer, torus, tmp_path, monkeypatch):
    config = FitConfig(steps=30, batch=256, pool=20_000, precision="float32", optimizer=optimizer)
    settings = OccupancyConfig(width=32, rank=2), config
    straight = fit(torus, *settings)
    output = tmp_path / "x.sine"
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(12, Training._train_step))
        assert not fit(torus, *settings, output).complete
    assert output.is_file() and (tmp_path / ".x.sine.checkpoint").is_file()
    resumed = fit(torus, *settings, output)
    assert resumed.complete and [p.name for p in tmp_path.iterdir()] == ["x.sine"]
    torch.testing.assert_close(resumed.state_dict(), straight.state_dict())


def test_a_finished_file_stays_until_another_is_finished(torus, tmp_path, monkeypatch, capsys):
    output, kept = tmp_path / "x.sine", tmp_path / ".x.sine.checkpoint"
    architecture, config = split_settings({"steps": 9, **SMALL})
    assert fit(torus, *split_settings({"steps": 3, **SMALL}), output).complete
    before = output.read_bytes()
    for step in (2, 5):  # what resumes from a checkpoint keeps it too
        with monkeypatch.context() as patch:
            patch.setattr(Training, "_train_step", interrupt_at(step, Training._train_step))
            assert not fit(torus, architecture, config, output, progress=True).complete
        said = " ".join(capsys.readouterr().err.split())
        assert f"{output} is unchanged; run the same command to resume" in said and "bytes" not in said
        assert output.read_bytes() == before and kept.is_file()
    assert fit(torus, architecture, config, output).complete
    assert output.read_bytes() != before and not kept.exists()


def test_history_and_iou_are_those_of_the_whole_training_and_of_its_file(torus, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.occupancy.training.SCORE_EVERY", -1.0)
    announced = []
    monkeypatch.setattr(Training, "announce", lambda self, output: announced.append((self.iou, *self.held_out)))
    settings, output, history = split_settings({"steps": 8, **SMALL, "bits": 4.0}), tmp_path / "x.sine", []
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(4, Training._train_step))
        assert not fit(torus, *settings, output).complete
    told, points, inside = announced[0]
    assert told == iou(occupied(load(output), points), inside)  # all rounded at once, so worse than before
    assert fit(torus, *settings, output, history=history).complete
    assert [look["step"] for look in history] == list(range(1, 9))


def test_a_kill_before_the_file_is_written_leaves_a_fit_that_ends(torus, tmp_path, monkeypatch):
    settings = split_settings({"steps": 5, **SMALL})
    monkeypatch.setattr("sinenerf.occupancy.training.SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "finish", lambda self: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            fit(torus, *settings, tmp_path / "x.sine")
    assert (tmp_path / ".x.sine.checkpoint").is_file()
    history = []
    assert fit(torus, *settings, tmp_path / "x.sine", history=history).complete
    assert [look["step"] for look in history] == [5] and history[0]["loss"] > 0
    assert [p.name for p in tmp_path.iterdir()] == ["x.sine"]


def test_a_checkpoint_of_something_else_is_passed_over(torus, tmp_path, capsys):
    output = tmp_path / "x.sine"
    torch.save({"fingerprint": "other"}, tmp_path / ".x.sine.checkpoint")
    fit(torus, *split_settings({"steps": 2, **SMALL}), output, progress=True)
    assert "starting anew" in capsys.readouterr().err
    (tmp_path / ".x.sine.checkpoint").write_bytes(b"what a kill left")
    fit(torus, *split_settings({"steps": 2, **SMALL}), output, progress=True)
    assert "cannot be read" in capsys.readouterr().err


def interrupt_at(step, train_step):
    """A training step that hears Ctrl-C at one of them."""

    def wrapped(self):
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(self)

    return wrapped
