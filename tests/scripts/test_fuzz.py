"""The fuzzer of .sine files counts what it meets, carries on after crashes and hangs, and resumes."""

import importlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from sinenerf.codec.entropy import CodecError

SCRIPTS = Path(__file__).parents[2] / "scripts"
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    module = importlib.import_module("fuzz")
    monkeypatch.setattr(module, "BLOCK", 10)
    return module


def options(fuzz, folder, files=20, seconds=60.0):
    return fuzz.Options(files=files, results=folder / "fuzz.json", golden=GOLDEN, seconds=seconds)


def figures(folder):
    return json.loads((folder / "fuzz.json").read_text())


def outcome(fuzz, settings):
    with pytest.raises(SystemExit) as stop:
        fuzz.main(settings)
    return stop.value.code


def test_the_real_reader_is_counted_and_a_second_run_goes_on(fuzz, tmp_path, capsys):
    assert outcome(fuzz, options(fuzz, tmp_path)) == 0
    first = figures(tmp_path)
    assert (
        first["done"] == 20 == first["refused"] + first["read"] and sum(first["reasons"].values()) == first["refused"]
    )
    assert outcome(fuzz, options(fuzz, tmp_path, files=40)) == 0
    assert figures(tmp_path)["done"] == 40 and figures(tmp_path)["refused"] >= first["refused"]
    assert "40 files: " in capsys.readouterr().out


def test_crashes_and_hangs_are_noted_and_the_rest_is_read(fuzz, tmp_path, monkeypatch):
    def read(path):
        data = path.read_bytes()
        if data == fuzz.damaged_file(3, files):
            os.kill(os.getpid(), signal.SIGKILL)
        if data == fuzz.damaged_file(5, files):
            raise KeyError("layer")
        if data == fuzz.damaged_file(12, files):
            time.sleep(60)
        raise CodecError(f"{path}: is damaged: 12 of 13")

    files = fuzz.golden_files(GOLDEN)
    monkeypatch.setattr(fuzz, "read", read)
    assert outcome(fuzz, options(fuzz, tmp_path, seconds=2.0)) == 1
    found = figures(tmp_path)
    assert sorted(crash["number"] for crash in found["crashes"]) == [3, 5] and found["hangs"] == [12]
    errors = {crash["number"]: crash["error"] for crash in found["crashes"]}
    assert errors == {3: "the process ended with exit code -9", 5: "KeyError: 'layer'"}
    assert found["refused"] == 17 and found["reasons"] == {"is damaged: # of #": 17}


def test_memory_is_bounded(fuzz, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "read", lambda path: bytearray(3 * 2**30))
    assert outcome(fuzz, options(fuzz, tmp_path, files=10)) == 1
    assert {crash["error"].split(":")[0] for crash in figures(tmp_path)["crashes"]} == {"MemoryError"}


def test_other_golden_files_are_not_mixed_in(fuzz, tmp_path):
    assert outcome(fuzz, options(fuzz, tmp_path, files=10)) == 0
    other = tmp_path / "golden"
    other.mkdir()
    (other / "sine.sine").write_bytes((GOLDEN / "sine.sine").read_bytes())
    settings = options(fuzz, tmp_path)
    settings.golden = other
    assert "other golden files" in outcome(fuzz, settings)
