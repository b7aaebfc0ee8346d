"""The clock of training budgets. It stands still while numba compiles a kernel.

A kernel is compiled when it is first called with arguments of new types, and then kept on the disk: the first training
on a machine compiles for ten seconds or more, at its first steps and where rounding begins. A budget in minutes is for
training alone, so that the first run is as good as the second.
"""

from time import monotonic, process_time
from typing import Any

from numba.core import event

from sinenerf.common.settings import Clock

COMPILE = "numba:compile"
"""numba's name of the event; events of kernels that a kernel calls lie within that of the caller."""


class _Compilation(event.Listener):
    """Adds up the time from the start to the end of outermost events, by each clock."""

    def __init__(self) -> None:
        self.seconds: dict[Clock, float] = {"wall": 0.0, "processor": 0.0}
        self._depth, self._begin = 0, dict(self.seconds)

    def on_start(self, event: Any) -> None:
        if self._depth == 0:
            self._begin = {clock: _now(clock) for clock in self.seconds}
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            for clock, begin in self._begin.items():
                self.seconds[clock] += _now(clock) - begin


def _now(clock: Clock) -> float:
    return process_time() if clock == "processor" else monotonic()


_compilation = _Compilation()
event.register(COMPILE, _compilation)


def training_time(clock: Clock = "wall") -> float:
    """Seconds since an unknown moment, without those in which this process compiled kernels.

    Args:
        clock: wall, or processor for the processor time of all threads of this process, in which other programs play no
            part.
    """
    return _now(clock) - _compilation.seconds[clock]
