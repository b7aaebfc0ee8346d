"""What the command `sinenerf compress` does with a run: it is trained on with quantisation; a kill loses little."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sinenerf.common import checkpoint
from sinenerf.common.checks import file_size, training_budget
from sinenerf.common.console import interruptible, say
from sinenerf.common.files import check_folder
from sinenerf.common.optimization import warm_cosine
from sinenerf.plugin.run_to_field import field_of
from sinenerf.plugin.runs import open_run
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import file_length, overhead
from sinenerf.rounding.by_learned_steps import LearnedStepRounding

LEARNING_RATE = 3e-4
"""Of Adam. A run that SOAP has trained loses 0.2 dB of a fern with 6e-3, and gains as much with this."""
SAVE_EVERY = 5.0
"""Seconds of training between checkpoints."""


def compress_run(
    run: Path,
    output: Path,
    bits: float | None = None,
    bytes: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> RadianceField:
    """Write a run as a .sine file. Open only runs of your own: nerfstudio's config.yml can execute code.

    A run that was trained with quantisation is written as it is, unless bits or bytes are given. Else it is trained on
    with its photographs while its numbers are rounded: to the size that its settings name, where it stopped before it
    rounded, else to 8 bits a parameter; with 32 bits it stays in float32. Beside the output a checkpoint is kept
    meanwhile, and found again by the same call.

    Raises:
        FileNotFoundError: no run there, or no folder for the output.
        ValueError: the run is of another method or too large for a file, or a budget that is too small or none.
    """
    check_folder(output)
    limits = training_budget(minutes, steps, default_minutes=1.0)
    file_size(1, bits, bytes)  # bad settings are refused before any work
    pipeline = open_run(run)
    model = pipeline.model
    if bits is None and bytes is None:
        if model.quantiser is not None and model.quantiser.active:
            return _written(pipeline, output)
        bits, bytes = model.config.bits, model.config.bytes
    if model.quantiser is not None:
        model.quantiser.remove()
        model.quantiser = None
    model.field.check_writable()
    size = file_size(model.field.parameters_count, bits, bytes, default_bits=8.0)
    if size is None:
        return _written(pipeline, output)
    fingerprint = _fingerprint(model.field, [size, minutes, steps, seed])
    _round_from_now_on(model, size)
    tuning = FineTuning(
        pipeline, *limits, seed, checkpoint.path_for(output), fingerprint, keeps_existing=output.exists()
    )
    complete = tuning.run()
    field = field_of(pipeline)
    field.complete = complete
    checkpoint.save_finished(field, output, tuning.keeps_existing, say)
    return field


def _written(pipeline: Any, output: Path) -> RadianceField:
    """A run's field as it is, in a file."""
    field = field_of(pipeline)
    field.save(output)
    return field


def _round_from_now_on(model: Any, size: int) -> None:
    """Give a model what rounds its numbers to a file of so many bytes."""
    try:
        model.quantiser = LearnedStepRounding(model.field, size, file_length, overhead(model.field.config), begin=0.0)
    except ValueError as error:
        raise ValueError(f"{size} bytes: {error}") from None
    model.quantiser.start()


def _fingerprint(field: RadianceField, settings: list[Any]) -> str:
    """What must agree for a checkpoint to be gone on with."""
    digest = hashlib.sha256(repr(settings).encode())
    for values in field.parameters():
        digest.update(values.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


@dataclass
class FineTuning:
    """Training a run on with its numbers rounded, within a budget of seconds or steps."""

    pipeline: Any
    max_seconds: float
    max_steps: int
    seed: int
    kept: Path
    """The checkpoint."""
    fingerprint: str
    keeps_existing: bool
    """The output was there before: only a training that has ended replaces it."""
    step: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.quantiser: LearnedStepRounding = self.pipeline.model.quantiser
        self.optimizer = torch.optim.Adam(self.quantiser.parameter_groups(), lr=LEARNING_RATE, eps=1e-8)

    @property
    def done_fraction(self) -> float:
        """How much of the budget is spent, from 0."""
        return max(self.step / self.max_steps, self.seconds / self.max_seconds)

    def run(self) -> bool:
        """Train on until the budget is spent. False after Ctrl-C: the numbers are as far as they got."""
        self._resume()
        torch.manual_seed(self.seed + self.step)
        np.random.seed(self.seed + self.step)
        self.pipeline.train()
        columns = (TextColumn("Rounding"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        due = self.seconds + SAVE_EVERY
        with interruptible() as stop, Progress(*columns) as progress:
            task = progress.add_task("", total=1.0)
            while self.done_fraction < 1 and not stop.wanted:
                begin = time.monotonic()
                self._train_step()
                self.seconds += time.monotonic() - begin
                size = f"{(self.quantiser.last_rate - self.quantiser.order_saving) / 8:,.0f} bytes of numbers"
                progress.update(task, completed=self.done_fraction, description=size)
                if self.seconds > due or stop.wanted:
                    self._save()
                    due = self.seconds + SAVE_EVERY
        self.pipeline.eval()
        return self.done_fraction >= 1

    def _train_step(self) -> None:
        done = self.done_fraction
        for group in self.optimizer.param_groups:
            group["lr"] = warm_cosine(done) * (1e-2 if "scale" in group else LEARNING_RATE)
        self.quantiser.before_step(done)
        _, losses, _ = self.pipeline.get_train_loss_dict(self.step)
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        self.optimizer.step()
        self.quantiser.after_step()
        self.step += 1

    def _save(self) -> None:
        state = {
            "fingerprint": self.fingerprint,
            "keeps_existing": self.keeps_existing,
            "step": self.step,
            "seconds": self.seconds,
            "rounding": self.quantiser.state(),
            "field": self.pipeline.model.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(self.kept, state)

    def _resume(self) -> None:
        state = checkpoint.read(self.kept, say, self.fingerprint)
        if state is None:
            return
        self.pipeline.model.field.load_state_dict(state["field"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.quantiser.load_state(state["rounding"])
        self.step, self.seconds, self.keeps_existing = (
            state["step"],
            state["seconds"],
            state["keeps_existing"],
        )
        say(f"going on from step {self.step}")
