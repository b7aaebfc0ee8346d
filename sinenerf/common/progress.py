"""Progress on standard error: of one long task, or of a loop."""

import math
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from operator import length_hint
from types import TracebackType
from typing import TypeVar

from sinenerf.common.console import say

EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
T = TypeVar("T")


def track(values: Iterable[T], description: str, total: int | None = None, *, show: bool) -> Iterator[T]:
    """The values, with the progress of the loop over them; a bar vanishes at its end.

    Args:
        total: number of values, where they have no length.
        show: whether to print anything.
    """
    count = length_hint(values) if total is None else total
    with TaskProgress(description, show, transient=True) as task:
        for done, value in enumerate(values):
            task.update(done / count)
            yield value


class TaskProgress:
    """Shows on standard error how far a task is: by a bar on a terminal, else by a line every half a minute. It does so
    within its `with` block; messages are shown outside of it, too.

    Args:
        name: of the task.
        show: whether to print anything.
        transient: whether the bar vanishes at the end.
    """

    def __init__(self, name: str, show: bool, transient: bool = False) -> None:
        from rich import progress
        from rich.console import Console

        self.name, self.show, self._drawn = name, show, show and sys.stderr.isatty()
        columns = "{task.description}", progress.BarColumn(), progress.TaskProgressColumn(), "{task.fields[note]}"
        console = Console(stderr=True)
        self._bar = progress.Progress(*columns, console=console, transient=transient, disable=not self._drawn)
        self._task = self._bar.add_task(name, total=1.0, note="")
        self._begin, self._printed = time.monotonic(), math.inf
        self._first: float | None = None

    def update(self, done: float, detail: str = "", left: str = "") -> None:
        """Report that a share `done` of the task, from 0 to 1, is over.

        Args:
            detail: a few words about the task's state.
            left: about the time left, where the task knows it better than from `done`.
        """
        now = time.monotonic()
        self._first = done if self._first is None else self._first  # what an earlier call has done took no time here
        if not left and done > self._first:
            left = f"{_in_words((now - self._begin) * (1 - done) / (done - self._first))} left"
        if self._drawn:
            self._bar.update(self._task, completed=done, note=", ".join(filter(None, (left, detail))))
        elif self.show and left and now >= self._printed + EVERY:
            self._printed = now
            say(f"{self.name.lower()}{', ' if detail else ''}{detail}: {100 * done:.0f} %, {left}")

    def say(self, message: str) -> None:
        """Print a message of one line, if progress is shown."""
        if self.show:
            say(message)

    def warn(self, message: str) -> None:
        """Print a warning, if progress is shown; else issue it as a Python warning."""
        if self.show:
            say(f"warning: {message}")
        else:
            warnings.warn(message, stacklevel=4)

    def __enter__(self) -> "TaskProgress":
        self._begin = self._printed = time.monotonic()
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
