"""The nerfstudio model on a tiny generated scene: what it renders, trains, and does when training goes wrong."""

import shutil
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
import torch
import yaml
from answering import answer

import sinenerf
from sinenerf.factored import FactoredLinear

nerfstudio = pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from nerfstudio.cameras.rays import RayBundle  # noqa: E402

from sinenerf.nerf import metrics  # noqa: E402
from sinenerf.nerf.checkpoints import latest_valid_step  # noqa: E402
from sinenerf.nerf.configs import sine_nerf, sine_nerf_small  # noqa: E402
from sinenerf.nerf.runs import open_run  # noqa: E402
from sinenerf.networks import RadianceMLP, ScalarMLP  # noqa: E402


def test_presets_name_their_optimiser():
    kinds = [method.config.optimizers["fields"]["optimizer"].kind for method in (sine_nerf, sine_nerf_small)]
    assert kinds == ["adam", "soap"]


def make_trainer(method, scene, output, steps=4, load_dir=None, **model):
    config = deepcopy(method.config)
    config.data = config.pipeline.datamanager.data = config.pipeline.datamanager.dataparser.data = scene
    config.pipeline.datamanager.dataparser.downscale_factor = None
    config.pipeline.datamanager.train_num_rays_per_batch = 64
    config.machine.device_type = "cpu"
    config.max_num_iterations, config.vis, config.output_dir = steps, "tensorboard", output
    config.load_dir = load_dir
    config.logging.local_writer.enable = False
    config.optimizers["fields"]["scheduler"].warmup_steps = 0
    config.steps_per_eval_image = config.steps_per_eval_batch = 10**9
    for name, value in model.items():
        setattr(config.pipeline.model, name, value)
    config.set_timestamp()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    return trainer


TINY = {
    "sine-nerf": (sine_nerf, dict(width=16, depth=6, coarse_samples=8, fine_samples=8, rank=4)),
    "sine-nerf-small": (sine_nerf_small, dict(width=16, depth=3, coarse_samples=8, fine_samples=8, rank=4)),
}


@pytest.fixture(params=TINY)
def trainer(request, scene, tmp_path):
    method, shape = TINY[request.param]
    return make_trainer(method, scene, tmp_path, **shape)


@pytest.fixture
def small(scene, tmp_path):
    return make_trainer(sine_nerf_small, scene, tmp_path, **TINY["sine-nerf-small"][1])


def test_outputs_are_what_nerfstudios_tools_expect(trainer):
    model = trainer.pipeline.model.eval()
    camera = trainer.pipeline.datamanager.train_dataset.cameras[:1]
    outputs = model.get_outputs_for_camera(camera)
    assert {"rgb", "depth", "accumulation", "normals"} <= set(outputs)
    assert outputs["rgb"].shape == (36, 48, 3) and outputs["depth"].shape == (36, 48, 1)
    for name in ("rgb", "accumulation", "normals"):
        assert outputs[name].min() >= 0 and outputs[name].max() <= 1, name
    normals = 2 * outputs["normals"] - 1
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(36, 48), atol=1e-3, rtol=0)
    rgba = model.get_rgba_image(outputs)
    assert torch.equal(rgba[..., 3:], outputs["accumulation"])
    assert (outputs["depth"] > 0).all()


class Wall(RadianceMLP):
    """All that lies behind one world depth is solid."""

    def __init__(self, warp, z):
        torch.nn.Module.__init__(self)
        self.warp, self.z = warp, z

    def embed(self, points):
        return points

    def raw_density(self, points):
        return ((self.z - self.warp.unwarp_points(points)[..., 2:]) * 1000).clamp(-30, 12) + 0 * points[..., 2:]

    def raw_colour(self, points, directions):
        return points


def test_depth_and_normals_are_the_worlds(small):
    """A wall at one world depth is seen there, facing the camera, from any view, though the field lies in a cube."""
    model = small.pipeline.model.eval()
    model.field.coarse = model.field.fine = Wall(model.warp, -3.0)
    model.sample_uniform.num_samples = model.sample_pdf.num_samples = 128
    for camera in range(3):
        bundle = small.pipeline.datamanager.train_dataset.cameras.generate_rays(camera).flatten()
        with torch.no_grad():
            outputs = model(bundle)
        points = bundle.origins + outputs["depth"] * bundle.directions
        torch.testing.assert_close(points[:, 2], torch.full_like(points[:, 2], -3), atol=0.05, rtol=0)
        torch.testing.assert_close(outputs["accumulation"], torch.ones_like(outputs["accumulation"]))


