"""sinenerf points and splats, as a user types them."""

import gzip

import numpy as np
import pytest
from plyfile import PlyData
from support.commands import call_sinenerf
from support.golden_files import GOLDEN
from support.radiance_fields import a_field

from sinenerf.radiance.warps import Box


@pytest.fixture
def scene(tmp_path):
    a_field(Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))).save(tmp_path / "scene.sine")
    return tmp_path / "scene.sine"


def places(path):
    vertices = PlyData.read(str(path))["vertex"]
    return np.stack([vertices[axis] for axis in "xyz"], axis=1)


def test_a_scene_becomes_points_and_splats(scene, tmp_path):
    made = {}
    for command, name in (("points", "cloud.ply"), ("splats", "scene.ply"), ("splats", "scene.spz")):
        output = tmp_path / name
        done = call_sinenerf(command, scene, "--output", output, "--count", 800)
        assert done.returncode == 0 and f"{output.stat().st_size:,} bytes" in done.stdout, done.stderr
        made[name] = output
    cloud, splats = places(made["cloud.ply"]), places(made["scene.ply"])
    np.testing.assert_allclose(splats, cloud[:, [0, 2, 1]] * [1, -1, 1], atol=1e-5)  # z up becomes y down
    assert len(gzip.decompress(made["scene.spz"].read_bytes())) == 16 + 19 * len(cloud)
    done = call_sinenerf("points", scene, "--output", tmp_path / "own.ply", "--count", 800, "--frame", "capture")
    assert done.returncode == 0, done.stderr
    capture = a_field(Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))).capture
    own = (cloud / capture.scale - capture.motion[:, 3]) @ capture.motion[:, :3]
    np.testing.assert_allclose(places(tmp_path / "own.ply"), own, atol=1e-4)


@pytest.mark.parametrize(
    ("command", "source", "name", "more", "message"),
    [
        ("points", None, "x.spz", (), "cannot write '.spz'"),
        ("splats", None, "x.splat", (), "cannot write '.splat'"),
        ("splats", None, "x.spz", ("--count", 0), "ask for at least one"),
        ("splats", GOLDEN / "sine.sine", "x.spz", (), "holds a shape"),
        ("splats", None, "x.spz", ("--cameras", "none.json"), "none.json"),
        ("points", None, "no/x.ply", (), "does not exist"),
    ],
)
def test_bad_input_is_one_line(command, source, name, more, message, scene, tmp_path):
    done = call_sinenerf(command, source or scene, "--output", tmp_path / name, *more)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scene.sine"]
