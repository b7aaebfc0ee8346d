"""Snapshots and turntables."""

import numpy as np
import pytest
from support.commands import open3d_or_skip, run_sinenerf

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
