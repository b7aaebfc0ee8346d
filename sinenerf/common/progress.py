"""Progress on standard error: of one long task, or of a loop."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from sinenerf.common.console import say

EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
T = TypeVar("T")


def track(values: Iterable[T], description: str, total: int | None = None, show: bool = True) -> Iterator[T]:
    """The values; on a terminal with a bar and the time left, which vanish at the end.

    Args:
        total: number of values, where they have no length.
    """
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    hidden = not (show and console.is_terminal)
    yield from progress.track(values, description, total, console=console, transient=True, disable=hidden)


class TaskProgress:
    """Shows how far a task is: a bar on a terminal, else a line every half a minute. Use it as a context manager.

    Args:
        name: of the task.
        show: whether to print anything.
    """

    def __init__(self, name: str, show: bool) -> None:
        from rich import progress
        from rich.console import Console

        self.name, self.show, self.terminal = name, show, sys.stderr.isatty()
        self._begin = self._printed = time.monotonic()
        self._first: float | None = None
        columns = ("{task.description}", progress.BarColumn(), progress.TimeRemainingColumn())
        self._bar = progress.Progress(*columns, console=Console(stderr=True), transient=True, disable=not self._drawn)
        self._task = self._bar.add_task(name, total=1.0)

    @property
    def _drawn(self) -> bool:
        return self.show and self.terminal

    def update(self, done: float, detail: str = "") -> None:
        """Report that a share `done` of the task, from 0 to 1, is over, with a few words about its state."""
        text = f"{self.name}{', ' if detail else ''}{detail}"
        self._bar.update(self._task, completed=done, description=text)
        now = time.monotonic()
        self._first = done if self._first is None else self._first  # what an earlier call has done took no time here
        if not self.show or self.terminal or now < self._printed + EVERY or not done > self._first:
            return
        self._printed = now
        left = (now - self._begin) * (1 - done) / (done - self._first)
        say(f"{text}: {100 * done:.0f} %, {_in_words(left)} left")

    def __enter__(self) -> "TaskProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _in_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
