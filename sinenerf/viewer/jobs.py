"""What the server is busy with, for the page to show; and who has lost interest."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock

MOST_ASKERS = 1024
"""That are remembered: a few for each file of each open page. The oldest are forgotten, and answered in full."""


class Stale(Exception):
    """The page has asked for something newer: this answer is not wanted any more."""


class Jobs:
    """Running jobs, each a line of text that it may change."""

    def __init__(self) -> None:
        self._lines: dict[int, str] = {}
        self._numbers = count()

    @contextmanager
    def job(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show `text` within the block. Yields a function that appends what there is to say of the progress."""
        number = next(self._numbers)
        self._lines[number] = text

        def say(progress: str) -> None:
            self._lines[number] = f"{text}: {progress}"

        try:
            yield say
        finally:
            del self._lines[number]

    def lines(self) -> list[str]:
        """The jobs that run now, oldest first."""
        return [line for _, line in sorted(self._lines.items())]


class Turns:
    """The newest request of each asker. Pages number theirs; an older one is stale as soon as a newer one arrives."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def take(self, asker: str, turn: int) -> Callable[[], None]:
        """Register a request. Returns a check that raises Stale once a newer one of the same asker is there."""
        with self._lock:
            self._newest[asker] = max(turn, self._newest.get(asker, turn))
            self._newest.move_to_end(asker)
            if len(self._newest) > MOST_ASKERS:
                self._newest.popitem(last=False)

        def check() -> None:
            if self._newest.get(asker, turn) > turn:
                raise Stale

        return check
