"""Training that survives: checkpoints, resuming, interruptions, and what is refused before it begins."""

from copy import deepcopy

import pytest
import torch
from answering import answer
from tiny_runs import make_trainer, set_up, tiny_config

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
import sinenerf
from sinenerf.nerf.checkpoints import counted_from, latest_valid_step
from sinenerf.networks import ScalarMLP


def test_checkpoints_hold_the_scene_and_nothing_else(trainer):
    for step in range(3):
        trainer.train_iteration(step)
    trainer.save_checkpoint(2)
    (path,) = trainer.checkpoint_dir.glob("*")
    state = torch.load(path, weights_only=True)  # numpy scalars or pickled objects would be refused
    names = [name for name in state["pipeline"] if "device_indicator" not in name]
    assert names and all(name.startswith(("_model.field.coarse.", "_model.field.fine.")) for name in names)
    assert not list(trainer.base_dir.glob("*.partial"))


def test_only_the_latest_checkpoint_is_kept_and_a_broken_one_is_passed_over(trainer, capsys):
    trainer.save_checkpoint(1)
    trainer.save_checkpoint(2)
    folder = trainer.checkpoint_dir
    assert [p.name for p in folder.glob("*")] == ["step-000000002.ckpt"]
    (folder / "step-000000009.ckpt").write_bytes(b"half a file")
    (folder / "step-000000003.ckpt.tmp").write_bytes(b"")
    assert latest_valid_step(folder) == 2
    assert "step-000000009.ckpt is passed over" in capsys.readouterr().err
    (folder / "step-000000002.ckpt").unlink()
    with pytest.raises(SystemExit, match="no checkpoint that can be read"):
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
    assert "Go on from it with a lower --optimizers.fields.optimizer.lr" in str(stop.value)
    assert [p.name for p in small.checkpoint_dir.glob("*")] == ["step-000000000.ckpt"]
    assert all(torch.equal(p, good[name]) for name, p in small.pipeline.model.named_parameters())


def test_nan_before_the_first_checkpoint(spoiled):
    with pytest.raises(SystemExit, match="no checkpoint had been written yet; start again with a lower") as stop:
        spoiled.train()
    assert "from it" not in str(stop.value)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_checkpoint_of_nan_replaces_none(small, monkeypatch, interrupted):
    """A gradient may be NaN where the loss is not; at Ctrl-C, too."""
    small.save_checkpoint(0)

    def spoil(step):
        next(small.pipeline.model.field.parameters()).data.fill_(torch.nan)
        if interrupted:
            raise KeyboardInterrupt
        return torch.tensor(0.0), {}, {"psnr": 0.0}

    monkeypatch.setattr(small, "train_iteration", spoil)
    with pytest.raises(SystemExit, match=r"a number of the field is NaN or infinite; the last good .*step-000000000"):
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


def test_the_scene_is_written_before_the_viewer_is_waited_for(scene, tmp_path, monkeypatch):
    """With a viewer nerfstudio ends by Ctrl-C alone, which is then no interruption."""
    trainer = make_trainer("sine-nerf-small", scene, tmp_path, bits=10.0)

    def wait():
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_train_complete_viewer", wait)
    trainer.train()
    (written,) = tmp_path.rglob("scene.sine")
    assert sinenerf.load(written).parameters_count == trainer.pipeline.model.quantiser.count


def test_a_run_with_bits_goes_on_from_its_checkpoint(scene, tmp_path):
    first = make_trainer("sine-nerf-small", scene, tmp_path / "a", bits=10.0)
    first.pipeline.model.quantiser.load({"multiplier": -2.5, "rate": 1e6})
    first.save_checkpoint(3)
    again = make_trainer("sine-nerf-small", scene, tmp_path / "b", bits=10.0, load_dir=first.checkpoint_dir)
    assert again._start_step == 4
    assert again.pipeline.model.quantiser.log_multiplier == -2.5 and again.pipeline.model.quantiser.last_rate == 1e6
    ours, theirs = (t.pipeline.model.field.state_dict() for t in (again, first))
    for name, values in ours.items():
        if isinstance(values, torch.Tensor):  # what is not yet fixed is NaN
            torch.testing.assert_close(values, theirs[name], rtol=0, atol=0, equal_nan=True)
    again.pipeline.model.quantiser.load({"step": 3})  # of a checkpoint from before it was kept
    assert again.pipeline.model.quantiser.log_multiplier == -2.5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spread": 1.0}, "is of a run with another spread"),
        ({"omega": 4.0, "spread": 1.0}, "another omega, which is 3 there, and another spread"),
        ({"learn_omega": True}, "another learn-omega or learn-gain"),
        ({"learn_gain": True}, "another learn-omega or learn-gain"),
        ({"density_activation": "softplus"}, "another density-activation, which is exp there"),
        ({"rank": 3}, "is of a run with another network"),
        ({"bits": 8.0}, "is of a run with another network"),
    ],
)
def test_a_run_goes_on_with_its_own_settings_alone(changes, said, small, scene, tmp_path):
    """As ns-train has it, which writes a run's config.yml first of all: in a folder of its own, or in the run's own."""
    begun = begin(small)
    for output, config in elsewhere_and_in_place(small, scene, tmp_path, **changes):
        config.save_config()
        with pytest.raises(SystemExit, match=said) as stop:
            set_up(config)
        assert "\n" not in str(stop.value)
        assert begun() and (output == tmp_path or not list(output.iterdir()))


