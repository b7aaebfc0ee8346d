"""The progress bar of a fit."""

import sys
import warnings

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from sinenerf.common.console import say


class ProgressBar:
    """A bar with the remaining time and the IoU, and messages above it, on standard error; silent unless `shown`."""

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

    def __enter__(self) -> "ProgressBar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """Print a one-line message if the bar is shown."""
        if self.shown:
            say(message)

    def warn(self, message: str) -> None:
        """Print a warning if the bar is shown, else issue it as a Python warning."""
        if self.shown:
            say(f"warning: {message}")
        else:
            warnings.warn(message, stacklevel=4)

    def update(self, done: float, left: str, step: int, iou: float) -> None:
        """Move the bar to `done`, the fraction of the training that is over."""
        note = f"{left}, step {step:,}" + (f", IoU {iou:.4f}" if iou else "")
        self._bar.update(self._task, completed=done, note=note)
