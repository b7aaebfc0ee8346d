"""The `sinenerf` command as a whole: sinenerf/cli/__init__.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.commands import ENVIRONMENT, run_sinenerf
from support.golden_files import GOLDEN

PROJECT = Path(__file__).parents[2]


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wish", "spins"), [({}, "1000"), ({"GOMP_SPINCOUNT": "77"}, "77"), ({"OMP_WAIT_POLICY": "passive"}, "0")]
)
def test_idle_threads_leave_their_cores_to_others(wish, spins):
    """The library that runs torch's threads reports its settings as it is loaded."""
    done = run_sinenerf("info", GOLDEN / "sine.sine", env={**ENVIRONMENT, "OMP_DISPLAY_ENV": "verbose", **wish})
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("torch uses another library than GNU's for its threads")
    assert set(re.findall("GOMP_SPINCOUNT = '(\\w+)'", done.stderr)) == {spins}


@pytest.mark.parametrize(
    ("missing", "arguments"), [("tyro", "['doctor']"), ("tyro", "[]"), ("trimesh", "['make-shape', 'x.ply']")]
)
def test_a_missing_package_is_named_in_one_line(missing, arguments, tmp_path):
    """After pip install --no-deps."""
    code = (
        f"import sys; sys.modules['{missing}'] = None; sys.argv = ['sinenerf', *{arguments}]\n"
        "from importlib.metadata import entry_points\n"
        "(script,) = entry_points(group='console_scripts', name='sinenerf'); script.load()()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False, cwd=tmp_path
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"sinenerf: needs {missing}, which is not installed. "), done.stderr


def test_a_name_that_is_no_unicode_is_printed():
    """A Latin-1 name from an old archive ended the command."""
    code = "import os, sinenerf.cli as cli\ncli._run = lambda: print('größe', os.fsdecode(b'caf\\xe9'))\ncli.main()"
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=False)
    assert done.stdout.decode() == "größe caf\\udce9\n", done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["sweep", "configs/quick-shapes.toml", "--dry-run"], ["info", "tests/golden/sine.sine"]],
    ids=lambda arguments: arguments[0],
)
def test_a_reader_that_stops_ends_the_command_quietly(arguments):
    """As `head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "sinenerf", *arguments]
    done = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False, cwd=PROJECT
    )
    os.close(writer)
    assert done.returncode != 0 and done.stderr == ""
