"""Checkpoints, interruptions, and trainings that are refused before they begin."""

import errno
import shutil
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from support.commands import call_sinenerf
from support.tiny_runs import contents, make_trainer, set_up, tiny_config

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
import sinenerf
from sinenerf.networks import ScalarMLP
from sinenerf.plugin.checkpoints import latest_valid_step
from sinenerf.plugin.edge import RunError


def test_checkpoints_hold_only_the_scene(trainer):
    for step in range(3):
        trainer.train_iteration(step)
    trainer.save_checkpoint(2)
    (path,) = trainer.checkpoint_dir.glob("*")
    state = torch.load(path, weights_only=True)  # numpy scalars or pickled objects would be refused
    names = [name for name in state["pipeline"] if "device_indicator" not in name]
    assert names and all(name.startswith(("_model.field.coarse.", "_model.field.fine.")) for name in names)
    assert not list(trainer.base_dir.glob("*.partial"))


def test_only_the_latest_checkpoint_is_kept_and_a_broken_one_is_skipped(trainer, capsys):
    trainer.save_checkpoint(1)
    trainer.save_checkpoint(2)
    folder = trainer.checkpoint_dir
    assert [p.name for p in folder.glob("*")] == ["step-000000002.ckpt"]
    (folder / "step-000000009.ckpt").write_bytes(b"half a file")
    (folder / "step-000000003.ckpt.tmp").write_bytes(b"")
    assert latest_valid_step(folder) == 2
    assert "step-000000009.ckpt is skipped" in capsys.readouterr().err
    (folder / "step-000000002.ckpt").unlink()
    with pytest.raises(RunError, match="no checkpoint that can be read"):
        latest_valid_step(folder)


@pytest.fixture
def spoiled(small, monkeypatch):
    """A trainer whose loss is NaN."""
    render = small.pipeline.model._render

    def spoil(bundle):
        outputs = render(bundle)
        return {**outputs, "rgb": outputs["rgb"] * torch.nan}

    monkeypatch.setattr(small.pipeline.model, "_render", spoil)
    return small


def test_nan_stops_with_the_last_good_checkpoint(spoiled):
    small = spoiled
    small.save_checkpoint(0)
    good = {name: p.clone() for name, p in small.pipeline.model.named_parameters()}
    with pytest.raises(SystemExit, match=r"stopped at step 0: rgb is NaN or infinite.*step-000000000.ckpt") as stop:
        small.train()
    assert "Resume from it with a lower --optimizers.fields.optimizer.lr" in str(stop.value)
    assert [p.name for p in small.checkpoint_dir.glob("*")] == ["step-000000000.ckpt"]
    assert all(torch.equal(p, good[name]) for name, p in small.pipeline.model.named_parameters())


def test_nan_before_the_first_checkpoint(spoiled):
    with pytest.raises(SystemExit, match="no checkpoint had been written yet; start again with a lower") as stop:
        spoiled.train()
    assert "from it" not in str(stop.value)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_checkpoint_with_nan_does_not_replace_a_good_one(small, monkeypatch, interrupted):
    """A gradient may be NaN although the loss is not; also at Ctrl-C."""
    small.save_checkpoint(0)

    def spoil(step):
        next(small.pipeline.model.field.parameters()).data.fill_(torch.nan)
        if interrupted:
            raise KeyboardInterrupt
        return torch.tensor(0.0), {}, {"psnr": 0.0}

    monkeypatch.setattr(small, "train_iteration", spoil)
    with pytest.raises(
        SystemExit, match=r"a parameter of the field is NaN or infinite; the last good .*step-000000000"
    ):
        small.train()
    assert [path.name for path in small.checkpoint_dir.glob("*")] == ["step-000000000.ckpt"]


def interrupt(step):
    raise KeyboardInterrupt


def test_ctrl_c_saves(small, monkeypatch, capsys):
    monkeypatch.setattr(small, "train_iteration", interrupt)
    with pytest.raises(SystemExit) as stop:
        small.train()
    assert stop.value.code == 130
    assert list(small.checkpoint_dir.glob("step-*.ckpt"))
    assert "stopped at step 0 of 4; the same command with --load-dir" in capsys.readouterr().err


def test_ctrl_c_after_the_last_step_loses_nothing(scene, tmp_path, monkeypatch):
    trainer = make_trainer("sine-nerf-small", scene, tmp_path, bits=10.0)

    def interrupted():
        trainer.training_state = "completed"
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_after_train", interrupted)
    trainer.train()
    assert list(tmp_path.rglob("scene.sine")) and list(trainer.checkpoint_dir.glob("step-000000003.ckpt"))


def test_the_scene_is_written_before_nerfstudio_waits_for_its_viewer(scene, tmp_path, monkeypatch):
    """With a viewer, only Ctrl-C ends nerfstudio; this is not an interruption of the training."""
    trainer = make_trainer("sine-nerf-small", scene, tmp_path, bits=10.0)

    def wait():
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_train_complete_viewer", wait)
    trainer.train()
    (written,) = tmp_path.rglob("scene.sine")
    assert sinenerf.load(written).parameters_count == trainer.pipeline.model.quantiser.count


def test_a_training_does_not_replace_another(small, scene, tmp_path):
    """ns-train --load-config of a finished run, or the same --timestamp again."""
    small.config.save_config()
    small.save_checkpoint(7)
    config, before = deepcopy(small.config), contents(small.base_dir)
    config.pipeline.model.rank = 2
    config.save_config()
    with pytest.raises(SystemExit, match="holds the checkpoints of another training"):
        set_up(config)
    assert contents(small.base_dir) == before
    config.pipeline.model.rank = small.config.pipeline.model.rank
    config.load_dir = small.checkpoint_dir
    assert set_up(config).step == 7  # Ctrl-C before the first step saves what was loaded under its own number