def test_exporters_short_rays_may_point_anywhere(trainer):
    bundle = RayBundle(
        origins=torch.tensor([[0.0, 0, -3], [0.1, 0, -4]]),
        directions=torch.tensor([[0.0, 0, 1], [1, 0, 0]]),
        pixel_area=torch.ones(2, 1),
        nears=torch.zeros(2, 1),
        fars=torch.full((2, 1), 0.2),
    )
    with torch.no_grad():
        outputs = trainer.pipeline.model.eval()(bundle)
    assert all(torch.isfinite(value).all() for value in outputs.values())
    assert (outputs["depth"] <= 0.2).all()


def test_training_lowers_the_loss(scene, tmp_path):
    trainer = make_trainer(sine_nerf_small, scene, tmp_path, width=32, depth=3, coarse_samples=16, fine_samples=12)
    losses = [float(trainer.train_iteration(step)[1]["rgb"]) for step in range(120)]
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:5])


def test_weights_are_built_once_a_step_and_once_an_image(small, monkeypatch):
    builds = []
    for layer in (m for m in small.pipeline.model.modules() if isinstance(m, FactoredLinear)):
        build = layer.build
        monkeypatch.setattr(layer, "build", lambda build=build: builds.append(1) or build())
    layers = sum(isinstance(m, FactoredLinear) for m in small.pipeline.model.modules())
    small.train_iteration(0)
    assert len(builds) == layers
    builds.clear()
    small.pipeline.model.config.eval_num_rays_per_chunk = 100
    small.pipeline.eval()
    small.pipeline.model.get_outputs_for_camera(small.pipeline.datamanager.train_dataset.cameras[:1])
    assert len(builds) == layers


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


def test_nan_stops_with_the_last_good_checkpoint(small, monkeypatch):
    small.save_checkpoint(0)
    good = {name: p.clone() for name, p in small.pipeline.model.named_parameters()}
    render = small.pipeline.model._render

    def spoil(bundle):
        outputs = render(bundle)
        return {**outputs, "rgb": outputs["rgb"] * torch.nan}

    monkeypatch.setattr(small.pipeline.model, "_render", spoil)
    with pytest.raises(SystemExit, match=r"stopped at step 0: rgb is NaN or infinite.*step-000000000.ckpt") as stop:
        small.train()
    assert "a lower --optimizers.fields.optimizer.lr" in str(stop.value)
    assert [p.name for p in small.checkpoint_dir.glob("*")] == ["step-000000000.ckpt"]
    assert all(torch.equal(p, good[name]) for name, p in small.pipeline.model.named_parameters())


def test_ctrl_c_saves(small, monkeypatch):
    def interrupt(step):
        raise KeyboardInterrupt

    monkeypatch.setattr(small, "train_iteration", interrupt)
    with pytest.raises(SystemExit) as stop:
        small.train()
    assert stop.value.code == 130
    assert list(small.checkpoint_dir.glob("step-*.ckpt"))


def test_the_scene_is_written_before_the_viewer_is_waited_for(scene, tmp_path, monkeypatch):
    """With a viewer nerfstudio ends by Ctrl-C alone, which is then no interruption."""
    method, tiny = TINY["sine-nerf-small"]
    trainer = make_trainer(method, scene, tmp_path, **tiny, bits=10.0)

    def wait():
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_train_complete_viewer", wait)
    trainer.train()
    (written,) = tmp_path.rglob("scene.sine")
    assert sinenerf.load(written).parameters_count == trainer.pipeline.model.quantiser.count


