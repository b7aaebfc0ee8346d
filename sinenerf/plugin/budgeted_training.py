"""Training within a budget of seconds or steps, with checkpoints: the loop, and its use with nerfstudio's trainers."""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sinenerf.common import checkpoint
from sinenerf.common.console import interruptible, say
from sinenerf.common.settings import Clock
from sinenerf.common.training_clock import training_time
from sinenerf.plugin.edge import seed_generators, silence
from sinenerf.plugin.scoring import model_renderer, score_held_out
from sinenerf.radiance.evaluate import mean_metrics

SAVE_EVERY, SAVE_SHARE = 5.0, 0.02
"""Seconds of training between checkpoints: at least SAVE_EVERY, and enough that saving takes at most SAVE_SHARE."""
LOOKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the budget after which the held-out views are scored; the caller scores them at the end."""


@dataclass(kw_only=True)
class BudgetedTraining(ABC):
    """A loop of training steps that ends with its budget, and survives Ctrl-C and kill -9."""

    max_seconds: float | None
    max_steps: int | None
    """Whichever of the two budgets is spent first ends the training; at least one is given."""
    clock: Clock = "wall"
    """What max_seconds are counted in."""
    checkpoint: Path | None = None
    """File that is updated during training, and that training resumes from."""
    fingerprint: str | None = None
    """Hash of input and settings; a checkpoint with another fingerprint is ignored."""
    seed: int = 0
    """Of the random numbers, together with the step from which training goes on."""
    show: bool = False
    """Print on standard error from which step the training resumes; subclasses show their progress, too."""
    step: int = 0
    """Steps made so far."""
    seconds: float = 0.0
    """Time spent in training steps alone, without the compilation of their kernels."""

    @property
    def done_fraction(self) -> float:
        """Share of the budget that is spent, from 0 to 1."""
        steps = self.step / self.max_steps if self.max_steps else 0.0
        return min(1.0, max(steps, self.seconds / self.max_seconds if self.max_seconds else 0.0))

    def run(self) -> bool:
        """Train until the budget is spent. Returns False after Ctrl-C: the same call then resumes the training.

        Raises:
            RuntimeError: the loss is not finite.
        """
        self.resume()
        seed_generators(self.seed + self.step)
        due = self.seconds + SAVE_EVERY
        with interruptible() as stop:
            while self.done_fraction < 1 and not stop.wanted:
                begin, before = training_time(self.clock), self.done_fraction
                self._train_step()
                self.step += 1
                self.seconds += training_time(self.clock) - begin
                self._report(before)
                if self.checkpoint is not None and (self.seconds > due or stop.wanted):
                    begin = time.monotonic()
                    self._save(self.checkpoint)
                    due = self.seconds + max(SAVE_EVERY, (time.monotonic() - begin) / SAVE_SHARE)
        return self.done_fraction >= 1

    def resume(self) -> bool:
        """Load the checkpoint. Returns False if it does not exist, cannot be read, or has another fingerprint."""
        state = None if self.checkpoint is None else checkpoint.load(self.checkpoint, say, self.fingerprint)
        if state is None:
            return False
        self.step, self.seconds = state["step"], state["seconds"]
        self._load_state(state)
        if self.show:
            say(f"resuming from step {self.step}")
        return True

    def _save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        progress = {"fingerprint": self.fingerprint, "step": self.step, "seconds": self.seconds}
        checkpoint.save(path, {**progress, **self._state()})

    @abstractmethod
    def _train_step(self) -> None:
        """Train step number `self.step`."""

    @abstractmethod
    def _report(self, before: float) -> None:
        """Called after each step with the `done_fraction` before it; its time is not counted."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """The contents of a checkpoint besides the progress: tensors and plain values."""

    @abstractmethod
    def _load_state(self, state: dict[str, Any]) -> None:
        """Restore what `_state` returned."""


@dataclass
class TimedTraining(BudgetedTraining):
    """Budgeted training of any nerfstudio method, ours included, that scores the held-out views along the way."""

    trainer: Any
    look_stride: int = 8
    """Stride, in pixels across and down, of the pixels that are scored during training."""
    history: list[dict[str, float]] = field(default_factory=list)
    """{step, seconds, psnr} of each score."""

    def run(self) -> bool:
        with silence():
            return super().run()

    def _train_step(self) -> None:
        from nerfstudio.engine.callbacks import TrainingCallbackLocation as When

        if self.step in (0, 5, 20) or self.step % 50 == 0:
            self._schedule()
        self.trainer.step = self.step
        self.trainer.pipeline.train()
        for callback in self.trainer.callbacks:
            callback.run_callback_at_location(self.step, When.BEFORE_TRAIN_ITERATION)
        self.trainer.train_iteration(self.step)
        for callback in self.trainer.callbacks:
            callback.run_callback_at_location(self.step, When.AFTER_TRAIN_ITERATION)

    def _schedule(self) -> None:
        """Schedule the learning rates and the start of rounding by the number of steps expected to fit the budget."""
        expected = max(self.step + 1, round(self.step / self.done_fraction)) if self.step else self.max_steps or 10**9
        self.trainer.config.max_num_iterations = expected
        for group in self.trainer.config.optimizers.values():
            if group["scheduler"] is not None:
                group["scheduler"].max_steps = expected

    def _report(self, before: float) -> None:
        if not any(before < share <= self.done_fraction for share in LOOKS):
            return
        scores = score_held_out(self.trainer.pipeline, model_renderer(self.trainer.pipeline), self.look_stride)
        psnr = round(mean_metrics([score.metrics for score in scores])["psnr"], 3)
        self.history.append({"step": self.step, "seconds": round(self.seconds, 2), "psnr": psnr})

    def _state(self) -> dict[str, Any]:
        trainer, quantiser = self.trainer, getattr(self.trainer.pipeline.model, "quantiser", None)
        state = {
            "history": self.history,
            "rounding": None if quantiser is None else quantiser.state(),
            "pipeline": trainer.pipeline.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in trainer.optimizers.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in trainer.optimizers.schedulers.items()},
            "scaler": trainer.grad_scaler.state_dict(),
        }
        return _without_numpy(state)

    def _load_state(self, state: dict[str, Any]) -> None:
        trainer = self.trainer
        self.history = state["history"]
        trainer.pipeline.load_pipeline(state["pipeline"], self.step - 1)
        _rebuild_optimizers(trainer)  # loading may have replaced TensoRF's grids by larger ones
        for name, optimizer in trainer.optimizers.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, scheduler in trainer.optimizers.schedulers.items():
            scheduler.load_state_dict(state["schedulers"][name])
        trainer.grad_scaler.load_state_dict(state["scaler"])
        if (quantiser := getattr(trainer.pipeline.model, "quantiser", None)) is not None:
            quantiser.load_state(state["rounding"])
        self._schedule()


def _rebuild_optimizers(trainer: Any) -> None:
    from nerfstudio.engine.callbacks import TrainingCallbackAttributes

    trainer.optimizers = trainer.setup_optimizers()
    trainer.callbacks = trainer.pipeline.get_training_callbacks(
        TrainingCallbackAttributes(trainer.optimizers, trainer.grad_scaler, trainer.pipeline, trainer)
    )


def _without_numpy(value: Any) -> Any:
    """Replace numpy scalars, which nerfstudio's schedules contain and torch.load(weights_only) refuses, by Python's."""
    if isinstance(value, dict):
        return {name: _without_numpy(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_without_numpy(part) for part in value)
    return value.item() if isinstance(value, np.generic) else value
