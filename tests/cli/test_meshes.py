"""sinenerf fit and mesh: from a mesh to a field and back, after a kill, and on a full disk."""

import json
import resource
import signal
import subprocess
import sys
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import trimesh
from support.commands import call_sinenerf, run_sinenerf
from support.golden_files import GOLDEN
from support.kill_loop import stop_when
from support.radiance_fields import a_field

from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement


@pytest.mark.slow
def test_a_mesh_becomes_a_field_and_a_mesh_again(torus_file, tmp_path, monkeypatch):
    """The README's three commands, as a user types them."""
    field, glb = tmp_path / "torus.sine", tmp_path / "torus.glb"
    done = run_sinenerf(
        "fit", torus_file, "--output", field, "--steps", 300, "--width", 48, "--spread", 3, "--pool", 50_000
    )
    assert done.returncode == 0, done.stderr
    assert "watertight" in done.stderr and "ambiguous" in done.stderr and "IoU 0.9" in done.stderr
    grid = ("--resolution", 64, "--largest-component")
    done = call_sinenerf("mesh", field, "--output", glb, *grid, "--up", "z", "--metres-per-unit", 0.1)
    assert done.returncode == 0 and "% of the grid" in done.stdout, done.stderr
    surface = trimesh.load(glb, force="mesh")
    assert np.allclose(surface.extents, [0.28, 0.08, 0.28], atol=0.02) and surface.is_watertight
    call_sinenerf("mesh", field, "--output", tmp_path / "torus.ply", *grid)
    assert np.allclose(trimesh.load(tmp_path / "torus.ply").extents, [2.8, 2.8, 0.8], atol=0.15)
    done = call_sinenerf("eval", field, torus_file, "--points", 20000, "--resolution", 64)
    assert "IoU, uniform in the cube" in done.stdout and "parameters" in done.stdout
    done = call_sinenerf("info", field)
    assert "trunk.layers.1.U" in done.stdout and f"{field.stat().st_size:,} bytes" in done.stdout, done.stderr
    assert json.loads(call_sinenerf("info", field, "--json").stdout)["bytes"] == field.stat().st_size
    small = tmp_path / "small.sine"
    monkeypatch.setattr("sinenerf.occupancy.compress.FitConfig", partial(FitConfig, pool=50_000))
    done = call_sinenerf("compress", field, "--output", small, "--bytes", 900, "--steps", 500, "--mesh", torus_file)
    assert done.returncode == 0 and 800 < small.stat().st_size <= 900 < field.stat().st_size, done.stderr
    done = call_sinenerf("eval", small, torus_file, "--points", 20000, "--resolution", 64, "--json")
    assert json.loads(done.stdout)["iou"] > 0.8
    done = call_sinenerf("eval", field, torus_file, "--points", 20000, "--resolution", 64, "--json")
    assert '"iou": 0.9' in done.stdout and f'"bytes": {field.stat().st_size}' in done.stdout


@pytest.mark.slow
def test_killed_and_interrupted_fits_resume(torus_file, tmp_path):
    field = tmp_path / "torus.sine"
    line = [sys.executable, "-c", "import sinenerf.occupancy.training as t; "
            "t.SAVE_EVERY, t.SCORE_EVERY, t.SCORE_SHARE = 0.5, 0.2, 1; "
            "from sinenerf.cli import main; main()"]  # fmt: skip
    line += ["fit", str(torus_file), "--output", str(field), "--minutes", "0.08", "--pool", "20000"]
    line += ["--width", "24", "--rank", "2"]
    checkpoint = tmp_path / ".torus.sine.checkpoint"
    for signal_sent, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        before = checkpoint.stat().st_mtime if checkpoint.exists() else 0
        stopped = stop_when(
            lambda before=before: checkpoint.exists() and checkpoint.stat().st_mtime > before, line, sent=signal_sent
        )
        assert stopped.returncode == code, stopped.stderr
    assert "resuming from step" in stopped.stderr and "run the same command to resume" in stopped.stderr
    OccupancyField.load(field)
    done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0 and "resuming from step" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["torus.sine"]


