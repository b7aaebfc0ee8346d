"""Errors, output and random numbers at the edge between nerfstudio and the plugin."""

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import numpy as np
import torch


class RunError(ValueError):
    """A run cannot be started, resumed or opened. The message is one line."""


@contextmanager
def exit_on(*errors: type[Exception]) -> Iterator[None]:
    """For code that nerfstudio calls: these errors end the program with one line instead of nerfstudio's traceback.

    Raises:
        SystemExit: with the message of the error.
    """
    try:
        yield
    except errors as error:
        raise SystemExit(f"sinenerf: {error}") from None


@contextmanager
def ignore_warnings() -> Iterator[None]:
    """For calls of nerfstudio: suppress its warnings and those of the libraries it imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def silence() -> Iterator[None]:
    """As `ignore_warnings`, and suppress standard output too."""
    with ignore_warnings(), redirect_stdout(StringIO()):
        yield


@contextmanager
def call_nerfstudio() -> Iterator[None]:
    """For calls of nerfstudio that call the plugin: as `silence`, and turn `exit_on`'s exit back into an exception.

    Raises:
        RunError: with the message of the exit.
        KeyboardInterrupt: it was the exit after Ctrl-C.
    """
    with silence():
        try:
            yield
        except SystemExit as stop:
            if stop.code == 130:
                raise KeyboardInterrupt from None
            raise RunError(str(stop.code).removeprefix("sinenerf: ")) from None


def seed_generators(seed: int) -> None:
    """Seed every generator that a training draws from: nerfstudio shuffles the photographs by Python's own."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
