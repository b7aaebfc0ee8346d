"""Fitting: labels, samplers, resuming, files, and a field that comes out like the shape."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import trimesh
from safetensors.torch import save_file

from sinenerf.activations import PHASE, activate, hidden_gain
from sinenerf.occupancy import fitting
from sinenerf.occupancy.field import FieldConfig, OccupancyField
from sinenerf.occupancy.fitting import FitConfig, fit, split_settings
from sinenerf.occupancy.labels import Placement, Solid
from sinenerf.occupancy.metrics import evaluate, iou, surface_distance
from sinenerf.occupancy.sampling import GridSampler, SurfaceSampler

SMALL = {"width": 32, "rank": 2, "batch": 1024, "pool": 20_000}


@pytest.fixture
def torus():
    mesh = trimesh.creation.torus(1.0, 0.4)
    mesh.apply_transform(trimesh.transformations.translation_matrix([5, 6, 7]))
    return mesh


@pytest.fixture
def solid(torus):
    return Solid(torus, Placement.of(torus))


@pytest.mark.parametrize("activation", ["gaussian", "sine"])
def test_activations_have_the_right_gradient(activation):
    z = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: activate(x, activation, 3.0), z)
    expected = torch.sin(3 * z) if activation == "sine" else torch.exp(-(((3 * z) ** 2) / 2))
    torch.testing.assert_close(activate(z, activation, 3.0), expected)


@pytest.mark.parametrize("activation", ["gaussian", "sine"])
def test_hidden_layers_keep_the_size_of_their_input(activation):
    bandwidth, width = 5.0, 256
    z = torch.randn(2000, width) * PHASE[activation] / bandwidth
    weight = torch.randn(width, width) * hidden_gain(activation, bandwidth) / width**0.5
    after = activate(z, activation, bandwidth) @ weight.T
    assert float(bandwidth * after.square().mean().sqrt()) == pytest.approx(PHASE[activation], rel=0.1)


def test_samplers_agree_with_the_solid_and_with_their_seed(solid):
    for sampler in (SurfaceSampler(solid, 3, 20_000), GridSampler(solid, 3, 20)):
        points, inside = sampler.batch(2, 500)
        assert points.shape == (500, 3) and inside.shape == (500, 1)
        assert ((inside[:, 0] > 0) == torch.from_numpy(solid.contains(points.double().numpy()))).float().mean() > 0.998
        assert abs(points).max() < 1.3
        assert not torch.equal(points, sampler.batch(3, 500)[0])
    again = SurfaceSampler(solid, 3, 20_000), SurfaceSampler(solid, 4, 20_000)
    first = SurfaceSampler(solid, 3, 20_000).batch(2, 500)[0]
    assert torch.equal(first, again[0].batch(2, 500)[0]) and not torch.equal(first, again[1].batch(2, 500)[0])


def test_surface_sampler_is_mostly_near_and_wraps_round(solid):
    sampler = SurfaceSampler(solid, count=20_000)
    points, _ = sampler.batch(0, 20_000)
    distance = abs(trimesh.proximity.signed_distance(solid.mesh, points[:500].double().numpy()))
    assert 0.5 < (distance < 0.1).mean() < 0.95
    again, _ = sampler.batch(1, 19_000)
    assert torch.equal(again[1000:], points[:18_000])


def test_grid_sampler_visits_every_voxel_once_an_epoch(solid):
    sampler = GridSampler(solid, resolution=13)
    points = torch.cat([sampler.batch(step, 169)[0] for step in range(13)])
    cells = ((points + 1) / 2 * 13 - 0.5).round().long()
    assert len(torch.unique(cells, dim=0)) == 13**3
    assert abs(points).max() == pytest.approx(12 / 13)


def test_a_fitted_field_is_like_its_shape(torus, solid):
    history = []
    field = fit(torus, FieldConfig(width=48, rank=3), FitConfig(steps=400, batch=2048, pool=100_000), history=history)
    assert history[-1]["iou"] > 0.9 and history[-1]["step"] == 400
    points = torch.tensor([[6.0, 6, 7], [5, 6, 7], [500, 6, 7]])
    assert (field(points) > 0.5).tolist() == [True, False, False]
    result = evaluate(field, torus, 1234, points=20_000, resolution=48)
    assert result.iou > 0.9 and result.iou_near > 0.7 and result.bytes == 1234
    assert result.chamfer_l1 < 0.01 and result.f_score_one_percent > 0.9 and result.normal_consistency > 0.9
    mesh = field.mesh(48)
    assert mesh.is_watertight and np.allclose(mesh.bounds, torus.bounds, atol=0.15)
    assert mesh.euler_number == 0  # the hole of the torus is there


@pytest.mark.parametrize("layer", ["sine", "low-rank", "dense"])
@pytest.mark.parametrize("extra", [{"loss": "mse", "sampler": "grid", "resolution": 16}, {"activation": "sine"}])
def test_every_layer_sampler_and_loss_trains(layer, extra, torus):
    field = OccupancyField.fit(torus, layer=layer, steps=3, **SMALL, **extra)
    assert torch.isfinite(field(torch.rand(10, 3) + 5)).all()


def test_the_papers_parameter_counts():
    def count(layer, rank=1):
        return OccupancyField(FieldConfig(layer, rank, width=256), Placement((0, 0, 0), 1)).parameters_count

    assert count("sine") == count("low-rank") == 2_817
    assert count("dense") == 132_865
    assert count("sine", 4) == 5_889


def test_metrics_of_known_shapes():
    a, b = trimesh.creation.icosphere(4, 1.0), trimesh.creation.icosphere(4, 1.05)
    assert iou(np.array([1, 1, 0], bool), np.array([1, 0, 1], bool)) == pytest.approx(1 / 3)
    same, apart = surface_distance(a, a, 20_000), surface_distance(b, a, 50_000)
    assert same.f_score_half_percent == 1 and same.normal_consistency == pytest.approx(1)
    diagonal = 2 * 3**0.5
    assert apart.chamfer_l1 == pytest.approx(0.05 / diagonal, rel=0.1)
    assert apart.f_score_half_percent == 0  # 0.05 is 1.4 % of the diagonal
    assert apart.f_score_one_percent == 0


def test_saved_field_is_the_same_field(torus, tmp_path):
    field = OccupancyField.fit(torus, steps=3, **SMALL)
    field.save(tmp_path / "torus.field")
    loaded = OccupancyField.load(tmp_path / "torus.field")
    points = torch.rand(100, 3) * 3 + 4
    torch.testing.assert_close(loaded(points), field(points))
    assert loaded.config == field.config and loaded.placement == field.placement
    assert [p.name for p in tmp_path.iterdir()] == ["torus.field"]


def test_a_file_that_is_no_field(torus, tmp_path):
    path = tmp_path / "x.field"
    field = OccupancyField.fit(torus, steps=1, **SMALL)
    for data, message in ((b"", "is not a field"), (b"something else entirely", "is not a field")):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            OccupancyField.load(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"is not a field of sinenerf\. Make one with"):
        OccupancyField.load(path)
    save_file({"a": torch.zeros(1)}, path, {"format": "sinenerf occupancy field", "version": "7"})
    with pytest.raises(ValueError, match="version 7; this sinenerf reads version 1"):
        OccupancyField.load(path)
    field.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(ValueError, match="damaged"):
        OccupancyField.load(path)
    path.write_bytes(whole.replace(b'width\\": 32', b'width\\": 64'))
    with pytest.raises(ValueError, match="damaged"):
        OccupancyField.load(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 300}, "choose a rank from 1 to 32"),
        ({"rank": 0}, "rank is 0"),
        ({"omega": -1.0}, "omega is -1.0"),
        ({"steps": 0}, "steps is 0"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"steps": 1, "minutes": 1.0}, "not both"),
        ({"wdith": 3}, "no setting is called 'wdith'"),
    ],
)
def test_impossible_settings(settings, message, torus):
    with pytest.raises(ValueError, match=message):
        OccupancyField.fit(torus, **{**SMALL, **settings})


def test_a_loss_that_is_no_number_stops(torus, tmp_path):
    with pytest.raises(RuntimeError, match=r"the loss is .* at step"):
        fit(
            torus,
            FieldConfig(width=32, rank=2),
            FitConfig(steps=50, learning_rate=1e30, pool=20_000),
            tmp_path / "x.field",
        )
    assert not (tmp_path / "x.field").exists()


def test_resumed_training_is_the_same_training(torus, tmp_path, monkeypatch):
    settings = FieldConfig(width=32, rank=2), FitConfig(steps=30, batch=256, pool=20_000, precision="float32")
    straight = fit(torus, *settings)
    output = tmp_path / "x.field"
    with monkeypatch.context() as patch:
        patch.setattr(fitting._Training, "_train_step", interrupt_at(12, fitting._Training._train_step))
        assert not fit(torus, *settings, output).complete
    assert output.is_file() and (tmp_path / ".x.field.checkpoint").is_file()
    resumed = fit(torus, *settings, output)
    assert resumed.complete and [p.name for p in tmp_path.iterdir()] == ["x.field"]
    torch.testing.assert_close(resumed.state_dict(), straight.state_dict())


def test_a_checkpoint_of_something_else_is_passed_over(torus, tmp_path, capsys):
    output = tmp_path / "x.field"
    torch.save({"fingerprint": "other"}, tmp_path / ".x.field.checkpoint")
    fit(torus, *split_settings({"steps": 2, **SMALL}), output, progress=True)
    assert "starting anew" in capsys.readouterr().err
    (tmp_path / ".x.field.checkpoint").write_bytes(b"what a kill left")
    fit(torus, *split_settings({"steps": 2, **SMALL}), output, progress=True)
    assert "cannot be read" in capsys.readouterr().err


def interrupt_at(step, train_step):
    """A training step that hears Ctrl-C at one of them."""

    def wrapped(self):
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(self)

    return wrapped


@pytest.fixture(scope="module")
def torus_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("shape") / "torus.ply"
    trimesh.creation.torus(1.0, 0.4).export(path)
    return path


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "sinenerf", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


@pytest.mark.slow
def test_from_mesh_to_field_to_mesh(torus_file, tmp_path):
    """The README's three commands, as a user types them."""
    field, glb = tmp_path / "torus.field", tmp_path / "torus.glb"
    done = command("fit", torus_file, "--output", field, "--steps", 300, "--width", 48)
    assert done.returncode == 0, done.stderr
    assert "watertight" in done.stderr and "ambiguous" in done.stderr and "IoU 0.9" in done.stderr
    done = command("mesh", field, "--output", glb, "--resolution", 64, "--up", "z", "--metres-per-unit", 0.1)
    assert done.returncode == 0 and "% of the grid" in done.stdout, done.stderr
    made = trimesh.load(glb, force="mesh")
    assert np.allclose(made.extents, [0.28, 0.08, 0.28], atol=0.02) and made.is_watertight
    done = command("mesh", field, "--output", tmp_path / "torus.ply", "--resolution", 64)
    assert np.allclose(trimesh.load(tmp_path / "torus.ply").extents, [2.8, 2.8, 0.8], atol=0.15)
    done = command("eval", field, torus_file, "--points", 20000, "--resolution", 64)
    assert "IoU, uniform in the cube" in done.stdout and "parameters" in done.stdout
    done = command("eval", field, torus_file, "--points", 20000, "--resolution", 64, "--json")
    assert '"iou": 0.9' in done.stdout and f'"bytes": {field.stat().st_size}' in done.stdout


