"""The terminal of a long command: messages on standard error, and Ctrl-C between two training steps."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


def say(message: str) -> None:
    """Print one line on standard error, so that it stays out of a command's output."""
    print(f"sinenerf: {message}", file=sys.stderr, flush=True)


@dataclass
class Stop:
    """Whether training should end after the current step."""

    wanted: bool = False


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Within the block the first Ctrl-C sets `wanted`, so that the step is completed; a second interrupts at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():  # signals reach only the main thread
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