def begin(trainer):
    """Train a step, as ns-train has it; returns a function that says whether all that was left is as it was."""
    trainer.config.save_config()
    trainer.train_iteration(0)
    trainer.save_checkpoint(0)
    before = contents(trainer.base_dir)
    return lambda: contents(trainer.base_dir) == before


def contents(folder):
    """Of settings and checkpoints."""
    return {path: path.read_bytes() for path in (folder / "config.yml", *folder.rglob("step-*"))}


def elsewhere_and_in_place(trainer, scene, tmp_path, **changes):
    """(folder, configuration) of a run of this kind that goes on from a trainer's checkpoints."""
    for output in (tmp_path / "other", tmp_path):
        config = tiny_config("sine-nerf-small", scene, output, load_dir=trainer.checkpoint_dir, **changes)
        if output == tmp_path:
            config.timestamp = trainer.config.timestamp
        yield output, config


def test_a_run_goes_on_with_its_own_settings(small, scene, tmp_path):
    begun = begin(small)
    for _, config in elsewhere_and_in_place(small, scene, tmp_path, eval_num_rays_per_chunk=99):
        config.save_config()
        assert begun()
        trainer = set_up(config)
        written = (trainer.base_dir / "config.yml").read_text()
        assert trainer._start_step == 1 and "eval_num_rays_per_chunk: 99" in written
        assert "load_step: null" in written  # not the step that setting up has found
    assert trainer.base_dir == small.base_dir and not list(small.base_dir.glob(".partial*"))


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("spherify", True, r"another spherify, which is False there\. Give"),
        ("hold_every", 2, r"another hold-every, which is 8 there\. Give"),
        ("bound_factor", 0.5, r"another bound-factor, which is 0.75 there\. Give"),
        ("widest", 99, None),
    ],
)
def test_a_run_goes_on_with_its_own_views_alone(setting, value, said, small, scene, tmp_path):
    """In another warp a network's numbers mean something else, and views that were held out would be trained on."""
    begun = begin(small)
    for _, config in elsewhere_and_in_place(small, scene, tmp_path):
        setattr(config.pipeline.datamanager.dataparser, setting, value)
        config.save_config()
        if said is None:
            assert set_up(config)._start_step == 1
            continue
        with pytest.raises(SystemExit, match=said):
            set_up(config)
        assert begun()


def test_a_run_goes_on_with_its_own_parser_alone(small, scene, tmp_path):
    begin(small)
    written = small.base_dir / "config.yml"
    written.write_text(written.read_text().replace("dataparser.LLFFDataParserConfig", "other.BlenderDataParserConfig"))
    with pytest.raises(SystemExit, match="another dataparser, which is BlenderDataParserConfig there"):
        make_trainer("sine-nerf-small", scene, tmp_path / "other", load_dir=small.checkpoint_dir)
    written.unlink()  # moved away from its run
    assert make_trainer("sine-nerf-small", scene, tmp_path / "other", load_dir=small.checkpoint_dir)._start_step == 1


def test_a_run_goes_on_with_its_own_optimizer_alone(small, scene, tmp_path):
    begun = begin(small)
    for output, config in elsewhere_and_in_place(small, scene, tmp_path):
        config.optimizers["fields"]["optimizer"].kind = "adam"
        config.save_config()
        with pytest.raises(SystemExit, match=r"is of a run with another optimizer\. Give its settings"):
            set_up(config)
        assert begun() and (output == tmp_path or not list(output.iterdir()))


def test_learned_omegas_and_gains_go_on_from_their_own_start(scene, tmp_path):
    """Which anchored rows follow from, though no checkpoint holds them."""
    learned = {"learn_omega": True, "learn_gain": True}
    begin(first := make_trainer("sine-nerf-small", scene, tmp_path / "a", **learned))
    for changes, said in (({"omega": 4.0}, "omega, which is 3 there"), ({"spread": 1.0}, "spread, which is 0.3 there")):
        with pytest.raises(SystemExit, match=said):
            make_trainer("sine-nerf-small", scene, tmp_path / "b", load_dir=first.checkpoint_dir, **learned, **changes)
    first.base_dir.joinpath("config.yml").unlink()  # moved away from its run
    again = make_trainer("sine-nerf-small", scene, tmp_path / "c", load_dir=first.checkpoint_dir, **learned)
    assert again._start_step == 1


