"""Commands, in a process of their own or in this one: where only what they say is asked, that saves the start."""

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from importlib.metadata import entry_points
from io import StringIO
from subprocess import CompletedProcess
from unittest.mock import patch


def command(*arguments, timeout=240, **options) -> CompletedProcess[str]:
    """`sinenerf` with these arguments, as a user runs it."""
    program = [sys.executable, "-m", "sinenerf", *map(str, arguments)]
    return subprocess.run(program, capture_output=True, text=True, timeout=timeout, check=False, **options)


def here(program, *arguments) -> CompletedProcess[str]:
    """What a command of the environment, called from this process, ends with and prints."""
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
    return CompletedProcess(words, code, output.getvalue(), errors.getvalue())


answer = partial(here, "sinenerf")
