"""sinenerf doctor."""

import sys
from importlib.metadata import PackageNotFoundError

import pytest

from sinenerf.cli import doctor


def test_missing_libraries_are_named_with_the_command_that_installs_them(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_can_load", lambda name: name != "GL")
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(SystemExit) as stop:
        doctor.doctor()
    assert stop.value.code == 1
    assert "sudo apt-get install -y libgl1" in capsys.readouterr().out


def test_every_required_package_is_checked(monkeypatch, capsys):
    """A command without pycolmap said that doctor lists what is missing; it listed a few packages only."""

    def without(package):
        if package in ("pycolmap", "pillow-heif"):
            raise PackageNotFoundError
        return "1.0"

    monkeypatch.setattr(doctor, "_can_load", lambda name: True)
    monkeypatch.setattr(doctor, "version", without)
    with pytest.raises(SystemExit) as stop:
        doctor.doctor()
    printed = capsys.readouterr().out
    assert stop.value.code == 1
    assert [line.split()[1] for line in printed.splitlines() if "not installed" in line] == ["pillow-heif", "pycolmap"]
    assert "torchvision" in printed and "playwright" not in printed and "timm" not in printed


def test_a_complete_installation_exits_with_0(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_can_load", lambda name: True)
    monkeypatch.setattr(doctor, "version", lambda package: "1.0")
    with pytest.raises(SystemExit) as stop:
        doctor.doctor()
    assert stop.value.code == 0
    assert "is missing" not in capsys.readouterr().out
