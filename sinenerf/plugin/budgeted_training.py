"""Training within a budget of seconds or steps, with looks at the held-out views and checkpoints."""

import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sinenerf.common import checkpoint
from sinenerf.common.console import interruptible, say
from sinenerf.plugin.scoring import model_renderer, score_held_out

SAVE_EVERY, SAVE_SHARE = 5.0, 0.02
"""Seconds of training between checkpoints: at least so many, and so many more that saving takes at most this share."""
LOOKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Shares of the budget after which the held-out views are looked at; those at the end are scored anyway."""


@dataclass
class TimedTraining:
    """A training within a budget of seconds or steps; both, where both are given."""

    trainer: Any
    max_seconds: float | None
    max_steps: int | None
    checkpoint: Path | None = None
    """Kept up to date while training, and gone on from."""
    fingerprint: str | None = None
    """Of the photographs: a checkpoint of others is not gone on from."""
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
            "fingerprint": self.fingerprint,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "rounding": None if quantiser is None else quantiser.state(),
            "pipeline": trainer.pipeline.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in trainer.optimizers.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in trainer.optimizers.schedulers.items()},
            "scaler": trainer.grad_scaler.state_dict(),
        }
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.save(self.checkpoint, _plain(state))

    def _resume(self) -> None:
        """Go on from the checkpoint, if there is one that can be read."""
        state = None if self.checkpoint is None else checkpoint.read(self.checkpoint, say, self.fingerprint)
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
        if (quantiser := getattr(trainer.pipeline.model, "quantiser", None)) is not None:
            quantiser.load_state(state["rounding"])


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
