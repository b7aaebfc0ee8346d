"""sinenerf make-shape, make-scene and download."""

import pytest
import trimesh
from support.commands import call_sinenerf

from sinenerf.datasets.knot import knot_mesh


@pytest.mark.parametrize("suffix", [".ply", ".glb", ".obj"])
def test_make_shape_writes_a_file_that_is_watertight_when_read(suffix, tmp_path):
    path = tmp_path / f"knot{suffix}"
    done = call_sinenerf("make-shape", path, "--resolution", 24)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{path}: 4,608 vertices, 9,216 faces, {path.stat().st_size:,} bytes\n"
    read = trimesh.load(path, force="mesh")
    assert read.is_watertight and read.volume == pytest.approx(knot_mesh(24).volume, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("knot.ply", ("--resolution", 15), "resolution is 15: use 16 to 512"),
        ("knot.ply", ("--resolution", 513), "resolution is 513: use 16 to 512"),
        ("knot.doc", (), "cannot write '.doc'"),
        ("none/knot.ply", (), "does not exist"),
    ],
)
def test_bad_arguments_of_make_shape_are_refused_in_one_line(name, options, message, tmp_path):
    done = call_sinenerf("make-shape", tmp_path / name, *options)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
