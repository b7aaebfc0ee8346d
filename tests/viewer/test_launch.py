"""From paths to what the page shows."""

import subprocess
import sys

import pytest

from sinenerf.viewer.launch import open_api


@pytest.mark.slow
def test_an_original_among_the_files_is_read_once(shape):
    api = open_api([shape[1], shape[0]], shape[1])
    assert [asset.path for asset in api.assets] == [shape[1], shape[0]]
    assert api.assets[0] is api.comparison.original


@pytest.mark.slow
def test_first_pictures_need_neither_nerfstudio_nor_viser_nor_trimesh(shape):
    code = (
        "import sys; from pathlib import Path; from sinenerf.viewer.launch import open_api, preload; "
        f"preload(open_api([Path({str(shape[0])!r})])); "
        "print([m for m in ('nerfstudio', 'viser', 'trimesh', 'open3d') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
