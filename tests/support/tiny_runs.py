"""Training of tiny networks by nerfstudio: as command lines, as trainer objects, and one finished run."""

import sys
from copy import deepcopy

import pytest
from support.commands import run_command
from support.shared_folders import shared_folder

TINY = {
    "sine-nerf": dict(width=16, depth=6, coarse_samples=8, fine_samples=8, rank=4),
    "sine-nerf-small": dict(width=16, depth=3, coarse_samples=8, fine_samples=8, rank=4),
}
TINY_OPTIONS = [
    "--pipeline.model.width=16",
    "--pipeline.model.depth=3",
    "--pipeline.model.rank=4",
    "--pipeline.model.coarse-samples=12",
    "--pipeline.model.fine-samples=10",
    "--pipeline.datamanager.train-num-rays-per-batch=128",
    "--vis=tensorboard",
    "--machine.device-type=cpu",
]
"""A tiny network for ns-train."""


def train_command(scene, folder, *options, method="sine-nerf-small", steps=150):
    """ns-train and its arguments: a tiny network on an LLFF scene."""
    return [
        "ns-train",
        method,
        *TINY_OPTIONS,
        f"--max-num-iterations={steps}",
        f"--output-dir={folder}",
        "--timestamp=run",
        *options,
        f"--data={scene}",
        "sine-data",
        "--downscale-factor=1",
    ]


def tiny_config(name, scene, output, steps=4, load_dir=None, **model):
    """A preset's configuration with a tiny network; `model` overrides settings of the model."""
    from sinenerf.plugin import methods

    presets = {"sine-nerf": methods.sine_nerf, "sine-nerf-small": methods.sine_nerf_small}
    config = deepcopy(presets[name].config)
    config.data = config.pipeline.datamanager.data = config.pipeline.datamanager.dataparser.data = scene
    config.pipeline.datamanager.dataparser.downscale_factor = None
    config.pipeline.datamanager.train_num_rays_per_batch = 64
    config.machine.device_type = "cpu"
    config.max_num_iterations, config.vis, config.output_dir = steps, "tensorboard", output
    config.load_dir = load_dir
    config.logging.local_writer.enable = False
    config.optimizers["fields"]["scheduler"].warmup_steps = 0
    config.steps_per_eval_image = config.steps_per_eval_batch = 10**9
    for setting, value in {**TINY[name], **model}.items():
        setattr(config.pipeline.model, setting, value)
    config.set_timestamp()
    return config


def set_up(config):
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    return trainer


def make_trainer(*arguments, **settings):
    """The trainer of a `tiny_config`, set up."""
    return set_up(tiny_config(*arguments, **settings))


def budgeted_training(method, options, scene, folder, steps):
    """A training of one of nerfstudio's methods within a number of steps, with a checkpoint in a folder."""
    from sinenerf.plugin.budgeted_training import TimedTraining
    from sinenerf.plugin.nerfstudio_methods import build, configure

    config = configure(method, scene, folder, options, {"downscale_factor": 1})
    return TimedTraining(
        build(config), max_seconds=None, max_steps=steps, checkpoint=folder / "checkpoint.pt", look_stride=6
    )


def contents(folder):
    """Bytes of a run's config.yml and checkpoints, by path."""
    return {path: path.read_bytes() for path in (folder / "config.yml", *folder.rglob("step-*"))}


@pytest.fixture(autouse=True)
def writers_end_with_their_test():
    """nerfstudio never ends the writers of a run's events: every later run in this process would go on writing into
    the folders of earlier tests, which may be gone."""
    yield
    if writer := sys.modules.get("nerfstudio.utils.writer"):
        writer.EVENT_WRITERS.clear()


@pytest.fixture(scope="session")
def trained(scene, tmp_path_factory):
    """The config.yml of a tiny run of 150 steps."""
    pytest.importorskip("nerfstudio", reason="needs nerfstudio")
    folder = shared_folder(tmp_path_factory, "trained", lambda folder: run_command(*train_command(scene, folder)))
    return next(folder.rglob("config.yml"))


@pytest.fixture(params=TINY)
def trainer(request, scene, tmp_path):
    return make_trainer(request.param, scene, tmp_path)


@pytest.fixture
def small(scene, tmp_path):
    return make_trainer("sine-nerf-small", scene, tmp_path)
