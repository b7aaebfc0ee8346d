"""sinenerf make-shape, make-scene and download."""

import pytest
import trimesh
from support.commands import call_sinenerf

from sinenerf.datasets.knot import knot_mesh
from sinenerf.datasets.orbit_capture import OrbitSettings, generate_orbit
from sinenerf.datasets.synthetic_capture import generate_scene


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


def test_make_scene_shows_how_far_it_is_and_the_library_does_not(tmp_path, monkeypatch, capsys):
    """It printed a line every half a minute into the standard error of any program."""
    monkeypatch.setattr("sinenerf.common.progress.EVERY", -1.0)
    for kind in ("facing", "around"):
        size = "--views", 2, "--width", 16, "--height", 16
        done = call_sinenerf("make-scene", tmp_path / kind, "--kind", kind, *size)
        assert done.returncode == 0 and "rendering views: 50 %" in done.stderr, done.stderr
    generate_scene(tmp_path / "a", views=2, width=16, height=16)
    generate_orbit(tmp_path / "b", OrbitSettings(views=2, width=16, height=16))
    assert capsys.readouterr().err == ""
