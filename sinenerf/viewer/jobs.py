"""The jobs that the server is running, for the page to show, and requests that a newer one has superseded."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock

MAX_CLIENTS = 1024
"""Clients to remember: a few for each file of each open page. Requests of a forgotten one are always completed."""


class Superseded(Exception):
    """The page has sent a newer request, so the result of this one is not needed any more."""


class Jobs:
    """The running jobs, each with a status line that it can update."""

    def __init__(self) -> None:
        self._lines: dict[int, str] = {}
        self._numbers = count()

    @contextmanager
    def running(self, title: str) -> Iterator[Callable[[str], None]]:
        """List `title` as running within the block. Yields a function that appends the job's progress to it."""
        number = next(self._numbers)
        self._lines[number] = title

        def update(progress: str) -> None:
            self._lines[number] = f"{title}: {progress}"

        try:
            yield update
        finally:
            del self._lines[number]

    def status(self) -> list[str]:
        """A line for each running job, oldest first."""
        return [line for _, line in sorted(self._lines.items())]


class LatestRequests:
    """The newest request of each client. Clients number theirs; a newer request supersedes all older ones."""

    def __init__(self) -> None:
        self._newest: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def register(self, client: str, number: int) -> Callable[[], None]:
        """Register a request. Returns a function that raises Superseded once the same client has sent a newer one."""
        with self._lock:
            self._newest[client] = max(number, self._newest.get(client, number))
            self._newest.move_to_end(client)
            if len(self._newest) > MAX_CLIENTS:
                self._newest.popitem(last=False)

        def check() -> None:
            if self._newest.get(client, number) > number:
                raise Superseded

        return check
