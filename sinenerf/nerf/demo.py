"""The first thing a newcomer sees: one scene trained, scored and rendered."""

import json
import shutil
import time
import warnings
from contextlib import redirect_stdout
from copy import deepcopy
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sinenerf.files import replacing
from sinenerf.nerf.configs import sine_nerf_small
from sinenerf.nerf.flythrough import cameras_of, film
from sinenerf.nerf.pack import capture_of_run
from sinenerf.nerf.trainer import SineTrainer
from sinenerf.networks import count_parameters

CONSOLE = Console()
FILM_WIDTH = 252  # pixels: renders in a fraction of a second
WARM_UP, TIMED = 5, 25  # steps that measure the machine's speed


def run_demo(scene: Path | None, output: Path, steps: int, minutes: float, frames: int) -> dict:
    """Train, score, render; see `sinenerf demo`. Returns what result.json holds."""
    warnings.filterwarnings("ignore")
    if scene is None:
        from sinenerf.scenes.generate import generate_scene

        CONSOLE.print("Scene: generating photographs in data/demo")
        scene = generate_scene(Path("data/demo"))
    name = scene.resolve().name
    target = output / name
    trainer = make_trainer(scene, output, steps)
    resumed = trainer._start_step
    planned = plan_steps(trainer, steps, minutes)
    CONSOLE.print(f"Training: {planned} steps on {trainer.device}" + (f", from step {resumed}" if resumed else ""))
    seconds = train(trainer, planned)

    CONSOLE.print("Scoring the held-out views")
    result = {"scene": str(scene), **score(trainer.pipeline, target / "truth_and_prediction.png")}
    result |= {"steps": planned, "train_seconds": round(seconds, 1), "device": str(trainer.device)}
    capture = capture_of_run(trainer.pipeline)
    views = [view.resized(min(1.0, FILM_WIDTH / view.width)) for view in capture.spiral(frames)]
    film(trainer.pipeline.model.eval(), cameras_of(views), target / "flythrough.mp4")
    with replacing(target / "result.json") as partial:
        partial.write_text(json.dumps(result, indent=2))
    show(result, target)
    return result


def make_trainer(scene: Path, output: Path, steps: int) -> SineTrainer:
    """A trainer for the scene, going on from an unfinished run in the same folder if there is one."""
    config = deepcopy(sine_nerf_small.config)
    config.data = config.pipeline.datamanager.data = config.pipeline.datamanager.dataparser.data = scene
    config.pipeline.datamanager.dataparser.downscale_factor = None if not (scene / "images_8").is_dir() else 8
    config.max_num_iterations = steps
    config.vis = "tensorboard"
    config.logging.local_writer.enable = False
    config.output_dir, config.experiment_name, config.timestamp = output, scene.resolve().name, "run"
    checkpoints = config.get_checkpoint_dir()
    if (output / config.experiment_name / "result.json").exists():
        shutil.rmtree(config.get_base_dir(), ignore_errors=True)
        (output / config.experiment_name / "result.json").unlink()
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


def train(trainer: SineTrainer, steps: int) -> float:
    """Run the trainer's own loop, up to so many steps in all, under a progress bar. Returns seconds."""
    if trainer._start_step >= steps:  # all that an interrupted run still lacked was the rendering
        return 0.0
    trainer.config.max_num_iterations = steps - trainer._start_step
    trainer.config.optimizers["fields"]["scheduler"].max_steps = steps
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=CONSOLE) as progress:
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


@torch.no_grad()
def score(pipeline, picture: Path) -> dict:
    """Mean metrics over the held-out views, and a picture: truth, prediction and depth of each."""
    from PIL import Image

    pipeline.eval()
    rows, metrics = [], []
    for camera, batch in pipeline.datamanager.fixed_indices_eval_dataloader:
        outputs = pipeline.model.get_outputs_for_camera(camera)
        values, images = pipeline.model.get_image_metrics_and_images(outputs, batch)
        metrics.append(values)
        rows.append(torch.cat([images["img"], images["depth"]], dim=1).cpu().numpy())
    with replacing(picture) as partial:
        Image.fromarray((np.concatenate(rows) * 255).round().astype(np.uint8)).save(partial)
    mean = {name: round(float(np.mean([m[name] for m in metrics])), 4) for name in metrics[0]}
    return {**mean, "held_out_views": len(rows), "parameters": count_parameters(pipeline.model)}


def show(result: dict, target: Path) -> None:
    table = Table(show_header=False, title=f"sine-nerf-small on {result['scene']}")
    table.add_row("held-out PSNR", f"{result['psnr']:.2f} dB")
    table.add_row("held-out SSIM", f"{result['ssim']:.3f}")
    table.add_row("parameters", f"{result['parameters']:,}")
    table.add_row("training", f"{result['train_seconds']:.0f} s, {result['steps']} steps on {result['device']}")
    table.add_row("truth | prediction | depth", str(target / "truth_and_prediction.png"))
    table.add_row("fly-through", str(target / "flythrough.mp4"))
    CONSOLE.print(table)
    CONSOLE.print(f"Fly through it yourself: ns-viewer --load-config {target}/sine-nerf-small/run/config.yml")
