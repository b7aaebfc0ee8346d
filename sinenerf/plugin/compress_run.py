"""`sinenerf compress` for a run: fine-tuning with quantisation, within a budget."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sinenerf.codec.container import SUFFIX
from sinenerf.common import checkpoint
from sinenerf.common.checks import file_size, training_budget
from sinenerf.common.console import say
from sinenerf.common.files import check_output
from sinenerf.common.optimization import warm_cosine
from sinenerf.common.progress import TaskProgress
from sinenerf.plugin.budgeted_training import BudgetedTraining
from sinenerf.plugin.edge import seed_generators
from sinenerf.plugin.runs import field_of, open_run
from sinenerf.radiance.compiled_networks import passes_alone
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import file_length, overhead
from sinenerf.rounding.by_learned_steps import LearnedStepRounding

LEARNING_RATE = 3e-4
"""Adam's, for the field. A run on LLFF's fern trained with SOAP loses 0.2 dB with 6e-3, and gains as much with this."""
CODEC_LEARNING_RATE = 1e-2
"""Adam's, for step sizes and entropy models, which are logarithms."""


def compress_run(
    run: Path,
    output: Path,
    bits: float | None = None,
    bytes: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> RadianceField:
    """Write a run as a .sine file. Open only runs of your own: nerfstudio's config.yml can execute code.

    A run that was trained with quantisation is written unchanged, unless bits or bytes are given. Any other run is
    fine-tuned on its photographs while its parameters are rounded: to the size in its settings if it stopped before
    rounding began, else to 8 bits per parameter. With 32 bits it stays in float32. A checkpoint beside the output is
    updated during fine-tuning; after an interruption the same call resumes from it.

    Args:
        output: .sine file to write.
        bits: size of the file in bits per parameter.
        bytes: size of the file in bytes instead.
        minutes: fine-tune for this long; 1 minute if no steps are given.
        steps: fine-tune for this many steps instead.
        progress: show how far the fine-tuning is.

    Returns:
        the field in the file; its `complete` is False after Ctrl-C.

    Raises:
        FileNotFoundError: the run or the folder of the output does not exist.
        ValueError: the run is of another method or too large for a file, or the size or budget is invalid.
    """
    check_output(output, SUFFIX)
    limits = training_budget(minutes, steps, default_minutes=1.0)
    file_size(1, bits, bytes)  # refuse invalid settings before any work
    seed_generators(seed)  # before the photographs are shuffled
    pipeline = open_run(run)
    model = pipeline.model
    if bits is None and bytes is None:
        if model.quantiser is not None and model.quantiser.active:
            _refuse_budget(run, minutes, steps, "is rounded, and written as it is without --bits or --bytes")
            return _write(pipeline, output)
        bits, bytes = model.config.bits, model.config.bytes
    if model.quantiser is not None:
        model.quantiser.remove()
        model.quantiser = None
    model.field.check_writable()
    size = file_size(model.field.parameters_count, bits, bytes, default_bits=8.0)
    if size is None:
        _refuse_budget(run, minutes, steps, "is written as it is with 32 bits")
        return _write(pipeline, output)
    fingerprint = _fingerprint(model.field, [size, minutes, steps, seed])
    _start_rounding(model, size)
    max_seconds, max_steps = limits
    tuning = FineTuning(
        pipeline,
        max_seconds=max_seconds,
        max_steps=max_steps,
        checkpoint=checkpoint.path_for(output),
        fingerprint=fingerprint,
        seed=seed,
        show=progress,
        keeps_existing=output.exists(),
    )
    complete = tuning.run()
    field = field_of(pipeline)
    field.complete = complete
    written = checkpoint.save_result(field, output, tuning.keeps_existing)
    if progress and not complete:
        say(checkpoint.interruption_message(output, written))
    return field


def _refuse_budget(run: Path, minutes: float | None, steps: int | None, reason: str) -> None:
    if minutes is not None or steps is not None:
        raise ValueError(f"{run}: {reason}: leave --minutes and --steps out")


def _write(pipeline: Any, output: Path) -> RadianceField:
    """Write a run's field in its current state."""
    field = field_of(pipeline)
    field.save(output)
    return field


def _start_rounding(model: Any, size: int) -> None:
    """Give a model a quantiser that rounds its parameters, starting immediately, to a file of `size` bytes."""
    try:
        model.quantiser = LearnedStepRounding(model.field, size, file_length, overhead(model.field.config), begin=0.0)
    except ValueError as error:
        raise ValueError(f"{size} bytes: {error}") from None
    model.quantiser.start()


def _fingerprint(field: RadianceField, settings: list[Any]) -> str:
    """Hash of everything that must agree for a checkpoint to be resumed from."""
    digest = hashlib.sha256(repr(settings).encode())
    for values in field.parameters():
        digest.update(values.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


@dataclass
class FineTuning(BudgetedTraining):
    """Further training of a run while its parameters are rounded, with a progress bar."""

    pipeline: Any
    keeps_existing: bool
    """Whether the output existed before the training; it is then replaced only once the training has ended."""

    def __post_init__(self) -> None:
        self.quantiser: LearnedStepRounding = self.pipeline.model.quantiser
        self.optimizer = torch.optim.Adam(self.quantiser.parameter_groups(), lr=LEARNING_RATE, eps=1e-8)
        self.progress = TaskProgress("Rounding", self.show)

    def run(self) -> bool:
        self.pipeline.train()
        with self.progress:
            ended = super().run()
        self.pipeline.eval()
        return ended

    def _train_step(self) -> None:
        done = self.done_fraction
        for group in self.optimizer.param_groups:
            group["lr"] = warm_cosine(done) * (CODEC_LEARNING_RATE if "scale" in group else LEARNING_RATE)
        self.quantiser.before_step(done)
        with passes_alone(self.pipeline.model.field.compiled):
            _, losses, _ = self.pipeline.get_train_loss_dict(self.step)
            self.optimizer.zero_grad()
            sum(losses.values()).backward()
            self.optimizer.step()

    def _report(self, before: float) -> None:
        size = (self.quantiser.last_rate - self.quantiser.order_saving) / 8
        self.progress.update(self.done_fraction, f"{size:,.0f} bytes of parameters")

    def _state(self) -> dict[str, Any]:
        return {
            "keeps_existing": self.keeps_existing,
            "rounding": self.quantiser.state(),
            "field": self.pipeline.model.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        self.pipeline.model.field.load_state_dict(state["field"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.quantiser.load_state(state["rounding"])
        self.keeps_existing = state["keeps_existing"]
