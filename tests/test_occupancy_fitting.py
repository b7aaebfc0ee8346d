"""Fitting: labels, samplers, resuming, files, and a field that comes out like the shape."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from answering import answer
from killing import kill_and_run_again
from torch.utils._python_dispatch import TorchDispatchMode

from sinenerf.activations import PHASE, activate, hidden_gain
from sinenerf.fields import load
from sinenerf.occupancy.field import FieldConfig, OccupancyField
from sinenerf.occupancy.fitting import fit
from sinenerf.occupancy.labels import Placement, Solid
from sinenerf.occupancy.metrics import evaluate, iou, surface_distance
from sinenerf.occupancy.sampling import SOFTNESS, GridSampler, SurfaceSampler
from sinenerf.occupancy.settings import FitConfig, split_settings
from sinenerf.occupancy.training import Training

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
        assert (
            (inside[:, 0] > 0.5) == torch.from_numpy(solid.contains(points.double().numpy()))
        ).float().mean() > 0.998
        assert abs(points).max() < 1.3
        assert not torch.equal(points, sampler.batch(3, 500)[0])
    middle, ring = solid.mesh.vertices.mean(0), 0.95 / 1.4  # a torus of radii 1 and 0.4, in cube units
    points, inside = (t.double().numpy() for t in SurfaceSampler(solid, 3, 20_000, near=1.0).batch(0, 5000))
    x, y, z = (points - middle).T
    exact = 0.4 * ring - np.hypot(np.hypot(x, y) - ring, z)
    assert abs(inside[:, 0] - 1 / (1 + np.exp(-exact / SOFTNESS))).mean() < 0.1  # its faces are flat
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
    field = fit(torus, FieldConfig(width=48, rank=3), FitConfig(steps=800, batch=2048, pool=100_000), history=history)
    assert history[-1]["iou"] > 0.9 and history[-1]["step"] == 800
    points = torch.tensor([[6.0, 6, 7], [5, 6, 7], [500, 6, 7]])
    assert (field(points) > 0.5).tolist() == [True, False, False]
    result = evaluate(field, torus, 1234, points=20_000, resolution=48)
    assert result.iou > 0.9 and result.iou_near > 0.7 and result.bytes == 1234
    assert result.chamfer_l1 < 0.01 and result.f_score_one_percent > 0.9 and result.normal_consistency > 0.9
    mesh = field.mesh(48, largest_component=True)
    assert mesh.is_watertight and np.allclose(mesh.bounds, torus.bounds, atol=0.15)
    assert mesh.euler_number == 0  # the hole of the torus is there


@pytest.mark.parametrize("layer", ["sine", "low-rank", "dense"])
@pytest.mark.parametrize("extra", [{"loss": "mse", "sampler": "grid", "resolution": 16}, {"activation": "sine"}])
def test_every_layer_sampler_and_loss_trains(layer, extra, torus):
    field = OccupancyField.fit(torus, layer=layer, steps=3, **SMALL, **extra)
    assert torch.isfinite(field(torch.rand(10, 3) + 5)).all()


def test_the_papers_parameter_counts():
    def count(layer, rank=1, anchored=False):
        config = FieldConfig(layer, rank, width=256, anchored=anchored)
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
    diagonal = 2 * 3**0.5
    assert apart.chamfer_l1 == pytest.approx(0.05 / diagonal, rel=0.1)
    assert apart.f_score_half_percent == 0  # 0.05 is 1.4 % of the diagonal
    assert apart.f_score_one_percent == 0


def test_saved_field_is_the_same_field(torus, tmp_path):
    field = OccupancyField.fit(torus, steps=3, **SMALL)
    field.save(tmp_path / "torus.sine")
    loaded = OccupancyField.load(tmp_path / "torus.sine")
    points = torch.rand(100, 3) * 3 + 4
    torch.testing.assert_close(loaded(points), field(points))
    assert loaded.config == field.config and loaded.placement == field.placement
    assert [p.name for p in tmp_path.iterdir()] == ["torus.sine"]


class NoFloat64(TorchDispatchMode):
    """Apple's GPUs have no float64."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        assert not isinstance(made, torch.Tensor) or made.dtype != torch.float64, func
        return made