def test_several_devices_are_refused(small):
    with pytest.raises(SystemExit, match="trains on one device"):
        deepcopy(small.config).setup(local_rank=0, world_size=2).setup()


def test_networks_that_no_file_can_hold_are_refused_before_training(scene, tmp_path):
    with pytest.raises(SystemExit, match="sinenerf: depth is 17: a file holds 1 to 16"):
        make_trainer("sine-nerf-small", scene, tmp_path / "a", depth=17, bits=8.0)
    trained = make_trainer("sine-nerf-small", scene, tmp_path / "b", depth=17)  # a run without a file may be deeper
    trained.config.save_config()
    trained.save_checkpoint(0)
    refused = call_sinenerf("compress", trained.base_dir, "--output", tmp_path / "x.sine", "--bits", 32)
    assert refused.returncode == 1 and "sinenerf: depth is 17: a file holds 1 to 16" in refused.stderr
    assert not (tmp_path / "x.sine").exists()


def test_photographs_too_large_for_a_file_are_refused_before_training(scene, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.radiance.header.LARGEST_IMAGE", 40)
    with pytest.raises(SystemExit, match="photographs of 48 x 36: a file holds cameras of at most 40 pixels"):
        make_trainer("sine-nerf-small", scene, tmp_path, bits=8.0)
    make_trainer("sine-nerf-small", scene, tmp_path)


@pytest.mark.parametrize(("setting", "value", "message"), [("rank", 17, "rank 17"), ("omega", 0.0, "omega is 0")])
def test_error_for_invalid_layer_settings_is_one_line(scene, tmp_path, setting, value, message):
    with pytest.raises(SystemExit, match=message) as stop:
        make_trainer("sine-nerf", scene, tmp_path, **{setting: value})
    assert "\n" not in str(stop.value)


def test_a_refused_run_removes_no_files_of_other_runs(small, scene, tmp_path):
    """With ns-train --timestamp '' the folder of a run contains other runs."""
    other = tmp_path / "scene" / "sine-nerf-small" / "yesterday" / "nerfstudio_models"
    other.mkdir(parents=True)
    small.base_dir = other.parents[1]
    small.checkpoint_dir = small.base_dir / "nerfstudio_models"
    (small.base_dir / "config.yml").write_text("")
    small._remove_empty_run()
    assert other.is_dir() and not (small.base_dir / "config.yml").exists()
    small.base_dir = other.parents[1] / "today"
    small.base_dir.mkdir()
    (small.base_dir / "config.yml").write_text("")
    small._remove_empty_run()
    assert not small.base_dir.exists() and other.is_dir()


@pytest.mark.parametrize(("bias", "message"), [(-100.0, "nothing"), (100.0, "fills everything")])
def test_a_collapsed_density_is_reseeded_once(small, monkeypatch, capsys, bias, message):
    monkeypatch.setattr("sinenerf.plugin.model.COLLAPSE_CHECKS", range(0, 3))
    model = small.pipeline.model
    for network in (model.field.coarse, model.field.fine):
        head = network.head if isinstance(network, ScalarMLP) else network.density
        head.bias.data.fill_(bias)
    small.train()
    printed = capsys.readouterr().err
    assert message in printed and printed.count("starting again from another seed") == 1
    assert model.reseeded and float(model.field.fine.density.bias.abs().max()) < 1


def test_ctrl_c_while_the_data_is_read_leaves_nothing(scene, tmp_path, monkeypatch):
    """nerfstudio's ns-train prints a traceback after any KeyboardInterrupt, and ends as after success."""
    config = tiny_config("sine-nerf-small", scene, tmp_path / "runs")
    config.save_config()
    monkeypatch.setattr("sinenerf.photographs.reading.decode", interrupt)
    with pytest.raises(SystemExit) as stop:
        set_up(config)
    assert stop.value.code == 130 and not list((tmp_path / "runs").rglob("*.yml"))


def test_a_folder_where_nothing_can_be_written_is_named(scene, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    config = tiny_config("sine-nerf-small", scene, tmp_path / "file" / "runs")
    with pytest.raises(
        SystemExit, match=r"^sinenerf: [^\n]*runs[^\n]*: no run can be written there[^\n]*--output-dir$"
    ):
        config.save_config()

    def refuse(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", "outputs")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    config = tiny_config("sine-nerf-small", scene, tmp_path / "runs")
    with pytest.raises(SystemExit, match=r"^sinenerf: [^\n]*no run can be written there \(Permission denied\)"):
        config.save_config()


def test_a_full_disk_is_met_before_training(scene, tmp_path, monkeypatch):
    config = tiny_config("sine-nerf-small", scene, tmp_path / "runs")
    config.save_config()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2**22 + 1000))
    with pytest.raises(SystemExit, match=r"^sinenerf: [^\n]*nerfstudio_models: its disk has 4.20 MB free, and about"):
        set_up(config)
    assert not list(tmp_path.rglob("*.yml"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(SystemExit, match=r"^sinenerf: [^\n]*runs[^\n]*: its disk has 0 bytes free"):
        config.save_config()
    assert not list(tmp_path.rglob("*.yml"))


def test_a_disk_that_fills_during_training_is_named(small, monkeypatch):
    small.save_checkpoint(0)
    before = contents_of(small.checkpoint_dir)

    def full(state, file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(SystemExit, match=r"^sinenerf: [^\n]*step-000000003.ckpt: the disk is full \([^\n]*$"):
        small.train()
    assert contents_of(small.checkpoint_dir) == before and not list(small.base_dir.glob(".*"))


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
