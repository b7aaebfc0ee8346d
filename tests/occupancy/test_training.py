"""Training: a loss that is not finite, interruptions, checkpoints and history."""

import math
import os
import signal
from functools import partial

import numpy as np
import pytest
import torch
import trimesh

from sinenerf.common import training_clock
from sinenerf.common.progress import TaskProgress
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.evaluate import iou, occupied
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.loss import make_loss
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.sampling import SurfaceSampler
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.surface_grid import LevelError
from sinenerf.occupancy.training import Training
from sinenerf.rounding import by_curvature
from sinenerf.sine_file import load

SMALL = {"width": 32, "rank": 2, "batch": 1024, "pool": 20_000}


def interrupt_at(step, train_step):
    """A training step that hears Ctrl-C at one of them."""

    def wrapped(self):
        if self.step == step:
            os.kill(os.getpid(), signal.SIGINT)
        return train_step(self)

    return wrapped


def test_a_loss_that_is_no_number_stops(torus, tmp_path):
    with pytest.raises(RuntimeError, match=r"the loss is .* at step"):
        fit(
            torus,
            OccupancyConfig(width=32, rank=2),
            FitConfig(steps=50, learning_rate=1e30, pool=20_000),
            tmp_path / "x.sine",
        )
    assert not (tmp_path / "x.sine").exists()


def test_so_does_one_that_was_interrupted_before_the_next_look(torus, tmp_path, monkeypatch):
    """Ctrl-C then wrote a field of NaN, which no reader opens."""
    monkeypatch.setattr(Training, "_train_step", interrupt_at(9, Training._train_step))
    architecture, config = split_settings({"steps": 50, "learning_rate": 1e30, "bits": 32, **SMALL})
    with pytest.raises(RuntimeError, match=r"the loss is nan at step 10: lower the learning rate"):
        fit(torus, architecture, config, tmp_path / "x.sine")
    assert not any(tmp_path.iterdir())


def test_the_batch_grows(torus, tmp_path, monkeypatch):
    sizes, batch = [], SurfaceSampler.batch
    monkeypatch.setattr(SurfaceSampler, "batch", lambda *given: (sizes.append(given[2]), batch(*given))[1])
    architecture, config = split_settings({"steps": 10, "growth": 4.0, "bits": 32, **SMALL})
    assert fit(torus, architecture, config, tmp_path / "x.sine").complete
    assert sizes == [1024] * 4 + [2048] * 3 + [4096] * 3


@pytest.mark.parametrize(
    ("layer", "optimizer", "decay", "decaying"),
    [
        ("dense", "soap", 0.5, ["weight"]),
        ("sine", "soap", 0.5, ["U", "V"]),
        ("low-rank", "adam", 0.5, ["U", "V"]),
        ("dense", "soap", 0.0, []),
    ],
)
def test_the_matrices_of_hidden_layers_decay(layer, optimizer, decay, decaying, torus, monkeypatch):
    """By a share of the learning rate, besides what the optimiser does itself."""
    settings = {"steps": 9, "layer": layer, "optimizer": optimizer, "decay": decay, "bits": 32}
    architecture, config = split_settings({**settings, **SMALL})
    solid = Solid(torus, Placement.of(torus))
    training = Training(OccupancyField(architecture, solid.placement), solid, config, TaskProgress("Fitting", False))
    monkeypatch.setattr(training.optimizer, "step", lambda: None)
    network, rate = training.field.network, training.learning_rate()
    before = {name: values.detach().clone() for name, values in network.named_parameters()}
    training._train_step()
    for name, values in network.named_parameters():
        shrinks = name in [f"trunk.layers.{hidden}.{part}" for hidden in (1, 2) for part in decaying]
        torch.testing.assert_close(values, before[name] * (1 - 0.5 * rate) if shrinks else before[name])