def test_points_far_from_the_origin_need_no_float64():
    placement = Placement((1e6 + 0.1, -0.3, 7.0), 100.0)
    field = OccupancyField(FieldConfig(width=16, rank=2, bandwidth=30.0), placement)
    points = torch.tensor([[1e6 + 1, 2, 8], [1e6 - 50, 30, 60], [1e6 + 200, 0, 0]])
    expected = field(points.double())
    with NoFloat64():
        found = field(points)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert found[2] == 0 < found[0]


def test_numbers_changed_after_training_are_kept(torus, tmp_path):
    field = OccupancyField.fit(torus, steps=3, **SMALL)
    with torch.no_grad():
        field.network.head.bias += 1.0
    field.save(tmp_path / "torus.sine")
    torch.testing.assert_close(OccupancyField.load(tmp_path / "torus.sine").network.head.bias, field.network.head.bias)


@pytest.mark.parametrize("budget", [{"bytes": 700}, {"bits": 6.0}, {"bits": 9.5}])
@pytest.mark.parametrize("steps", [3, 300])
def test_a_budget_holds(budget, steps, torus):
    field = OccupancyField.fit(torus, steps=steps, **{**SMALL, "width": 64}, **budget)
    size = len(field.to_bytes())
    assert size <= budget.get("bytes", budget.get("bits", 0) * field.parameters_count / 8)
    assert steps < 300 or size > 0.9 * budget.get("bytes", budget.get("bits", 0) * field.parameters_count / 8)


def test_bytes_alone_choose_network_and_training(torus):
    field = OccupancyField.fit(torus, bytes=900, steps=20, pool=20_000)
    assert 850 < len(field.to_bytes()) <= 900 and field.config.width == 40


def test_a_budget_that_is_too_small(torus):
    with pytest.raises(ValueError, match=r"120 bytes are too few for 953 parameters: at least \d+, or"):
        OccupancyField.fit(torus, bytes=120, steps=3, width=64, rank=2)


def test_32_bits_are_exact(torus):
    field = OccupancyField.fit(torus, bits=32.0, steps=3, **SMALL)
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
        ({"wdith": 3}, "no setting is called 'wdith'"),
        ({"omega": 5e-4}, "omega is 0.0005: a file holds 0.001 to"),
        ({"spread": 5e-4}, "spread is 0.0005: a file holds 0.001 to"),
        ({"depth": 300}, "depth is 300: a file holds 1 to 255"),
        ({"width": 70_000}, "width is 70000: a file holds 1 to"),
        ({"width": 4000}, "width 4000 and depth 3: a file holds a width\\^2 depth of at most 16,777,216"),
        ({"layer": "dense", "width": 2048}, "8,402,945 numbers are beyond the format's bound of 4,194,304"),
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
            tmp_path / "x.sine",
        )
    assert not (tmp_path / "x.sine").exists()


@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_resumed_training_is_the_same_training(optimizer, torus, tmp_path, monkeypatch):
    config = FitConfig(steps=30, batch=256, pool=20_000, precision="float32", optimizer=optimizer)
    settings = FieldConfig(width=32, rank=2), config
    straight = fit(torus, *settings)
    output = tmp_path / "x.sine"
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(12, Training._train_step))
        assert not fit(torus, *settings, output).complete
    assert output.is_file() and (tmp_path / ".x.sine.checkpoint").is_file()
    resumed = fit(torus, *settings, output)
    assert resumed.complete and [p.name for p in tmp_path.iterdir()] == ["x.sine"]
    torch.testing.assert_close(resumed.state_dict(), straight.state_dict())