@pytest.mark.slow
def test_bad_input_is_one_line(torus_file, tmp_path):
    """Exit code 1, one line on standard error, and no file written."""
    field, small = tmp_path / "torus.sine", ("--width", 16, "--rank", 2, "--steps", 2, "--pool", 9000)
    assert call_sinenerf("fit", torus_file, "--output", field, *small).returncode == 0
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    files = sorted(p.name for p in tmp_path.iterdir())
    for arguments, message in (
        (("fit", tmp_path / "none.ply", "--output", field), "no such file"),
        (("fit", tmp_path / "points.obj", "--output", field), "has no faces"),
        (("fit", torus_file, "--output", tmp_path / "no" / "x.sine"), "does not exist"),
        (("fit", torus_file, "--output", field, "--rank", 999), "choose a rank"),
        (("mesh", torus_file, "--output", tmp_path / "x.glb"), "is not a .sine file"),
        (("mesh", field, "--output", tmp_path / "no" / "x.glb"), "does not exist"),
        (("mesh", field, "--output", tmp_path / "x.doc"), "cannot write '.doc'"),
        (("mesh", field, "--output", tmp_path / "x.ply", "--metres-per-unit", 1), "only .glb is turned and scaled"),
        (("mesh", field, "--output", tmp_path / "x.ply", "--up", "y"), "only .glb is turned and scaled"),
        (("mesh", field, "--output", tmp_path / "x.glb", "--level", 1 - 1e-9, "--resolution", 16), "Try --level"),
        (("fit", torus_file, "--output", tmp_path), "is a folder"),
        (("mesh", field, "--output", tmp_path / "x.ply", "--resolution", 10**6), "not enough memory"),
    ):
        done = call_sinenerf(*arguments)
        assert done.returncode == 1 and message in done.stderr, (arguments, done.stderr)
        assert done.stderr.startswith("sinenerf: ") and done.stderr.count("\n") == 1, done.stderr
        assert sorted(p.name for p in tmp_path.iterdir()) == files


@pytest.fixture
def fit_calls(monkeypatch):
    """(architecture, config) of each `sinenerf fit`, which trains nothing here."""
    calls = []

    def fit(mesh, architecture, config, output, *_, **__):
        calls.append((architecture, config))
        return OccupancyField(OccupancyConfig(width=16, rank=2), Placement((0.0, 0.0, 0.0), 1.0))

    monkeypatch.setattr("sinenerf.occupancy.fit.read_mesh", lambda path, sheet: (trimesh.creation.box(), None))
    monkeypatch.setattr("sinenerf.occupancy.fit.fit", fit)
    return calls


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bytes": 2000, "layer": "low-rank"},
        {"bytes": 20000, "layer": "auto"},
        {"rank": 2, "anchored": False},
        {"bits": 7.5},
        {"bytes": 900, "spread": 2.0, "optimizer": "adam", "batch": 99, "learning_rate": 0.5, "width": 40},
        {
            "width": 32,
            "learn_gain": True,
            "init": "paper",
            "steps": 5,
            "sampler": "grid",
            "resolution": 16,
            "loss": "mse",
            "seed": 3,
        },
    ],
)
def test_fit_reads_its_options_from_the_settings(settings, fit_calls):
    options = []
    for name, value in settings.items():
        flag = name.replace("_", "-")
        options += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", value]
    done = call_sinenerf("fit", "shape.ply", "--output", "shape.sine", *options)
    assert done.returncode == 0, done.stderr
    assert fit_calls[-1] == split_settings(settings)


def test_fit_has_an_option_for_each_setting():
    """Its help shows the setting's doc string and its default, also where the file's size may choose the value."""
    text = " ".join(call_sinenerf("fit", "--help").stdout.replace("│", "").split())
    for f in (*fields(OccupancyConfig), *fields(FitConfig)):
        assert f"--{f.name.replace('_', '-')}" in text
        if f.metadata["chosen_for_size"]:
            assert f"(default: {f.default}, or chosen to suit --bytes)" in text
    assert "Frequency of the sine. (default: 3.0)" in text