def test_a_checkpoint_that_is_not_there_or_damaged(small, scene, tmp_path):
    small.save_checkpoint(7)
    kept, broken = small.checkpoint_dir / "step-000000007.ckpt", tmp_path / "broken.ckpt"
    broken.write_bytes(kept.read_bytes()[:-99])
    torch.save({"weights": torch.zeros(3)}, foreign := tmp_path / "foreign.ckpt")
    for name, value, said in (
        ("load_step", 5, "step-000000005.ckpt: no such checkpoint. There are: step-000000007.ckpt"),
        ("load_checkpoint", tmp_path / "absent.ckpt", "absent.ckpt: no such checkpoint. There are: none"),
        ("load_checkpoint", broken, "broken.ckpt: is damaged, or no checkpoint of a run"),
        ("load_checkpoint", foreign, "foreign.ckpt: is damaged, or no checkpoint of a run"),
    ):
        config = tiny_config("sine-nerf-small", scene, tmp_path / "new")
        config.load_dir = small.checkpoint_dir if name == "load_step" else None
        setattr(config, name, value)
        config.save_config()
        with pytest.raises(SystemExit, match=said) as stop:
            set_up(config)
        assert str(stop.value).startswith("sinenerf: ") and "\n" not in str(stop.value)
        assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    ("kept", "made", "steps", "end"),
    [
        ({"begin": 0, "end": 6000}, 3000, 6000, 6000),  # stopped: the same command
        ({"begin": 0, "end": 6000}, 3000, 9000, 9000),
        ({"begin": 0, "end": 6000}, 3000, 4000, 4000),
        ({"begin": 0, "end": 6000}, 3000, 2, 3002),
        ({"begin": 0, "end": 150}, 150, 5, 155),  # ended
        ({"begin": 0, "end": 150}, 150, 200, 350),
        ({"begin": 150, "end": 155}, 153, 5, 155),  # stopped while it went on
        ({"begin": 150, "end": 155}, 155, 5, 160),
        ({}, 3000, 6000, 6000),  # of before
        ({}, 150, 5, 155),
    ],
)
def test_where_a_run_that_goes_on_ends(kept, made, steps, end):
    assert counted_from({**kept, "step": made - 1}, steps) + steps == end


def test_a_stopped_run_ends_where_it_would_have(small, scene, tmp_path):
    """Again and again, by the schedule of before; one that had ended makes as many steps as are asked for."""

    def stop(trainer):
        """After one step."""
        trainer.train_iteration(trainer._start_step)
        trainer.save_checkpoint(trainer._start_step)
        return trainer.checkpoint_dir

    def go_on(name, folder, steps):
        return make_trainer("sine-nerf-small", scene, tmp_path / name, steps=steps, load_dir=folder)

    rate = small.config.optimizers["fields"]["optimizer"].lr
    factor = small.optimizers.schedulers["fields"].lr_lambdas[0]
    second = go_on("second", stop(small), 4)
    third = go_on("third", stop(second), 4)
    assert third.optimizers.optimizers["fields"].param_groups[0]["lr"] == pytest.approx(rate * factor(2))
    third.train()
    assert [path.name for path in third.checkpoint_dir.iterdir()] == ["step-000000003.ckpt"]
    longer = go_on("longer", third.checkpoint_dir, 3)
    assert (longer._start_step, longer.end) == (4, 7)
    again = go_on("again", stop(longer), 3)
    assert (again._start_step, again.end) == (5, 7)


def test_a_checkpoint_is_read_twice_at_most(small, scene, tmp_path, monkeypatch):
    """Once for whether it is whole, and once for what it holds."""
    small.save_checkpoint(0)
    load, read = torch.load, []
    monkeypatch.setattr(torch, "load", lambda path, **options: read.append(path) or load(path, **options))
    make_trainer("sine-nerf-small", scene, tmp_path / "again", load_dir=small.checkpoint_dir)
    assert len(read) == 2


def test_a_run_that_goes_on_keeps_to_its_schedule(small, scene, tmp_path):
    """nerfstudio's max_num_iterations are further steps; the learning rate was at its floor for all of them."""
    small.save_checkpoint(5)
    again = make_trainer("sine-nerf-small", scene, tmp_path, steps=6, load_dir=small.checkpoint_dir)
    (schedule,) = again.optimizers.schedulers.values()
    assert [small.optimizers.schedulers["fields"].lr_lambdas[0](step) for step in (0, 2, 4)] == pytest.approx(
        [1, 0.05**0.5, 0.05]
    )
    assert schedule.lr_lambdas[0](6) == pytest.approx(0.05**0.5) and schedule.lr_lambdas[0](12) == pytest.approx(0.05)


