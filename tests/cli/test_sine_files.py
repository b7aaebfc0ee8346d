"""sinenerf info, compress and eval."""

import sys

import pytest
import trimesh
from support.commands import call_sinenerf
from support.golden_files import GOLDEN
from support.kill_loop import kill_and_run_again

from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.solid import Placement


@pytest.mark.slow
def test_a_killed_compression_resumes(tmp_path):
    line = [sys.executable, "-c", "import sinenerf.occupancy.training as t; "
            "t.SAVE_EVERY, t.SCORE_EVERY, t.SCORE_SHARE, t.PIECES_RESOLUTION = 0.1, 0.1, 1, 32; "
            "import functools, sinenerf.occupancy.compress as c; c.TEACHER_RESOLUTION = 48; "
            "c.FitConfig = functools.partial(c.FitConfig, pool=20_000); "
            "from sinenerf.cli import main; main()"]  # fmt: skip
    golden, small = str(GOLDEN / "sine.sine"), str(tmp_path / "small.sine")
    line += ["compress", golden, "--output", small, "--bits", "12", "--minutes", "0.05"]
    kill_and_run_again(line, tmp_path / ".small.sine.checkpoint")
    assert [p.name for p in tmp_path.iterdir()] == ["small.sine"]
    OccupancyField.load(tmp_path / "small.sine")


@pytest.mark.slow
def test_bad_input_is_one_line(torus_file, tmp_path):
    """Exit code 1, one line on standard error, and no file written."""
    field, small = tmp_path / "torus.sine", ("--width", 16, "--rank", 2, "--steps", 2, "--pool", 9000)
    assert call_sinenerf("fit", torus_file, "--output", field, *small).returncode == 0
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    files = sorted(p.name for p in tmp_path.iterdir())
    for arguments, message in (
        (("eval", field, tmp_path / "points.obj"), "has no faces"),
        (("info", torus_file), "is not a .sine file"),
        (("compress", field, "--output", tmp_path / "no" / "x.sine", "--bytes", 400), "does not exist"),
        (("compress", field, "--output", tmp_path / "x.sine", "--bytes", 40), "40 bytes are too few"),
        (("compress", field, "--output", field, "--bytes", 400), "is an input, and the output would overwrite it"),
        (("compress", field, "--output", tmp_path / "x.sine"), "is already rounded"),
        (("eval", field, torus_file, "--points", 4), "points is 4: at least 5 are needed"),
        (("eval", field, torus_file, "--seed", -1), "seed is -1: it must be 0 or more"),
        (("eval", field, torus_file, "--picture", tmp_path / "x.png"), "is a shape, for which --picture does nothing"),
        (("eval", field, torus_file, "--all", "--scale", 0.5), "is a shape, for which --all does nothing"),
        (("eval", GOLDEN / "scenes/paper.sine", tmp_path, "--points", 9), "is a scene, for which --points does"),
        (("compress", field, "--output", tmp_path / "x.sine", "--bytes", 400, "--thickness", "2%"), "give --mesh, too"),
    ):
        done = call_sinenerf(*arguments)
        assert done.returncode == 1 and message in done.stderr, (arguments, done.stderr)
        assert done.stderr.startswith("sinenerf: ") and done.stderr.count("\n") == 1, done.stderr
        assert sorted(p.name for p in tmp_path.iterdir()) == files


@pytest.mark.parametrize(
    ("file", "option"),
    [
        ("scenes/paper.sine", ("--points", 1_000_000)),
        ("scenes/paper.sine", ("--resolution", 256)),
        ("scenes/paper.sine", ("--seed", 0)),
        ("sine.sine", ("--scale", 1)),
    ],
)
def test_an_option_of_the_other_kind_is_refused_with_its_default_value_too(file, option, tmp_path):
    done = call_sinenerf("eval", GOLDEN / file, tmp_path, *option)
    assert done.returncode == 1 and f"for which {option[0]} does nothing: leave it out" in done.stderr


@pytest.mark.parametrize("scale", [1000.0, 1e-3])
def test_a_mesh_in_another_unit_is_refused(scale, torus, tmp_path):
    OccupancyField(OccupancyConfig(width=16, rank=2), Placement.of(torus)).save(tmp_path / "torus.sine")
    torus.apply_transform(trimesh.transformations.scale_matrix(scale, torus.centroid))
    torus.export(tmp_path / "torus.ply")
    field, mesh = tmp_path / "torus.sine", tmp_path / "torus.ply"
    compressing = "compress", field, "--output", tmp_path / "x.sine", "--mesh", mesh, "--bits", 8, "--steps", 1
    for line in (compressing, ("eval", field, mesh)):
        done = call_sinenerf(*line)
        assert done.returncode == 1 and "torus.ply: extends from -" in done.stderr and done.stderr.count("\n") == 1
        assert "in the field's cube, where the fitted mesh extends from -0.95 to 0.95. Give that mesh" in done.stderr
    assert not (tmp_path / "x.sine").exists()


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("scenes", "holds a scene, not a shape. Compress its run instead; for a mesh: sinenerf mesh FILE"),
        ("adapters", "holds an adapter, not a shape. It needs its model: sinenerf.adapters.load_adapter"),
    ],
)
def test_compressing_another_kind_of_file_is_refused(folder, message, tmp_path):
    path = next((GOLDEN / folder).rglob("*.sine"))
    done = call_sinenerf("compress", path, "--output", tmp_path / "x.sine")
    assert done.returncode == 1 and done.stderr == f"sinenerf: {path}: {message}\n"