def test_a_mesh_is_prepared_once_and_reported_in_full(torus, tmp_path, monkeypatch):
    faces = np.concatenate([torus.faces[:5, ::-1], torus.faces[5:]])
    part = trimesh.Trimesh(torus.vertices, faces, process=False)
    both = trimesh.Scene([part, trimesh.creation.box()])
    both.export(tmp_path / "two.glb")
    OccupancyField(OccupancyConfig(width=16, rank=2), Placement.of(both.to_mesh())).save(tmp_path / "own.sine")

    def begin(*arguments):
        raise RuntimeError("the training begins")

    monkeypatch.setattr("sinenerf.occupancy.fit.Training", begin)
    for command in (
        ("fit", tmp_path / "two.glb"),
        ("compress", tmp_path / "own.sine", "--bits", 7, "--mesh", tmp_path / "two.glb"),
    ):
        done = call_sinenerf(*command, "--output", tmp_path / "x.sine")
        report = "faces in 2 geometries, merged; watertight, 5 faces flipped;"
        assert report in " ".join(done.stderr.split()) and "the training begins" in done.stderr, done.stderr


def test_a_mesh_is_not_replaced_by_its_field(tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.occupancy.fit.Training", lambda *arguments: pytest.fail("training began"))
    path = tmp_path / "ball.ply"
    trimesh.creation.icosphere(2).export(path)
    field = tmp_path / "golden.sine"
    field.write_bytes((GOLDEN / "sine.sine").read_bytes())
    before = path.read_bytes(), field.read_bytes()
    for other in (path, tmp_path / "x.glb", tmp_path / "x.PNG", tmp_path / "x"):
        for command in (("fit", path), ("compress", field, "--bits", 7)):
            done = call_sinenerf(*command, "--output", other, "--steps", 1)
            message = f"sinenerf: {other}: cannot write '{other.suffix}'. Use .sine\n"
            assert done.returncode == 1 and done.stderr == message
    done = call_sinenerf("compress", field, "--output", field, "--mesh", path, "--bits", 7, "--steps", 1)
    message = "golden.sine: is an input, and the output would overwrite it. Give another name\n"
    assert done.returncode == 1 and done.stderr.endswith(message) and done.stderr.count("\n") == 1
    assert (path.read_bytes(), field.read_bytes()) == before and sorted(tmp_path.iterdir()) == [path, field]


def test_an_adapter_has_no_mesh(tmp_path):
    path = next((GOLDEN / "adapters").rglob("*.sine"))
    done = call_sinenerf("mesh", path, "--output", tmp_path / "x.ply")
    message = f"holds an adapter, which needs its model: sinenerf.adapters.load_adapter(model, {str(path)!r})"
    assert done.returncode == 1 and done.stderr == f"sinenerf: {path}: {message}\n"


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("shape", ("--min-faces", 3)),
        ("shape", ("--box", 0, 0, 0, 1, 1, 1)),
        ("shape", ("--frame", "capture")),
        ("shape", ("--frame", "scene")),
        ("shape", ("--texture", 64)),
        ("shape", ("--no-seen-only",)),
        ("scene", ("--up", "z")),
        ("scene", ("--metres-per-unit", 2)),
        ("scene", ("--metres-per-unit", 1)),
        ("scene", ("--no-seen-only",)),
        ("run", ("--up", "z")),
    ],
)
def test_options_of_another_kind_are_refused(kind, option, torus, tmp_path):
    path = tmp_path / "source"
    if kind == "run":
        path.mkdir()
    elif kind == "scene":
        a_field().save(path)
    else:
        OccupancyField(OccupancyConfig(width=16, rank=2), Placement.of(torus)).save(path)
    done = call_sinenerf("mesh", path, "--output", tmp_path / "x.glb", *option)
    message = f"sinenerf: {path}: is a {kind}, for which {option[0]} does nothing: leave it out\n"
    assert (done.returncode, done.stderr) == (1, message)
    assert not (tmp_path / "x.glb").exists()


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file(torus_file, tmp_path):
    """A limit on file size simulates the full disk: the write fails halfway."""
    (tmp_path / "x.sine").write_bytes(b"old")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    done = run_sinenerf(
        "fit", torus_file, "--output", tmp_path / "x.sine", "--steps", 2, "--pool", 9000, preexec_fn=limit
    )
    assert done.returncode == 1 and "File too large" in done.stderr.splitlines()[-1]
    assert [p.name for p in tmp_path.iterdir()] == ["x.sine"]
    assert (tmp_path / "x.sine").read_bytes() == b"old"
