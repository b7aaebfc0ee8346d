"""Messages on standard error, and Ctrl-C heard between two training steps."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def say(message: str) -> None:
    """One line, on standard error, where no tool's own output hides it."""
    print(f"sinenerf: {message}", file=sys.stderr, flush=True)


@dataclass
class Stop:
    """Whether training is to end after the step that runs."""

    wanted: bool = False


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Within the block the first Ctrl-C sets the flag, so that no step is torn; a second one interrupts at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():  # only there are signals heard
        yield stop
        return

    def ask(signum: int, frame: object) -> None:
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
