"""Benchmarks of fields: a stopped training gives no result, and a report covers one number of steps."""

import importlib
import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from sinenerf.occupancy.training import Training

SCRIPTS = Path(__file__).parents[2] / "scripts"
SETTINGS = {"width": 16, "rank": 2, "batch": 256, "pool": 2000}


@pytest.fixture
def stopped(monkeypatch):
    """Ctrl-C in the third step of every training."""
    step = Training._train_step

    def interrupted(training):
        if training.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(training)

    monkeypatch.setattr(Training, "_train_step", interrupted)


@pytest.fixture
def bits(monkeypatch):
    """benchmark_bits.py on the box, one network at two sizes."""
    monkeypatch.syspath_prepend(SCRIPTS)
    module = importlib.import_module("benchmark_bits")
    monkeypatch.setattr(module, "BITS", {"box": (32, 8)})
    monkeypatch.setattr(module, "NETWORKS", {"sine": SETTINGS})
    monkeypatch.setattr(module, "Truth", partial(module.Truth, points=20_000))
    return module


def test_ctrl_c_leaves_no_row_of_bits(stopped, bits, data, tmp_path):
    with pytest.raises(SystemExit) as stop:
        bits.main(bits.Options(data, 20, tmp_path / "bits.json"))
    assert stop.value.code == 130 and not (tmp_path / "bits.json").exists()


def test_bits_reports_the_requested_steps(bits, data, tmp_path, capsys):
    scores = {(20, 32): 0.9, (20, 8): 0.8, (3000, 32): 0.99, (3000, 8): 0.98}
    rows = [{"shape": "box", "layer": "sine", "bits": b, "steps": s, "iou": iou} for (s, b), iou in scores.items()]
    (tmp_path / "bits.json").write_text(json.dumps({"rows": rows}))
    bits.main(bits.Options(data, 20, tmp_path / "bits.json"))
    assert capsys.readouterr().out.split() == ["box", "sine", "float32", "0.9000", "8:", "-0.1000"]
