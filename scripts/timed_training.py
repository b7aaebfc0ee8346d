"""Train any nerfstudio method for so many seconds or steps and score it on the held-out views: for the benchmarks."""

import time
import warnings
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import torch
import torchmetrics.image.lpip

from sinenerf.networks import count_parameters

warnings.filterwarnings("ignore")


@dataclass
class Outcome:
    """What a run reached."""

    steps: int
    seconds: float
    """Training alone, without set-up and evaluation."""
    parameters: int
    psnr: float
    ssim: float
    images: list[np.ndarray]
    """Rendered held-out views, (height, width, 3) in [0, 1]."""
    truths: list[np.ndarray]


def configure(method: str, data: Path, overrides: dict, scene_options: dict):
    """A trainer's config from nerfstudio's registry, reading through `llff-data`; dotted keys override fields."""
    from nerfstudio.configs.method_configs import all_methods
    from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig

    from sinenerf.nerf.dataparser import LLFFDataParserConfig

    # nerfstudio's models fetch LPIPS weights when they are built; no score here needs them
    torchmetrics.image.lpip.LearnedPerceptualImagePatchSimilarity = torch.nn.Identity
    config = deepcopy(all_methods[method])
    rays = config.pipeline.datamanager.train_num_rays_per_batch
    # one data manager for all: nerfacto's own starts processes, which two cores have no room for
    parser = LLFFDataParserConfig(data=data, **scene_options)
    config.pipeline.datamanager = VanillaDataManagerConfig(data=data, dataparser=parser)
    config.pipeline.datamanager.train_num_rays_per_batch = rays
    config.machine.device_type = "cuda" if torch.cuda.is_available() else "cpu"
    config.mixed_precision = config.machine.device_type == "cuda" and config.mixed_precision
    config.logging.local_writer.enable = False
    config.vis = "tensorboard"
    config.set_timestamp()
    config.output_dir = Path("/tmp/sinenerf-benchmarks")
    for key, value in overrides.items():
        *path, last = key.split(".")
        target = config
        for name in path:
            target = target[name] if isinstance(target, dict) else getattr(target, name)
        if isinstance(target, dict):
            target[last] = value
        else:
            setattr(target, last, value)
    return config


def train(config, seconds: float | None = None, steps: int | None = None, stride: int = 1, seed: int = 0) -> Outcome:
    """Train for so many seconds (the learning rates then fall over the steps that are expected to fit) or steps.

    With a stride, only every so many pixels of the held-out views, across and down, are rendered and scored.
    """
    torch.manual_seed(seed)
    np.random.seed(seed)
    with redirect_stdout(StringIO()):
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup("test")
    pipeline = trainer.pipeline
    schedules = [group["scheduler"] for group in config.optimizers.values() if group["scheduler"] is not None]
    total = steps or 10**9
    for schedule in schedules:
        schedule.max_steps = total
    start, step = time.monotonic(), 0
    while step < total and (seconds is None or time.monotonic() - start < seconds):
        pipeline.train()
        for callback in trainer.callbacks:
            callback.run_callback_at_location(step, callback.where_to_run[0]) if _before(callback) else None
        trainer.train_iteration(step)
        for callback in trainer.callbacks:
            callback.run_callback_at_location(step, callback.where_to_run[0]) if not _before(callback) else None
        step += 1
        elapsed = time.monotonic() - start
        if seconds is not None and (step == 5 or step % 50 == 0):
            for schedule in schedules:
                schedule.max_steps = max(step, int(step * seconds / elapsed))
    elapsed = time.monotonic() - start
    return score(pipeline, step, elapsed, stride)


def _before(callback) -> bool:
    return "BEFORE" in callback.where_to_run[0].name


@torch.no_grad()
def score(pipeline, steps: int, seconds: float, stride: int) -> Outcome:
    """Mean metrics over the held-out views."""
    from sinenerf.nerf.metrics import image_metrics

    pipeline.eval()
    metrics, images, truths = [], [], []
    for camera, batch in pipeline.datamanager.fixed_indices_eval_dataloader:
        rays = camera.generate_rays(camera_indices=0, keep_shape=True)[::stride, ::stride]
        outputs = pipeline.model.get_outputs_for_camera_ray_bundle(rays)
        image = outputs["rgb"] if "rgb" in outputs else outputs["rgb_fine"]
        truth = batch["image"][::stride, ::stride, :3].to(image.device)
        metrics.append(image_metrics(image, truth))
        images.append(image.cpu().numpy())
        truths.append(truth.cpu().numpy())
    mean = {key: float(np.mean([m[key] for m in metrics])) for key in metrics[0]}
    return Outcome(steps, seconds, count_parameters(pipeline.model), mean["psnr"], mean["ssim"], images, truths)
