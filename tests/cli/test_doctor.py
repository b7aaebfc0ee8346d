"""sinenerf doctor."""

import sys

import pytest

from sinenerf.cli import doctor


def test_missing_libraries_are_named_with_the_command_that_installs_them(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_can_load", lambda name: name != "GL")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SystemExit) as stop:
        doctor.doctor()
    assert stop.value.code == 1
    assert "sudo apt-get install -y libgl1" in capsys.readouterr().out


def test_a_complete_installation_exits_with_0(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_can_load", lambda name: True)
    monkeypatch.setattr(doctor, "version", lambda package: "1.0")
    with pytest.raises(SystemExit) as stop:
        doctor.doctor()
    assert stop.value.code == 0
    assert "is missing" not in capsys.readouterr().out
