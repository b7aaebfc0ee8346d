"""Training any of nerfstudio's methods within a budget and scoring it on the held-out views: ours and its rivals."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sinenerf import checkpoint
from sinenerf.nerf.guard import say
from sinenerf.stopping import interruptible

SAVE_EVERY, SAVE_SHARE = 5.0, 0.02
"""Seconds of training between checkpoints: at least so many, and so many more that saving takes at most this share."""
LOOKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the budget after which the held-out views are looked at; those at the end are scored anyway."""

Image = Float[np.ndarray, "height width 3"]


def configure(method: str, scene: Path, output: Path, options: dict[str, Any], parser: dict[str, Any]) -> Any:
    """A trainer's config from nerfstudio's registry, which reads an LLFF folder through `llff-data`.

    Args:
        options: what differs from the method's defaults, by dotted names, such as pipeline.model.implementation.
        parser: settings of `LLFFDataParserConfig`.

    Raises:
        ValueError: no such method or option.
    """
    warnings.simplefilter("ignore")  # nerfstudio's and its libraries' own, on import and later
    from nerfstudio.configs.method_configs import all_methods
    from nerfstudio.data.datamanagers.base_datamanager import VanillaDataManagerConfig

    from sinenerf.device import best_device
    from sinenerf.nerf.dataparser import LLFFDataParserConfig

    if method not in all_methods:
        raise ValueError(f"nerfstudio has no method {method!r}")
    config = deepcopy(all_methods[method])
    rays = config.pipeline.datamanager.train_num_rays_per_batch
    # one data manager for all: nerfacto's own starts processes, which two cores have no room for
    manager = VanillaDataManagerConfig(data=scene, dataparser=LLFFDataParserConfig(data=scene, **parser))
    manager.train_num_rays_per_batch = rays
    config.pipeline.datamanager, config.data = manager, scene
    config.machine.device_type = best_device()
    config.mixed_precision = config.mixed_precision and config.machine.device_type == "cuda"
    config.vis = "none"  # no server, and no event files, whose thread outlives the run
    config.logging.local_writer.enable = False
    config.output_dir, config.experiment_name, config.timestamp = output, scene.resolve().name, "run"
    for key, value in options.items():
        _set(config, method, key, value)
    return config


def _set(config: Any, method: str, key: str, value: Any) -> None:
    *path, last = key.split(".")
    target = config
    for name in path:
        target = target.get(name) if isinstance(target, dict) else getattr(target, name, None)
    if isinstance(target, dict):
        target[last] = value
    elif hasattr(target, last):
        setattr(target, last, value)
    else:
        raise ValueError(f"no option of {method} is called {key!r}")


def build(config: Any, seed: int = 0) -> Any:
    """The trainer of a config, with its data read."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    with redirect_stdout(StringIO()), _without_lpips():
        trainer = config.setup(local_rank=0, world_size=1)
        trainer.setup("test")
    return trainer


def largest_model(config: Any) -> Any:
    """A config's model as large as training can make it, TensoRF's grids at their last resolution, without numbers."""
    from nerfstudio.data.scene_box import SceneBox

    model = deepcopy(config.pipeline.model)
    if hasattr(model, "final_resolution"):
        model.init_resolution = model.final_resolution
    box = SceneBox(torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]))
    with redirect_stdout(StringIO()), _without_lpips(), torch.device("meta"):
        return model.setup(scene_box=box, num_train_data=1, metadata={})


@contextmanager
def _without_lpips() -> Iterator[None]:
    """nerfstudio's models fetch LPIPS weights when they are built; no score here needs them."""
    import torchmetrics.image.lpip as module

    theirs = module.LearnedPerceptualImagePatchSimilarity
    module.LearnedPerceptualImagePatchSimilarity = torch.nn.Identity  # type: ignore
    try:
        yield
    finally:
        module.LearnedPerceptualImagePatchSimilarity = theirs  # type: ignore


