"""Training of the demo: as many steps as fit into its minutes, with a progress bar, as a run that ns-viewer opens."""

import time
from copy import deepcopy
from pathlib import Path

from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sinenerf.plugin.edge import silence
from sinenerf.plugin.methods import sine_nerf_small
from sinenerf.plugin.nerfstudio_methods import build, place_output
from sinenerf.plugin.trainer import SineTrainer

WARM_UP, TIMED = 5, 25
"""Steps before the machine's speed is measured, and steps that measure it."""


def make_trainer(scene: Path, output: Path, steps: int) -> SineTrainer:
    """A trainer of sine-nerf-small for a scene, which resumes a run in the same folder if there is one.

    Args:
        scene: LLFF folder.
        output: the run goes to output / name of the scene / sine-nerf-small / run.
        steps: total number of training steps.

    Raises:
        ValueError: the scene cannot be trained on.
    """
    config = deepcopy(sine_nerf_small.config)
    config.data = config.pipeline.datamanager.data = config.pipeline.datamanager.dataparser.data = scene
    config.pipeline.datamanager.dataparser.downscale_factor = None if not (scene / "images_8").is_dir() else 8
    config.max_num_iterations = steps
    place_output(config, output, scene)
    checkpoints = config.get_checkpoint_dir()
    if any(checkpoints.glob("step-*.ckpt")):
        config.load_dir = checkpoints
    with silence():
        config.save_config()
    return build(config, config.machine.seed)


def plan_steps(trainer: SineTrainer, steps: int, minutes: float) -> int:
    """The steps asked for, or those that fit into the minutes at the speed of this machine.

    The steps that measure the speed train the model too, but are not counted.
    """
    with silence():
        for step in range(WARM_UP):
            trainer.train_iteration(step)
        start = time.monotonic()
        for step in range(TIMED):
            trainer.train_iteration(step)
    fit = int(60 * minutes * TIMED / (time.monotonic() - start))
    return max(1, min(steps, fit))


def train(trainer: SineTrainer, steps: int, console: Console | None = None) -> float:
    """Run the trainer's own loop up to step `steps`, with a progress bar on a console. Returns the seconds it took."""
    if trainer._start_step >= steps:  # the earlier run was interrupted after its training
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
        with silence():
            trainer.train()
        return time.monotonic() - start
