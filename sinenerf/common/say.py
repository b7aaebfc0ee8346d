"""What is said to the user beside a command's own output."""

import sys


def say(message: str) -> None:
    """One line, on standard error, where no tool's own output hides it."""
    print(f"sinenerf: {message}", file=sys.stderr, flush=True)
