"""Console commands, run as a process of their own (as a user does) or called in this one, which saves the imports."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import entry_points
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

import pytest

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb", "COLUMNS": "200"}


def run_sinenerf(*arguments, timeout=300, **options) -> CompletedProcess[str]:
    """`sinenerf` with these arguments, in a process of its own."""
    command = [sys.executable, "-m", "sinenerf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)


def call_sinenerf(*arguments) -> CompletedProcess[str]:
    """`sinenerf` with these arguments, in this process."""
    return _call("sinenerf", *arguments)


def run_command(program, *arguments, ok=True, cwd=None) -> str:
    """Run a console script in a process of its own, check that it succeeds (or fails), and return all its output."""
    command = [str(BIN / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd, timeout=600, check=False)
    return _checked_output(done, ok)


def call_command(program, *arguments, ok=True) -> str:
    """`run_command` in this process. Every command of nerfstudio is run at least once as a user does."""
    return _checked_output(_call(program, *arguments), ok)


def open3d_or_skip() -> None:
    """Skip a test where open3d's system libraries are missing."""
    try:
        import open3d  # noqa: F401
    except OSError as error:
        pytest.skip(f"open3d cannot be loaded ({error}): apt-get install libusb-1.0-0 libgl1 libgomp1 libx11-6")


def _call(program, *arguments) -> CompletedProcess[str]:
    (script,) = entry_points(group="console_scripts", name=program)
    words, code, main = list(map(str, arguments)), 0, script.load()
    output, errors = StringIO(), StringIO()
    with redirect_stdout(output), redirect_stderr(errors), patch.object(sys, "argv", [program, *words]):
        try:
            main()
        except SystemExit as stop:  # as the interpreter does: a text goes to standard error
            code = 1 if isinstance(stop.code, str) else int(stop.code or 0)
            if isinstance(stop.code, str):
                print(stop.code, file=sys.stderr)
    return CompletedProcess([program, *words], code, output.getvalue(), errors.getvalue())


def _checked_output(done: CompletedProcess[str], ok: bool) -> str:
    output = done.stdout + done.stderr
    assert (done.returncode == 0) == ok, f"{' '.join(done.args)}\n{output[-4000:]}"
    return output
