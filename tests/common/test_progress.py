"""Lines of progress where there is no terminal, and bars where there is one."""

import re
import sys

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


def terminal(monkeypatch):
    """To be called in the test: a fixture has another standard error."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "120"}.items():
        monkeypatch.setenv(name, value)


def test_a_loop_has_a_bar_on_a_terminal(monkeypatch, capsys):
    """Standard output belongs to what a command prints."""
    terminal(monkeypatch)
    assert list(track((i for i in range(3)), "Rendering", 3, show=True)) == [0, 1, 2]
    printed = capsys.readouterr()
    assert not printed.out and re.search(r"Rendering.* 67% \d+ s left", printed.err)


def test_a_bar_says_what_the_task_knows(monkeypatch, capsys):
    terminal(monkeypatch)
    with TaskProgress("Fitting", show=True) as task:
        task.update(0.5, "step 7", "until the loss is flat")
    assert re.search(r"Fitting.* 50% until the loss is flat, step 7", capsys.readouterr().err)


def test_a_long_loop_has_lines_where_there_is_no_terminal(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    for _ in track(range(4), "Scoring", show=True):
        now[0] += 40
    assert list(track(range(2), "Scoring", show=False)) == list(track(range(2), "Scoring", show=True)) == [0, 1]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"sinenerf: scoring: {line} left" for line in ("25 %, 2 min", "50 %, 80 s", "75 %, 40 s")]


def test_only_messages_are_shown_of_a_task_that_has_not_begun(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", -1.0)
    for show in (True, False):
        task = TaskProgress("trial", show)
        task.update(0.5, left="1:00 left")
        task.say("hello")
    task.say("nobody hears this")
    assert capsys.readouterr().err == "sinenerf: hello\n"
    with pytest.warns(UserWarning, match="no surface"):
        task.warn("no surface")
