"""Progress of a capture: each stage has a bar with its time left, and a line when it is done, unless it was short."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sinenerf.capture.workspace import Workspace
from sinenerf.common.console import say

SHORT = 5.0
"""Seconds below which a stage gets no line."""


class Stages:
    """Runs the stages of a capture one after another and keeps their times in the work folder.

    Args:
        show: print progress on standard error: a bar on a terminal, and a line at the end of each longer stage.
    """

    def __init__(self, workspace: Workspace, show: bool) -> None:
        self.workspace, self.show = workspace, show

    def note(self, message: str) -> None:
        """Print a line, if progress is shown."""
        if self.show:
            say(message)

    @contextmanager
    def stage(self, name: str, total: int, unit: str, done: int = 0) -> Iterator[Callable[[int], None]]:
        """A stage of `total` units of work, of which `done` were finished by an earlier call.

        Yields:
            a function to call with the number of units finished so far.
        """
        from rich import progress
        from rich.console import Console

        started = time.monotonic()
        console = Console(stderr=True)
        bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not (self.show and console.is_terminal),
        )
        try:
            with bar:
                task = bar.add_task(name, total=total, completed=done)
                yield lambda finished: bar.update(task, completed=finished)
        finally:
            seconds = time.monotonic() - started
            self.workspace.add_seconds(name, seconds)
        if done < total and seconds >= SHORT:
            self.note(f"{name}: {total:,} {unit}, {seconds:.0f} s")


def quiet_colmap() -> None:
    """Stop COLMAP's log, which would mix with the progress; its errors arrive as exceptions."""
    import pycolmap

    pycolmap.logging.minloglevel = pycolmap.logging.FATAL.value


@contextmanager
def quiet_faiss() -> Iterator[None]:
    """Drop what is written to standard error within the block, by compiled code, too.

    FAISS warns there whenever it sorts a vocabulary into groups, which is right for one of any size, and has no switch.
    """
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
