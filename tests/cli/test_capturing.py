"""sinenerf capture, as it is typed."""

import re

from support.commands import call_sinenerf


def test_a_finished_scene_is_reported_again(captured, messy):
    done = call_sinenerf("capture", messy.folder, "--output", captured.scene, "--features", 3000)
    assert done.returncode == 0, done.stderr
    first, *reasons, last = done.stdout.splitlines()
    assert re.fullmatch(
        rf"{re.escape(str(captured.scene))}: placed 11 of 16, [\d,]+ points, error .* pixels, \d+ s", first
    )
    assert len(reasons) == 5 and "left out 1, unreadable: broken.jpg (damaged or not a picture" in done.stdout
    assert last.endswith(f"sinenerf view {captured.scene}")


def test_bad_input_is_one_line(tmp_path):
    done = call_sinenerf("capture", tmp_path / "absent", "--output", tmp_path / "scene")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "absent: no such file or folder. Give a folder of photographs or a film" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = call_sinenerf("capture", tmp_path, "--output", tmp_path / "scene", "--frames", 0)
    assert done.returncode != 0