@pytest.mark.parametrize("counted", ["wall", "processor"])
def test_the_budget_is_not_spent_on_compiling_kernels(counted, clock, torus, tmp_path, monkeypatch):
    steps, train_step = [], Training._train_step
    monkeypatch.setattr(training_clock, "process_time", lambda: 2 * clock.now)

    def timed(self):
        if not steps:
            clock.compile(100.0)
        steps.append(self.seconds)
        clock.now += 1.0
        return train_step(self)

    monkeypatch.setattr(Training, "_train_step", timed)
    architecture, config = split_settings({"minutes": 0.095, "clock": counted, **SMALL})
    assert fit(torus, architecture, config, tmp_path / "x.sine").complete
    assert steps == pytest.approx([0, 1, 2, 3, 4, 5] if counted == "wall" else [0, 2, 4])


def test_evaluations_take_a_small_share_of_the_time(clock, torus, monkeypatch):
    def pass_time(method, seconds):
        def wrapped(self):
            clock.now += seconds
            return method(self)

        return wrapped

    monkeypatch.setattr(Training, "_train_step", pass_time(Training._train_step, 1.0))
    monkeypatch.setattr(Training, "_record", pass_time(Training._record, 1.5))
    history = []
    fit(torus, *split_settings({"minutes": 75 / 60, "bits": 32, **SMALL}), history=history)
    assert [look["seconds"] for look in history] == [6, 37, 68, 75]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "soap"])
def test_resumed_training_is_the_same_training(optimizer, torus, tmp_path, monkeypatch):
    config = FitConfig(steps=30, batch=256, pool=20_000, precision="float32", optimizer=optimizer)
    settings = OccupancyConfig(width=32, rank=2), config
    straight = fit(torus, *settings)
    output = tmp_path / "x.sine"
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(12, Training._train_step))
        assert not fit(torus, *settings, output).complete
    assert output.is_file() and (tmp_path / ".x.sine.checkpoint").is_file()
    resumed = fit(torus, *settings, output)
    assert resumed.complete and [p.name for p in tmp_path.iterdir()] == ["x.sine"]
    torch.testing.assert_close(resumed.state_dict(), straight.state_dict())


def interrupted_fit(torus, settings, output, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(3, Training._train_step))
        assert not fit(torus, *settings, output).complete


def test_a_resumed_training_keeps_its_plane_of_symmetry(torus, tmp_path, monkeypatch):
    settings, output = split_settings({"steps": 6, "bits": 32, "mirror": "always", **SMALL}), tmp_path / "x.sine"
    plane = Mirror((1, 0, 0), 12)
    monkeypatch.setattr("sinenerf.occupancy.fit.chosen_mirror", lambda *_: (plane, 0.0))
    interrupted_fit(torus, settings, output, monkeypatch)
    monkeypatch.setattr("sinenerf.occupancy.fit.chosen_mirror", lambda *_: pytest.fail("it is sought again"))
    assert fit(torus, *settings, output).placement.mirror == plane


@pytest.mark.parametrize("begun", ["bfloat16", "float32"])
def test_a_training_is_resumed_on_another_device(begun, torus, tmp_path, monkeypatch, capsys):
    """A GPU's loss is autograd's, as that of bfloat16 is, and its SOAP is another one."""
    settings, output = split_settings({"steps": 6, "bits": 32, "optimizer": "soap", **SMALL}), tmp_path / "x.sine"
    for precision in (begun, {"bfloat16": "float32", "float32": "bfloat16"}[begun]):
        used = partial(lambda precision, network, loss, _: make_loss(network, loss, precision), precision)
        monkeypatch.setattr("sinenerf.occupancy.training.make_loss", used)
        if precision == begun:
            interrupted_fit(torus, settings, output, monkeypatch)
        else:
            assert fit(torus, *settings, output, progress=True).complete
    assert "began on another device" in " ".join(capsys.readouterr().err.split())


