"""From a nerfstudio run to a .sine file: what is kept, and training on with quantisation within a budget."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sinenerf.codec.container import RADIANCE, pack
from sinenerf.codec.quantise import Quantiser, file_size
from sinenerf.files import check_folder
from sinenerf.nerf.file import header_of, overhead
from sinenerf.nerf.radiance import RadianceField
from sinenerf.nerf.runs import open_run
from sinenerf.nerf.views import Capture, View, capture_of
from sinenerf.nerf.warp import NDC
from sinenerf.occupancy.progress import interruptible

LEARNING_RATE = 1e-3
"""Of fine-tuning; half of the small preset's."""


def capture_of_run(pipeline: Any) -> Capture:
    """What a file keeps of the training photographs' cameras."""
    parsed = pipeline.datamanager.train_dataparser_outputs
    cameras = pipeline.datamanager.train_dataset.cameras
    poses = cameras.camera_to_worlds.cpu().double().numpy()
    fx, fy, cx, cy = (float(getattr(cameras, name)[0]) for name in ("fx", "fy", "cx", "cy"))
    view = View(poses[0], fx, fy, cx, cy, int(cameras.width[0]), int(cameras.height[0]))
    motion = parsed.dataparser_transform.double().numpy()
    return capture_of(poses, view, motion, float(parsed.dataparser_scale), isinstance(pipeline.model.warp, NDC))


def field_of(pipeline: Any) -> RadianceField:
    """The field of a run, on the CPU: rounded to its file where it was trained with quantisation."""
    model = pipeline.model
    trained, quantiser = model.field, model.quantiser
    field = RadianceField(trained.config, trained.warp, trained.far, capture_of_run(pipeline))
    field.precision = trained.precision
    if quantiser is None or not quantiser.active:
        values = {name: p.detach().cpu() for name, p in zip(field.config.tensors(), _values(model), strict=True)}
    else:
        size = file_size(field.parameters_count, model.config.bits, model.config.bytes)
        assert size is not None
        field.coded = _within(field, quantiser, size)
        values = {name: torch.from_numpy(coded.values()) for name, coded in field.coded.items()}
    with torch.no_grad():
        for name, parameter in field.named_parameters():
            parameter.copy_(values[name])
    return field.eval()


def _values(model: Any) -> list[torch.nn.Parameter]:
    return model.get_param_groups()["fields"]


def _within(field: RadianceField, quantiser: Quantiser, size: int) -> dict:
    assert field.capture is not None
    header = header_of(field.config, field.warp, field.far, field.capture)
    return quantiser.within(size, lambda tensors: pack(RADIANCE, header, tensors))


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
    with its photographs while its numbers are rounded, 8 bits a parameter by default; with 32 bits it stays in float32.

    Raises:
        FileNotFoundError: no run there, or no folder for the output.
        ValueError: the run is of another method, or a budget that is too small.
    """
    check_folder(output)
    pipeline = open_run(run)
    model = pipeline.model
    if model.quantiser is not None and model.quantiser.active and bits is None and bytes is None:
        field = field_of(pipeline)
        field.save(output)
        return field
    if model.quantiser is not None:
        model.quantiser.finish()
        model.quantiser = None
    size = file_size(model.field.parameters_count, 8.0 if bits is None and bytes is None else bits, bytes)
    complete = True
    if size is not None:
        budget = 8 * (size - overhead(model.field.config))
        try:
            model.quantiser = Quantiser(model.field, budget)
        except ValueError as error:
            raise ValueError(f"{size} bytes: {error}") from None
        model.config.bits, model.config.bytes = None, size
        complete = fine_tune(pipeline, model.quantiser, minutes, steps, seed)
    field = field_of(pipeline)
    field.complete = complete
    field.save(output)
    return field


def fine_tune(pipeline: Any, quantiser: Quantiser, minutes: float | None, steps: int | None, seed: int) -> bool:
    """Train a run on with its numbers rounded. False after Ctrl-C: the numbers are as far as they got."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    pipeline.train()
    optimizer = torch.optim.Adam(quantiser.parameter_groups(), lr=LEARNING_RATE, eps=1e-8)
    columns = (TextColumn("Rounding"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    begin, step, done = time.monotonic(), 0, 0.0
    with interruptible() as stop, Progress(*columns) as progress:
        task = progress.add_task("", total=1.0)
        while done < 1 and not stop.wanted:
            rate = min(1.0, done / 0.02 + 0.01) * 0.5 * (1 + math.cos(math.pi * done))
            for group in optimizer.param_groups:
                group["lr"] = rate * (1e-2 if "scale" in group else LEARNING_RATE)
            quantiser.settle(done)
            _, losses, _ = pipeline.get_train_loss_dict(step)
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
            step += 1
            done = step / steps if steps is not None else (time.monotonic() - begin) / (60 * (minutes or 1.0))
            progress.update(task, completed=done, description=f"{quantiser.last_rate / 8:,.0f} bytes of numbers")
    pipeline.eval()
    return not stop.wanted