def test_a_run_with_bits_goes_on_from_its_checkpoint(scene, tmp_path):
    method, tiny = TINY["sine-nerf-small"]
    first = make_trainer(method, scene, tmp_path / "a", **tiny, bits=10.0)
    first.save_checkpoint(3)
    again = make_trainer(method, scene, tmp_path / "b", **tiny, bits=10.0, load_dir=first.checkpoint_dir)
    assert again._start_step == 4
    ours, theirs = (t.pipeline.model.field.state_dict() for t in (again, first))
    for name, values in ours.items():
        if isinstance(values, torch.Tensor):  # what is not yet fixed is NaN
            torch.testing.assert_close(values, theirs[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spread": 1.0}, "is of a run with another spread"),
        ({"omega": 4.0, "spread": 1.0}, "another omega, which is 3 there, and another spread"),
        ({"learn_omega": True}, "another learn-omega or learn-gain"),
        ({"learn_gain": True}, "another learn-omega or learn-gain"),
        ({"density_activation": "softplus"}, "another density-activation, which is exp there"),
    ],
)
def test_a_run_goes_on_with_its_own_settings_alone(changes, said, small, scene, tmp_path):
    small.config.save_config()
    small.train_iteration(0)
    small.save_checkpoint(0)
    settings = {**TINY["sine-nerf-small"][1], "load_dir": small.checkpoint_dir}
    assert make_trainer(sine_nerf_small, scene, tmp_path / "same", **settings)._start_step == 1
    with pytest.raises(SystemExit, match=said) as stop:
        make_trainer(sine_nerf_small, scene, tmp_path / "other", **settings, **changes)
    assert "\n" not in str(stop.value)


def test_a_run_that_goes_on_keeps_to_its_schedule(small, scene, tmp_path):
    """nerfstudio's max_num_iterations are further steps; the learning rate was at its floor for all of them."""
    small.save_checkpoint(5)
    shape = TINY["sine-nerf-small"][1]
    again = make_trainer(sine_nerf_small, scene, tmp_path, steps=6, load_dir=small.checkpoint_dir, **shape)
    (schedule,) = again.optimizers.schedulers.values()
    assert [small.optimizers.schedulers["fields"].lr_lambdas[0](step) for step in (0, 2, 4)] == pytest.approx(
        [1, 0.05**0.5, 0.05]
    )
    assert schedule.lr_lambdas[0](6) == pytest.approx(0.05**0.5) and schedule.lr_lambdas[0](12) == pytest.approx(0.05)


def test_what_no_reader_opens_is_refused_before_training(scene, tmp_path):
    settings = {**TINY["sine-nerf-small"][1], "depth": 17}
    with pytest.raises(SystemExit, match="sinenerf: depth is 17: a file holds 1 to 16"):
        make_trainer(sine_nerf_small, scene, tmp_path / "a", **settings, bits=8.0)
    trained = make_trainer(sine_nerf_small, scene, tmp_path / "b", **settings)  # a run without a file may be deeper
    trained.config.save_config()
    trained.save_checkpoint(0)
    refused = answer("compress", trained.base_dir, "--output", tmp_path / "x.sine", "--bits", 32)
    assert refused.returncode == 1 and "sinenerf: depth is 17: a file holds 1 to 16" in refused.stderr
    assert not (tmp_path / "x.sine").exists()


def test_a_random_background_lies_behind_each_networks_own_picture(scene, tmp_path):
    trainer = make_trainer(sine_nerf, scene, tmp_path, **TINY["sine-nerf"][1], background_color="random")
    model, black = trainer.pipeline.model, torch.zeros(5, 3)
    outputs = {"rgb": black, "accumulation": torch.ones(5, 1), "rgb_coarse": black}
    losses = model.get_loss_dict({**outputs, "accumulation_coarse": torch.zeros(5, 1)}, {"image": torch.zeros(5, 4)})
    assert losses["rgb_coarse"] == 0 < losses["rgb"]  # the coarse one is as transparent as the photograph
    trained = model(trainer.pipeline.datamanager.next_train(0)[0])
    assert trained["accumulation_coarse"].shape == trained["accumulation"].shape


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


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda run: shutil.rmtree(run / "nerfstudio_models"), "no checkpoint there"),
        (lambda run: next(run.glob("nerfstudio_models/*")).write_bytes(b"broken"), "no checkpoint that can be read"),
        (lambda run: (run / "config.yml").write_text("a: 1"), "config.yml: cannot be opened (AssertionError"),
        (lambda run: (run / "config.yml").write_text("{"), "config.yml: cannot be opened (ParserError"),
    ],
)
def test_a_run_that_cannot_be_opened_is_one_line(small, tmp_path, spoil, said):
    small.config.save_config()
    small.save_checkpoint(0)
    spoil(small.base_dir)
    refused = answer("compress", small.base_dir, "--output", tmp_path / "x.sine")
    assert refused.returncode == 1 and said in refused.stderr.splitlines()[-1], refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("sinenerf: ")