def test_rounding_is_repeated_after_an_interruption(torus, tmp_path, monkeypatch, capsys):
    output, rounded = tmp_path / "x.sine", []

    def interrupted(self, start, stop):
        rounded.append(start)
        if len(rounded) == 2:
            raise KeyboardInterrupt

    settings = OccupancyConfig(width=32, rank=8), FitConfig(steps=5, batch=256, pool=20_000)
    monkeypatch.setattr(by_curvature, "WINDOW", 500)
    with monkeypatch.context() as patch:
        patch.setattr(by_curvature.CurvatureRounding, "_round_window", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(torus, *settings, output, progress=True)
    assert "run the same command to resume" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [".x.sine.checkpoint"]
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", None)  # the training is over
        assert fit(torus, *settings, output).complete
    assert [path.name for path in tmp_path.iterdir()] == ["x.sine"] and rounded == [0, 500]


@pytest.mark.slow
def test_a_finished_file_stays_until_another_is_finished(torus, tmp_path, monkeypatch, capsys):
    output, kept = tmp_path / "x.sine", tmp_path / ".x.sine.checkpoint"
    architecture, config = split_settings({"steps": 9, **SMALL})
    assert fit(torus, *split_settings({"steps": 3, **SMALL}), output).complete
    before = output.read_bytes()
    for step in (2, 5):  # what resumes from a checkpoint keeps it too
        with monkeypatch.context() as patch:
            patch.setattr(Training, "_train_step", interrupt_at(step, Training._train_step))
            patch.setattr(Training, "_round", lambda *_: pytest.fail("what is thrown away is rounded"))
            assert not fit(torus, architecture, config, output, progress=True).complete
        said = " ".join(capsys.readouterr().err.split())
        assert f"{output} is unchanged; run the same command to resume" in said and "bytes" not in said
        assert output.read_bytes() == before and kept.is_file()
    assert fit(torus, architecture, config, output).complete
    assert output.read_bytes() != before and not kept.exists()


def test_history_and_iou_are_those_of_the_whole_training_and_of_its_file(torus, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.occupancy.training.SCORE_EVERY", -1.0)
    monkeypatch.setattr("sinenerf.occupancy.training.SCORE_SHARE", math.inf)
    announced = []
    monkeypatch.setattr(Training, "announce", lambda self, output: announced.append((self.iou, *self.held_out)))
    settings, output, history = split_settings({"steps": 8, **SMALL, "bits": 4.0}), tmp_path / "x.sine", []
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_train_step", interrupt_at(4, Training._train_step))
        assert not fit(torus, *settings, output).complete
    told, points, inside = announced[0]
    assert told == iou(occupied(load(output), points), inside)  # all rounded at once, so worse than before
    assert fit(torus, *settings, output, history=history).complete
    assert [look["step"] for look in history] == list(range(1, 9))


def test_a_thin_shape_that_is_missed_has_no_perfect_score(monkeypatch):
    rod, history = trimesh.creation.cylinder(radius=0.002, height=1), []
    monkeypatch.setattr("sinenerf.occupancy.training.occupied", lambda _, points: np.zeros(len(points), bool))
    monkeypatch.setattr("sinenerf.occupancy.training.extract_surface", lambda *_: (_ for _ in ()).throw(LevelError))
    with pytest.warns(UserWarning, match="the field has no surface"):
        fit(rod, *split_settings({"steps": 1, "bits": 32, **SMALL}), history=history)
    assert history[-1]["iou"] == 0


def test_a_kill_before_the_file_is_written_leaves_a_fit_that_ends(torus, tmp_path, monkeypatch):
    settings = split_settings({"steps": 5, **SMALL})
    monkeypatch.setattr("sinenerf.occupancy.training.SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch:
        patch.setattr(Training, "finish", lambda self: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            fit(torus, *settings, tmp_path / "x.sine")
    assert (tmp_path / ".x.sine.checkpoint").is_file()
    history = []
    assert fit(torus, *settings, tmp_path / "x.sine", history=history).complete
    assert [look["step"] for look in history] == [5] and history[0]["loss"] > 0
    assert [p.name for p in tmp_path.iterdir()] == ["x.sine"]


def test_a_checkpoint_of_something_else_is_passed_over(torus, tmp_path, capsys):
    output = tmp_path / "x.sine"
    torch.save({"fingerprint": "other"}, tmp_path / ".x.sine.checkpoint")
    fit(torus, *split_settings({"steps": 2, **SMALL}), output, progress=True)
    assert "starting anew" in capsys.readouterr().err
    (tmp_path / ".x.sine.checkpoint").write_bytes(b"what a kill left")
    fit(torus, *split_settings({"steps": 2, **SMALL}), output, progress=True)
    assert "cannot be read" in capsys.readouterr().err
