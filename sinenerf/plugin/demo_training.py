"""The demo's training: as many steps as fit into its minutes, with a bar."""

import time
from contextlib import redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sinenerf.plugin.methods import sine_nerf_small
from sinenerf.plugin.trainer import SineTrainer

WARM_UP, TIMED = 5, 25  # steps that measure the machine's speed


def make_trainer(scene: Path, output: Path, steps: int) -> SineTrainer:
    """A trainer of sine-nerf-small for a scene, going on from a run in the same folder if there is one.

    Args:
        scene: LLFF folder.
        output: the run goes to output / name of the scene / sine-nerf-small / run.
    """
    config = deepcopy(sine_nerf_small.config)
    config.data = config.pipeline.datamanager.data = config.pipeline.datamanager.dataparser.data = scene
    config.pipeline.datamanager.dataparser.downscale_factor = None if not (scene / "images_8").is_dir() else 8
    config.max_num_iterations = steps
    config.vis = "none"  # no server, and no event files, whose thread outlives the run
    config.logging.local_writer.enable = False
    config.output_dir, config.experiment_name, config.timestamp = output, scene.resolve().name, "run"
    checkpoints = config.get_checkpoint_dir()
    if any(checkpoints.glob("step-*.ckpt")):
        config.load_dir = checkpoints
    torch.manual_seed(config.machine.seed)
    np.random.seed(config.machine.seed)
    with redirect_stdout(StringIO()):
        config.save_config()
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup("test")
    return trainer


def plan_steps(trainer: SineTrainer, steps: int, minutes: float) -> int:
    """The steps asked for, or those that fit into the minutes at the speed of this machine."""
    for step in range(WARM_UP):
        trainer.train_iteration(step)
    start = time.monotonic()
    for step in range(TIMED):
        trainer.train_iteration(step)
    fit = int(60 * minutes * TIMED / (time.monotonic() - start))
    return max(1, min(steps, fit))


def train(trainer: SineTrainer, steps: int, console: Console | None = None) -> float:
    """Run the trainer's own loop, up to so many steps in all, with a progress bar on a console. Returns seconds."""
    if trainer._start_step >= steps:  # all that an interrupted run still lacked was the rendering
        return 0.0
    trainer.config.max_num_iterations = steps - trainer._start_step
    for group in trainer.config.optimizers.values():
        group["scheduler"].max_steps = steps
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, disable=console is None) as progress:
        task = progress.add_task("Training", total=steps, completed=trainer._start_step)

        def advance(step: int) -> None:
            progress.update(task, completed=step + 1)
            if step % 50 == 0:
                progress.update(task, description=f"Training, {float(trainer.latest_psnr):.1f} dB on the batch")

        trainer.callbacks.append(TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN_ITERATION], advance))
        start = time.monotonic()
        with redirect_stdout(StringIO()):
            trainer.train()
        return time.monotonic() - start