@dataclass
class Training:
    """A training within a budget of seconds or steps; both, where both are given."""

    trainer: Any
    max_seconds: float | None
    max_steps: int | None
    checkpoint: Path | None = None
    """Kept up to date while training, and gone on from."""
    look_stride: int = 8
    """Looks at the held-out views see every so many pixels, across and down."""
    seed: int = 0
    step: int = 0
    seconds: float = 0.0
    """Of training alone, without set-up, checkpoints and looks."""
    history: list[dict[str, float]] = field(default_factory=list)
    """{step, seconds, psnr} of each look."""

    @property
    def done_fraction(self) -> float:
        """How much of the budget is spent, from 0 to 1."""
        steps = self.step / self.max_steps if self.max_steps else 0.0
        return min(1.0, max(steps, self.seconds / self.max_seconds if self.max_seconds else 0.0))

    def run(self) -> bool:
        """Train on until the budget is spent. False after Ctrl-C: the same training then goes on where it stopped.

        Raises:
            RuntimeError: the loss is not finite.
        """
        self._resume()
        torch.manual_seed(self.seed + self.step)
        self._schedule()
        due = self.seconds + SAVE_EVERY
        with interruptible() as stop, redirect_stdout(StringIO()):
            while self.done_fraction < 1 and not stop.wanted:
                begin, before = time.monotonic(), self.done_fraction
                self._iterate()
                self.seconds += time.monotonic() - begin
                if self.step in (5, 20) or self.step % 50 == 0:
                    self._schedule()
                if any(before < share <= self.done_fraction for share in LOOKS):
                    self._look()
                if self.seconds > due or stop.wanted:
                    begin = time.monotonic()
                    self._save()
                    due = self.seconds + max(SAVE_EVERY, (time.monotonic() - begin) / SAVE_SHARE)
        return self.done_fraction >= 1

    def _iterate(self) -> None:
        from nerfstudio.engine.callbacks import TrainingCallbackLocation as When

        self.trainer.step = self.step
        self.trainer.pipeline.train()
        for callback in self.trainer.callbacks:
            callback.run_callback_at_location(self.step, When.BEFORE_TRAIN_ITERATION)
        self.trainer.train_iteration(self.step)
        for callback in self.trainer.callbacks:
            callback.run_callback_at_location(self.step, When.AFTER_TRAIN_ITERATION)
        self.step += 1

    def _schedule(self) -> None:
        """Learning rates fall, and rounding starts, by the steps that are expected to fit."""
        expected = max(self.step + 1, round(self.step / self.done_fraction)) if self.step else self.max_steps or 10**9
        self.trainer.config.max_num_iterations = expected
        for group in self.trainer.config.optimizers.values():
            if group["scheduler"] is not None:
                group["scheduler"].max_steps = expected

    def _look(self) -> None:
        score = score_held_out(self.trainer.pipeline, model_renderer(self.trainer.pipeline), self.look_stride)
        self.history.append(
            {"step": self.step, "seconds": round(self.seconds, 2), "psnr": round(score.metrics["psnr"], 3)}
        )

    def _save(self) -> None:
        """A checkpoint, whole or not at all."""
        if self.checkpoint is None:
            return
        trainer, quantiser = self.trainer, getattr(self.trainer.pipeline.model, "quantiser", None)
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "multiplier": None if quantiser is None else quantiser.log_multiplier,
            "pipeline": trainer.pipeline.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in trainer.optimizers.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in trainer.optimizers.schedulers.items()},
            "scaler": trainer.grad_scaler.state_dict(),
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.checkpoint, _plain(state))

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one that can be read."""
        state = None if self.checkpoint is None else checkpoint.read(self.checkpoint, say)
        if state is None:
            return
        trainer = self.trainer
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        trainer.pipeline.load_pipeline(state["pipeline"], self.step - 1)
        _rebuild_optimizers(trainer)  # TensoRF's grids have grown: they are other parameters now
        for name, optimizer in trainer.optimizers.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, scheduler in trainer.optimizers.schedulers.items():
            scheduler.load_state_dict(state["schedulers"][name])
        trainer.grad_scaler.load_state_dict(state["scaler"])
        if state["multiplier"] is not None:
            trainer.pipeline.model.quantiser.log_multiplier = state["multiplier"]


def _rebuild_optimizers(trainer: Any) -> None:
    from nerfstudio.engine.callbacks import TrainingCallbackAttributes

    trainer.optimizers = trainer.setup_optimizers()
    trainer.callbacks = trainer.pipeline.get_training_callbacks(
        TrainingCallbackAttributes(trainer.optimizers, trainer.grad_scaler, trainer.pipeline, trainer)
    )


def _plain(value: Any) -> Any:
    """Without numpy's numbers, which nerfstudio's schedules leave and `torch.load(weights_only=True)` refuses."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value


@dataclass
class Score:
    """How good the held-out views are."""

    metrics: dict[str, float]
    """Means of psnr, ssim and, where its weights are on disk, lpips; psnr alone where pixels were left out."""
    images: list[Image]
    truths: list[Image]


@torch.no_grad()
def score_held_out(pipeline: Any, render: Callable[[Any, int], Tensor], stride: int = 1) -> Score:
    """Render each held-out view, or every so many pixels of it across and down, and compare.

    Args:
        render: (camera, stride) to (height, width, 3) in [0, 1].
    """
    from sinenerf.nerf.metrics import image_metrics

    pipeline.eval()
    metrics, images, truths = [], [], []
    for camera, batch in pipeline.datamanager.fixed_indices_eval_dataloader:
        truth = batch["image"][::stride, ::stride, :3].float().cpu()
        image = render(camera, stride).cpu().clamp(0, 1)
        if stride == 1:
            metrics.append(image_metrics(image, truth))
        else:
            metrics.append({"psnr": float(-10 * torch.log10(torch.mean((image - truth) ** 2).clamp(min=1e-10)))})
        images.append(image.numpy())
        truths.append(truth.numpy())
    return Score({name: float(np.mean([m[name] for m in metrics])) for name in metrics[0]}, images, truths)


def model_renderer(pipeline: Any) -> Callable[[Any, int], Tensor]:
    """What a nerfstudio model shows."""

    def render(camera: Any, stride: int) -> Tensor:
        rays = camera.generate_rays(camera_indices=0, keep_shape=True)[::stride, ::stride]
        outputs = pipeline.model.get_outputs_for_camera_ray_bundle(rays.to(pipeline.device))
        return outputs["rgb"] if "rgb" in outputs else outputs["rgb_fine"]

    return render