def test_a_run_that_was_moved_opens(small, tmp_path):
    small.config.save_config()
    small.save_checkpoint(3)
    (small.checkpoint_dir / "note.txt").write_text("of the user's")
    moved = shutil.copytree(small.base_dir, tmp_path / "moved")
    shutil.rmtree(small.checkpoint_dir)
    theirs = dict(open_run(moved).model.field.named_parameters())
    for name, ours in small.pipeline.model.field.named_parameters():
        torch.testing.assert_close(theirs[name], ours)


def test_the_viewers_panel_follows_rank_and_bytes(scene, tmp_path):
    from nerfstudio.viewer.utils import parse_object
    from nerfstudio.viewer.viewer_elements import ViewerElement

    method, tiny = TINY["sine-nerf-small"]
    trainer = make_trainer(method, scene, tmp_path, **tiny, bits=8.0)
    found = {e.name: e for _, e in parse_object(trainer.pipeline, ViewerElement, "Custom Elements")}
    model = trainer.pipeline.model
    assert found["Rank"].value == "sine, k = 4"
    assert found["Parameters"].value == f"{model.field.parameters_count:,}"
    assert "float32" in found["Bytes"].value and float(found["Bits / parameter"].value) > 32
    model.quantiser.start()
    model.panel.update(model.field, model.quantiser)
    assert "float32" not in found["Bytes"].value and float(found["Bits / parameter"].value) < 24


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


@pytest.mark.parametrize(("setting", "value", "said"), [("rank", 17, "rank 17"), ("omega", 0.0, "omega is 0")])
def test_settings_that_fit_no_layer_stop_with_one_line(scene, tmp_path, setting, value, said):
    with pytest.raises(SystemExit, match=said) as stop:
        make_trainer(sine_nerf, scene, tmp_path, **{**TINY["sine-nerf"][1], setting: value})
    assert "\n" not in str(stop.value)


def test_lpips_never_fetches(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    metrics.lpips_vgg.cache_clear()
    image = torch.rand(24, 24, 3)
    assert set(metrics.image_metrics(image, image)) == {"psnr", "ssim"}
    assert "LPIPS is left out" in capsys.readouterr().err
    metrics.lpips_vgg.cache_clear()


def test_psnr_of_a_known_error():
    truth = torch.full((24, 24, 3), 0.5)
    assert metrics.image_metrics(truth + 0.1, truth)["psnr"] == pytest.approx(20, abs=1e-3)
    assert metrics.image_metrics(truth, truth)["ssim"] == pytest.approx(1)


def test_core_imports_without_nerfstudio():
    code = "import sys; sys.modules['nerfstudio'] = None; import sinenerf; sinenerf.SineLowRankLinear(4, 4, 1)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_from_before_layers_were_anchored_keeps_its_shapes():
    text = yaml.dump(sine_nerf_small.config.pipeline.model)
    assert "anchored: true\n" in text
    assert yaml.load(text, Loader=yaml.Loader).anchored
    earlier = yaml.load(text.replace("anchored: true\n", ""), Loader=yaml.Loader)
    assert earlier.anchored is False and earlier.rank == 32 and not earlier.architecture(True).anchored


def test_a_training_does_not_replace_another(small, scene, tmp_path):
    """ns-train --load-config of a finished run, or the same --timestamp again."""
    small.save_checkpoint(7)
    config = deepcopy(small.config)
    with pytest.raises(SystemExit, match="holds the checkpoints of another training"):
        config.setup(local_rank=0, world_size=1).setup()
    assert [path.name for path in small.checkpoint_dir.iterdir()] == ["step-000000007.ckpt"]
    config.load_dir = small.checkpoint_dir
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    assert trainer.step == 7  # Ctrl-C before the first step saves what was loaded under its own number


def test_several_devices_are_refused(small):
    with pytest.raises(SystemExit, match="trains on one device"):
        deepcopy(small.config).setup(local_rank=0, world_size=2).setup()


def test_a_run_goes_on_with_the_learning_rate_that_is_given(small, scene, tmp_path):
    """As the message says after a loss that is no number."""
    small.train_iteration(0)
    small.save_checkpoint(0)
    method = deepcopy(sine_nerf_small)
    method.config.optimizers["fields"]["optimizer"].lr = 1e-4
    settings = {**TINY["sine-nerf-small"][1], "load_dir": small.checkpoint_dir}
    again = make_trainer(method, scene, tmp_path / "again", **settings)
    optimizer = again.optimizers.optimizers["fields"]
    factor = again.optimizers.schedulers["fields"].lr_lambdas[0]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor(1))
    again.train_iteration(1)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor(2))


