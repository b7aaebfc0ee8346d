"""The `sinenerf` command as a whole: sinenerf/cli/__init__.py."""

import subprocess
import sys

import pytest
from support.commands import ENVIRONMENT


@pytest.mark.slow
def test_help_starts_without_heavy_libraries():
    code = (
        "import sys; sys.argv = ['sinenerf', '--help']\n"
        "from sinenerf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'nerfstudio', 'open3d', 'trimesh'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("scene", "export-mesh", "make-scene", "download", "doctor"):
        assert command in done.stdout
