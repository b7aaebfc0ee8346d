"""Lines of progress where there is no terminal, and bars where there is one."""

import re

import pytest

from sinenerf.common import progress
from sinenerf.common.progress import TaskProgress, track


def test_without_a_terminal_there_are_at_most_two_lines_a_minute(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with TaskProgress("training", show=True) as task:
        for second in range(181):
            now[0] = 100.0 + second
            task.update(0.1 + 0.9 * second / 360, "20.0 dB")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "sinenerf: training, 20.0 dB: 18 %, 6 min left" and len(lines) == 6
    assert lines[-1] == "sinenerf: training, 20.0 dB: 55 %, 3 min left"


def test_nothing_is_printed_unless_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", -1.0)
    for show in (False, True):
        with TaskProgress("training", show) as task:
            task.update(0.0)
            task.update(0.5)
        captured = capsys.readouterr()
        assert not captured.out and (captured.err.startswith("sinenerf: training: 50 %") if show else not captured.err)


@pytest.mark.parametrize("terminal", ["1", ""])
def test_a_bar_is_drawn_on_the_terminal_alone(terminal, monkeypatch, capsys):
    """Standard output belongs to what a command prints, and a log to its lines."""
    monkeypatch.setenv("FORCE_COLOR", terminal)
    assert list(track((i for i in range(3)), "Rendering", 3)) == [0, 1, 2]
    printed = capsys.readouterr()
    assert not printed.out and bool(re.search(r"Rendering.*100%.*0:00:00", printed.err)) == bool(terminal)
    assert terminal or not printed.err
