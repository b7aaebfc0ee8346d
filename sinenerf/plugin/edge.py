"""Errors and output at the edge between nerfstudio and the plugin."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO


class RunError(ValueError):
    """A run cannot begin, resume or be opened as asked. The message is one line."""


@contextmanager
def exit_on(*errors: type[Exception]) -> Iterator[None]:
    """For what nerfstudio calls: these errors end the program with one line instead of nerfstudio's traceback.

    Raises:
        SystemExit: with the message of the error.
    """
    try:
        yield
    except errors as error:
        raise SystemExit(f"sinenerf: {error}") from None


@contextmanager
def ignore_warnings() -> Iterator[None]:
    """For calls of nerfstudio: its warnings, and those of the libraries it imports, are dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def silence() -> Iterator[None]:
    """`ignore_warnings`, and what is printed to standard output is dropped too."""
    with ignore_warnings(), redirect_stdout(StringIO()):
        yield


@contextmanager
def call_nerfstudio() -> Iterator[None]:
    """For calls that lead back into the plugin: `silence`, and an exit of `exit_on` is an exception again.

    Raises:
        RunError: with the message of the exit.
    """
    with silence():
        try:
            yield
        except SystemExit as stop:
            raise RunError(str(stop.code).removeprefix("sinenerf: ")) from None