@pytest.mark.slow
def test_killed_and_interrupted_fits_go_on(torus_file, tmp_path):
    field = tmp_path / "torus.field"
    line = [sys.executable, "-c", "import sinenerf.occupancy.fitting as f; f.SAVE_EVERY = 0.5; f.SCORE_EVERY = 0.2; "
            "from sinenerf.cli import main; main()"]  # fmt: skip
    line += ["fit", str(torus_file), "--output", str(field), "--minutes", "0.3", "--width", "32"]
    for sent, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        checkpoint, started = tmp_path / ".torus.field.checkpoint", time.time()
        before = checkpoint.stat().st_mtime if checkpoint.exists() else 0
        while not (checkpoint.exists() and checkpoint.stat().st_mtime > before) and time.time() - started < 120:
            time.sleep(0.1)
        process.send_signal(sent)
        errors = process.communicate()[1]
        assert process.returncode == code, errors
    assert "going on from step" in errors and "the same command goes on" in errors
    OccupancyField.load(field)
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0 and "going on from step" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["torus.field"]


@pytest.mark.slow
def test_bad_input_is_one_line(torus_file, tmp_path):
    """Exit code not 0, one line, nothing left behind."""
    field = tmp_path / "torus.field"
    trimesh.creation.torus(1.0, 0.4)
    assert command("fit", torus_file, "--output", field, "--steps", 2, "--width", 16).returncode == 0
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    files = sorted(p.name for p in tmp_path.iterdir())
    for arguments, message in (
        (("fit", tmp_path / "none.ply", "--output", field), "no such file"),
        (("fit", tmp_path / "points.obj", "--output", field), "has no faces"),
        (("fit", torus_file, "--output", tmp_path / "no" / "x.field"), "is not there"),
        (("fit", torus_file, "--output", field, "--rank", 999), "choose a rank"),
        (("mesh", torus_file, "--output", tmp_path / "x.glb"), "is not a field"),
        (("mesh", field, "--output", tmp_path / "no" / "x.glb"), "is not there"),
        (("mesh", field, "--output", tmp_path / "x.doc"), "cannot write '.doc'"),
        (("mesh", field, "--output", tmp_path / "x.glb", "--level", 1 - 1e-9, "--resolution", 16), "Try --level"),
        (("eval", field, tmp_path / "points.obj"), "has no faces"),
    ):
        done = command(*arguments)
        assert done.returncode not in (0, 2) and message in done.stderr, (arguments, done.stderr)
        assert done.stderr.startswith("sinenerf: ") and done.stderr.count("\n") == 1, done.stderr
        assert sorted(p.name for p in tmp_path.iterdir()) == files


@pytest.mark.slow
def test_no_disk_space(torus_file, tmp_path):
    """A limit on the size of files stands for a full disk: the write fails half way."""
    (tmp_path / "x.field").write_bytes(b"old")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    done = command("fit", torus_file, "--output", tmp_path / "x.field", "--steps", 2, preexec_fn=limit)
    assert done.returncode == 1 and "File too large" in done.stderr.splitlines()[-1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.field"]
    assert (tmp_path / "x.field").read_bytes() == b"old"