def test_history_and_iou_are_those_of_the_whole_training_and_of_its_file(torus, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.occupancy.training.SCORE_EVERY", -1.0)
    announced = []
    monkeypatch.setattr(Training, "announce", lambda self, output: announced.append((self.iou, *self.held_out)))
    settings, output, history = split_settings({"steps": 8, **SMALL, "bits": 4.0}), tmp_path / "x.sine", []
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(4, Training._train_step))
        assert not fit(torus, *settings, output).complete
    told, points, inside = announced[0]
    assert told == iou(load(output).evaluate(points) > 0, inside)  # rounded at once, and not as good as before
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
    field, glb = tmp_path / "torus.sine", tmp_path / "torus.glb"
    done = command("fit", torus_file, "--output", field, "--steps", 300, "--width", 48, "--omega", 3, "--spread", 3)
    assert done.returncode == 0, done.stderr
    assert "watertight" in done.stderr and "ambiguous" in done.stderr and "IoU 0.9" in done.stderr
    one = ("--resolution", 64, "--largest-component")
    done = command("mesh", field, "--output", glb, *one, "--up", "z", "--metres-per-unit", 0.1)
    assert done.returncode == 0 and "% of the grid" in done.stdout, done.stderr
    made = trimesh.load(glb, force="mesh")
    assert np.allclose(made.extents, [0.28, 0.08, 0.28], atol=0.02) and made.is_watertight
    answer("mesh", field, "--output", tmp_path / "torus.ply", *one)
    assert np.allclose(trimesh.load(tmp_path / "torus.ply").extents, [2.8, 2.8, 0.8], atol=0.15)
    done = command("eval", field, torus_file, "--points", 20000, "--resolution", 64)
    assert "IoU, uniform in the cube" in done.stdout and "parameters" in done.stdout
    done = command("info", field)
    assert "trunk.layers.1.U" in done.stdout and f"{field.stat().st_size:,} bytes" in done.stdout, done.stderr
    assert json.loads(answer("info", field, "--json").stdout)["bytes"] == field.stat().st_size
    small = tmp_path / "small.sine"
    done = command("compress", field, "--output", small, "--bytes", 900, "--steps", 500, "--mesh", torus_file)
    assert done.returncode == 0 and 800 < small.stat().st_size <= 900 < field.stat().st_size, done.stderr
    done = answer("eval", small, torus_file, "--points", 20000, "--resolution", 64, "--json")
    assert json.loads(done.stdout)["iou"] > 0.8
    done = answer("eval", field, torus_file, "--points", 20000, "--resolution", 64, "--json")
    assert '"iou": 0.9' in done.stdout and f'"bytes": {field.stat().st_size}' in done.stdout


@pytest.mark.slow
def test_killed_and_interrupted_fits_go_on(torus_file, tmp_path):
    field = tmp_path / "torus.sine"
    line = [sys.executable, "-c", "import sinenerf.occupancy.training as t; t.SAVE_EVERY = 0.5; t.SCORE_EVERY = 0.2; "
            "from sinenerf.cli import main; main()"]  # fmt: skip
    line += ["fit", str(torus_file), "--output", str(field), "--minutes", "0.15", "--width", "32"]
    for sent, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
        checkpoint, started = tmp_path / ".torus.sine.checkpoint", time.time()
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
    assert [p.name for p in tmp_path.iterdir()] == ["torus.sine"]


@pytest.mark.slow
def test_killed_compression_goes_on(tmp_path):
    golden = Path(__file__).parent / "golden" / "sine.sine"
    line = [sys.executable, "-c", "import sinenerf.occupancy.training as t; t.SAVE_EVERY = t.SCORE_EVERY = 0.1; "
            "import sinenerf.occupancy.compress as c; c.TEACHER_RESOLUTION = 48; "
            "from sinenerf.cli import main; main()"]  # fmt: skip
    line += ["compress", str(golden), "--output", str(tmp_path / "small.sine"), "--bits", "12", "--minutes", "0.1"]
    kill_and_run_again(line, tmp_path / ".small.sine.checkpoint")
    assert [p.name for p in tmp_path.iterdir()] == ["small.sine"]
    OccupancyField.load(tmp_path / "small.sine")


