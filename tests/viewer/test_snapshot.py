"""Snapshots and turntables."""

import numpy as np
import pytest
import trimesh
from support.commands import call_sinenerf, open3d_or_skip, run_sinenerf

from sinenerf.common.axes import upright_transform
from sinenerf.common.mesh_renderer import Framing
from sinenerf.viewer.launch import open_api
from sinenerf.viewer.snapshot import snapshot


@pytest.mark.slow
def test_snapshots_and_turntables_are_written(shape, scene_file, tmp_path):
    open3d_or_skip()
    from PIL import Image

    done = run_sinenerf(
        "snapshot", shape[0], "--original", shape[1], "--output", tmp_path / "x.png", "--turntable", tmp_path / "x.gif",
        "--frames", 3, "--width", 90, "--height", 80, "--resolution", 32,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "x.png") as image:
        assert image.size[0] == 180 and image.size[1] > 80 and np.asarray(image).std() > 10
    with Image.open(tmp_path / "x.gif") as film:
        assert film.n_frames == 3
    written = snapshot(open_api([scene_file]), None, tmp_path / "x.mp4", Framing(24, 18, labels=False), frames=2)
    assert written == [tmp_path / "x.mp4"] and written[0].stat().st_size > 500


def picture_of(path, output, *options):
    from PIL import Image

    coarse = ("--resolution", 32) if path.suffix == ".sine" else ()
    size = ("--width", 90, "--height", 80)
    done = call_sinenerf("snapshot", path, "--output", output, *size, *coarse, "--no-labels", *options)
    assert done.returncode == 0, done.stderr
    with Image.open(output) as image:
        return np.asarray(image.convert("L")).astype(int)


@pytest.mark.parametrize("up", ["z", "-y", "x"])
def test_up_is_the_axis_that_points_up_in_the_picture(up, tmp_path):
    open3d_or_skip()
    mesh = trimesh.util.concatenate(
        [trimesh.creation.box((1, 2, 4)), trimesh.creation.box((1, 1, 1)).apply_translation((1, 1, 1.5))]
    )
    mesh.export(tmp_path / "as_it_is.ply")
    mesh.apply_transform(upright_transform(up)).export(tmp_path / "upright.ply")
    turned = picture_of(tmp_path / "as_it_is.ply", tmp_path / "turned.png", f"--up={up}")
    upright = picture_of(tmp_path / "upright.ply", tmp_path / "upright.png", "--up=y")
    lying = picture_of(tmp_path / "as_it_is.ply", tmp_path / "lying.png", "--up=y")
    assert abs(turned - upright).mean() < 1 < abs(turned - lying).mean()


@pytest.mark.slow
def test_up_turns_a_field_too(shape, tmp_path):
    """A torus around z is a ring with y up and lies flat with z up."""
    open3d_or_skip()
    rows = {}
    for up in ("y", "z"):
        image = picture_of(shape[0], tmp_path / f"{up}.png", "--up", up, "--turn", 0)
        rows[up] = ((image < 250).sum(axis=1) > 10).sum()
    assert rows["z"] < 0.6 * rows["y"]