def test_a_run_goes_on_with_the_learning_rate_that_is_given(small, scene, tmp_path):
    """As the message says after a loss that is no number."""
    small.train_iteration(0)
    small.save_checkpoint(0)
    config = tiny_config("sine-nerf-small", scene, tmp_path / "again", load_dir=small.checkpoint_dir)
    config.optimizers["fields"]["optimizer"].lr = 1e-4
    again = set_up(config)
    optimizer = again.optimizers.optimizers["fields"]
    factor = again.optimizers.schedulers["fields"].lr_lambdas[0]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor(1))
    again.train_iteration(1)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor(2))


def test_a_run_of_another_version_of_torch_goes_on(scene, tmp_path):
    """Settings of Adam come and go."""
    first = make_trainer("sine-nerf", scene, tmp_path / "a")
    first.train_iteration(0)
    first.save_checkpoint(0)
    (path,) = first.checkpoint_dir.iterdir()
    state = torch.load(path, weights_only=True)
    del state["optimizers"]["fields"]["param_groups"][0]["foreach"]
    torch.save(state, path)
    again = make_trainer("sine-nerf", scene, tmp_path / "b", load_dir=first.checkpoint_dir)
    again.train_iteration(1)


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


def test_what_no_reader_opens_is_refused_before_training(scene, tmp_path):
    with pytest.raises(SystemExit, match="sinenerf: depth is 17: a file holds 1 to 16"):
        make_trainer("sine-nerf-small", scene, tmp_path / "a", depth=17, bits=8.0)
    trained = make_trainer("sine-nerf-small", scene, tmp_path / "b", depth=17)  # a run without a file may be deeper
    trained.config.save_config()
    trained.save_checkpoint(0)
    refused = answer("compress", trained.base_dir, "--output", tmp_path / "x.sine", "--bits", 32)
    assert refused.returncode == 1 and "sinenerf: depth is 17: a file holds 1 to 16" in refused.stderr
    assert not (tmp_path / "x.sine").exists()


def test_photographs_that_no_file_holds_are_refused_before_training(scene, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.nerf.file.LARGEST_PICTURE", 40)
    with pytest.raises(SystemExit, match="photographs of 48 x 36: a file holds cameras of at most 40 pixels"):
        make_trainer("sine-nerf-small", scene, tmp_path, bits=8.0)
    make_trainer("sine-nerf-small", scene, tmp_path)


@pytest.mark.parametrize(("setting", "value", "said"), [("rank", 17, "rank 17"), ("omega", 0.0, "omega is 0")])
def test_settings_that_fit_no_layer_stop_with_one_line(scene, tmp_path, setting, value, said):
    with pytest.raises(SystemExit, match=said) as stop:
        make_trainer("sine-nerf", scene, tmp_path, **{setting: value})
    assert "\n" not in str(stop.value)


def test_bad_input_removes_nothing_of_other_runs(small, scene, tmp_path):
    """A run whose name holds those of others: ns-train --timestamp ''."""
    other = tmp_path / "scene" / "sine-nerf-small" / "yesterday" / "nerfstudio_models"
    other.mkdir(parents=True)
    small.base_dir = other.parents[1]
    small.checkpoint_dir = small.base_dir / "nerfstudio_models"
    (small.base_dir / "config.yml").write_text("")
    small._forget()
    assert other.is_dir() and not (small.base_dir / "config.yml").exists()
    small.base_dir = other.parents[1] / "today"
    small.base_dir.mkdir()
    (small.base_dir / "config.yml").write_text("")
    small._forget()
    assert not small.base_dir.exists() and other.is_dir()


@pytest.mark.parametrize(("bias", "said"), [(-100.0, "nothing"), (100.0, "fills everything")])
def test_a_collapsed_density_is_seeded_again_once(small, monkeypatch, capsys, bias, said):
    monkeypatch.setattr("sinenerf.nerf.model.COLLAPSE_CHECKS", range(0, 3))
    model = small.pipeline.model
    for network in (model.field.coarse, model.field.fine):
        head = network.head if isinstance(network, ScalarMLP) else network.density
        head.bias.data.fill_(bias)
    small.train()
    printed = capsys.readouterr().err
    assert said in printed and printed.count("starting again from another seed") == 1
    assert model.reseeded and float(model.field.fine.density.bias.abs().max()) < 1
