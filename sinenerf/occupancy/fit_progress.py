"""What the user sees while a field is fitted."""

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from sinenerf.common.console import say


class FitProgress:
    """A bar with the time left and the IoU, and lines above it, on standard error; or nothing."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        self._bar = Progress(
            TextColumn("Fitting"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(file=sys.stderr),
            disable=not shown,
        )
        self._task = self._bar.add_task("fit", total=1.0, note="")

    def __enter__(self) -> "FitProgress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """One line."""
        if self.shown:
            say(message)

    def update(self, done: float, seconds: float, step: int, iou: float) -> None:
        """Move the bar. What is left is reckoned from the budget, in steps or seconds."""
        left = seconds * (1 - done) / done if done else 0.0
        note = f"{int(left // 60)}:{int(left % 60):02d} left, step {step:,}" + (f", IoU {iou:.4f}" if iou else "")
        self._bar.update(self._task, completed=done, note=note)