def test_a_run_of_another_version_of_torch_goes_on(scene, tmp_path):
    """Settings of Adam come and go."""
    method, tiny = TINY["sine-nerf"]
    first = make_trainer(method, scene, tmp_path / "a", **tiny)
    first.train_iteration(0)
    first.save_checkpoint(0)
    (path,) = first.checkpoint_dir.iterdir()
    state = torch.load(path, weights_only=True)
    del state["optimizers"]["fields"]["param_groups"][0]["foreach"]
    torch.save(state, path)
    again = make_trainer(method, scene, tmp_path / "b", **tiny, load_dir=first.checkpoint_dir)
    again.train_iteration(1)


def test_ctrl_c_after_the_last_step_loses_nothing(scene, tmp_path, monkeypatch):
    method, tiny = TINY["sine-nerf-small"]
    trainer = make_trainer(method, scene, tmp_path, **tiny, bits=10.0)

    def interrupted():
        trainer.training_state = "completed"
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "_after_train", interrupted)
    trainer.train()
    assert list(tmp_path.rglob("scene.sine")) and list(trainer.checkpoint_dir.glob("step-000000003.ckpt"))


@pytest.mark.parametrize("spherify", [False, True])
def test_rays_with_bounds_of_their_own_see_the_same_density(scene, tmp_path, monkeypatch, spherify):
    """A crop in the viewer: densities are those of the cube, lengths those of the world."""
    method = deepcopy(sine_nerf_small)
    method.config.pipeline.datamanager.dataparser.spherify = spherify
    model = make_trainer(method, scene, tmp_path, **TINY["sine-nerf-small"][1]).pipeline.model.eval()
    monkeypatch.setattr(model.field, "query", lambda network, x, d: (torch.full_like(x[..., :1], 2.0), x))
    origins = torch.tensor([[0.1, 0.0, -1.2]] if not spherify else [[0.1, 0.0, 0.8]])
    directions = torch.nn.functional.normalize(torch.tensor([[0.1, 0.2, -1.0]]), dim=-1)
    near, far = torch.tensor([[0.3]]), torch.tensor([[1.4]])
    start, end = (model.warp.warp_points(origins + t * directions) for t in (near, far))
    length = (end - start).norm()
    bundle = RayBundle(origins, directions, torch.ones(1, 1), nears=near, fars=far)
    _, weights = model._march(model.field.fine, bundle, model.sample_uniform(bundle))
    assert float(weights.sum()) == pytest.approx(1 - float(torch.exp(-2.0 * length)), rel=1e-4)


def test_photographs_that_no_file_holds_are_refused_before_training(scene, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.nerf.file.LARGEST_PICTURE", 40)
    settings = TINY["sine-nerf-small"][1]
    with pytest.raises(SystemExit, match="photographs of 48 x 36: a file holds cameras of at most 40 pixels"):
        make_trainer(sine_nerf_small, scene, tmp_path, **settings, bits=8.0)
    make_trainer(sine_nerf_small, scene, tmp_path, **settings)
