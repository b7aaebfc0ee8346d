"""A clock of training budgets that tests set."""

from dataclasses import dataclass

import pytest
from numba.core import event

from sinenerf.common import training_clock


@dataclass
class SetClock:
    now: float = 0.0
    """Seconds."""

    def compile(self, seconds: float) -> None:
        """Let time pass as if a kernel were compiled."""
        with event.trigger_event(training_clock.COMPILE):
            self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The time that `training_time` goes by."""
    clock = SetClock()
    monkeypatch.setattr(training_clock, "monotonic", lambda: clock.now)
    # what earlier tests compiled took fractions of seconds, with which whole ones would no longer add up exactly
    monkeypatch.setattr(training_clock._compilation, "seconds", {"wall": 0.0, "processor": 0.0})
    return clock