@pytest.mark.slow
def test_bad_input_is_one_line(torus_file, tmp_path):
    """Exit code not 0, one line, nothing left behind."""
    field = tmp_path / "torus.sine"
    assert answer("fit", torus_file, "--output", field, "--steps", 2, "--width", 16).returncode == 0
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    files = sorted(p.name for p in tmp_path.iterdir())
    for arguments, message in (
        (("fit", tmp_path / "none.ply", "--output", field), "no such file"),
        (("fit", tmp_path / "points.obj", "--output", field), "has no faces"),
        (("fit", torus_file, "--output", tmp_path / "no" / "x.sine"), "is not there"),
        (("fit", torus_file, "--output", field, "--rank", 999), "choose a rank"),
        (("mesh", torus_file, "--output", tmp_path / "x.glb"), "is not a .sine file"),
        (("mesh", field, "--output", tmp_path / "no" / "x.glb"), "is not there"),
        (("mesh", field, "--output", tmp_path / "x.doc"), "cannot write '.doc'"),
        (("mesh", field, "--output", tmp_path / "x.glb", "--level", 1 - 1e-9, "--resolution", 16), "Try --level"),
        (("eval", field, tmp_path / "points.obj"), "has no faces"),
        (("info", torus_file), "is not a .sine file"),
        (("compress", field, "--output", tmp_path / "no" / "x.sine", "--bytes", 400), "is not there"),
        (("compress", field, "--output", tmp_path / "x.sine", "--bytes", 40), "40 bytes are too few"),
        (("compress", field, "--output", field, "--bytes", 400), "is the file that is to be made smaller"),
        (("compress", field, "--output", tmp_path / "x.sine"), "is rounded already"),
        (("fit", torus_file, "--output", tmp_path), "is a folder"),
        (("eval", field, torus_file, "--points", 4), "points is 4: at least 5 are needed"),
        (("eval", field, torus_file, "--picture", tmp_path / "x.png"), "holds a shape"),
        (("mesh", field, "--output", tmp_path / "x.ply", "--resolution", 10**6), "not enough memory"),
    ):
        done = answer(*arguments)
        assert done.returncode == 1 and message in done.stderr, (arguments, done.stderr)
        assert done.stderr.startswith("sinenerf: ") and done.stderr.count("\n") == 1, done.stderr
        assert sorted(p.name for p in tmp_path.iterdir()) == files


def test_a_mesh_is_prepared_once_and_reported_in_full(torus, tmp_path, monkeypatch):
    faces = np.concatenate([torus.faces[:5, ::-1], torus.faces[5:]])
    part = trimesh.Trimesh(torus.vertices, faces, process=False)
    trimesh.Scene([part, trimesh.creation.box()]).export(tmp_path / "two.glb")

    def begin(*arguments):
        raise RuntimeError("the training begins")

    monkeypatch.setattr("sinenerf.occupancy.fitting.Training", begin)
    golden = Path(__file__).parent / "golden" / "sine.sine"
    for command in (("fit", tmp_path / "two.glb"), ("compress", golden, "--bits", 7, "--mesh", tmp_path / "two.glb")):
        done = answer(*command, "--output", tmp_path / "x.sine")
        said = "faces in 2 geometries, merged; watertight, 5 faces turned round;"
        assert said in " ".join(done.stderr.split()) and "the training begins" in done.stderr, done.stderr


def test_a_mesh_is_not_replaced_by_its_field(tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.occupancy.fitting.Training", lambda *arguments: pytest.fail("it began"))
    path = tmp_path / "ball.ply"
    trimesh.creation.icosphere(2).export(path)
    before = path.read_bytes()
    done = answer("fit", path, "--output", path, "--steps", 1, "--width", 16)
    assert done.returncode == 1 and "is the mesh itself" in done.stderr and done.stderr.count("\n") == 1
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_no_disk_space(torus_file, tmp_path):
    """A limit on the size of files stands for a full disk: the write fails half way."""
    (tmp_path / "x.sine").write_bytes(b"old")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    done = command("fit", torus_file, "--output", tmp_path / "x.sine", "--steps", 2, preexec_fn=limit)
    assert done.returncode == 1 and "File too large" in done.stderr.splitlines()[-1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.sine"]
    assert (tmp_path / "x.sine").read_bytes() == b"old"
