"""Fitting a field to a mesh: Adam on the binary cross-entropy of labelled points; what is done survives a kill."""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sinenerf import checkpoint
from sinenerf.codec.container import OCCUPANCY, pack
from sinenerf.codec.module import take
from sinenerf.codec.quantise import QUANTISE_FROM, Quantiser, file_size
from sinenerf.device import best_device, multiplies_bfloat16
from sinenerf.files import check_folder
from sinenerf.layers import keep_weights
from sinenerf.occupancy.architecture import FieldConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.file import header_of, overhead
from sinenerf.occupancy.labels import Placement, Solid
from sinenerf.occupancy.metrics import iou
from sinenerf.occupancy.progress import FitProgress, Stop, interruptible
from sinenerf.occupancy.sampling import SamplerKind, make_sampler
from sinenerf.occupancy.shapes import prepare_shape
from sinenerf.schedule import warm_cosine

if TYPE_CHECKING:
    import trimesh

HELD_OUT = 100_000  # uniform points of the cube whose IoU the progress bar shows
SAVE_EVERY = 20.0  # seconds of training between two checkpoints
SCORE_EVERY = 5.0  # seconds of training between two looks at the held-out points


@dataclass(frozen=True)
class FitConfig:
    """How a field is fitted."""

    minutes: float | None = None
    """Train for so long; without steps either, two minutes."""
    steps: int | None = None
    """Train for so many steps."""
    batch: int = 8192
    """Points a step."""
    learning_rate: float = 1e-2
    """Adam's peak rate, after a warm-up; it falls to zero along a cosine."""
    sampler: SamplerKind = "surface"
    """surface: mostly near the surface, some anywhere; grid: every voxel of the cube, as in the paper."""
    pool: int = 1_500_000
    """Points that the surface sampler labels before training."""
    resolution: int = 512
    """Voxels a side of the grid sampler."""
    loss: Literal["cross-entropy", "mse"] = "cross-entropy"
    """Of the occupancy against the label. mse is the paper's."""
    seed: int = 0
    """Of the network's start and of the training points."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train. auto: a GPU if there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format inside the network. auto: bfloat16 where the processor multiplies it natively."""
    bits: float | None = None
    """Size of the file, all counted, in bits a parameter; 32 stores float32. Without bytes either, 8."""
    bytes: int | None = None
    """Size of the file in bytes."""

    def check(self) -> None:
        """Raise ValueError on a setting that cannot be."""
        if self.minutes is not None and self.steps is not None:
            raise ValueError("give minutes or steps, not both")
        file_size(1, self.bits, self.bytes)
        for name in ("minutes", "steps", "batch", "learning_rate", "pool", "resolution"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}: it must be positive")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device cuda: torch sees no such GPU here. Leave --device out, or use cpu")

    def file_size(self, parameters: int) -> int | None:
        """Bytes that the file may have; None for float32."""
        bits = 8.0 if self.bits is None and self.bytes is None else self.bits
        return file_size(parameters, bits, self.bytes)

    def budget(self) -> tuple[float, int]:
        """(seconds, steps): training ends with the first that is reached."""
        if self.steps is not None:
            return math.inf, self.steps
        return 60 * (2.0 if self.minutes is None else self.minutes), 2**62


def split_settings(settings: dict[str, Any]) -> tuple[FieldConfig, FitConfig]:
    """Keyword settings as the two dataclasses that they belong to.

    Raises:
        ValueError: a name that neither has.
    """
    of_field, of_fit = ({f.name for f in fields(kind)} for kind in (FieldConfig, FitConfig))
    unknown = set(settings) - of_field - of_fit
    if unknown:
        raise ValueError(
            f"no setting is called {sorted(unknown)[0]!r}: there are {', '.join(sorted(of_field | of_fit))}"
        )
    return (
        FieldConfig(**{name: value for name, value in settings.items() if name in of_field}),
        FitConfig(**{name: value for name, value in settings.items() if name in of_fit}),
    )


def fit(
    mesh: "trimesh.Trimesh",
    architecture: FieldConfig,
    config: FitConfig,
    output: Path | None = None,
    progress: bool = False,
    history: list[dict[str, float]] | None = None,
    start: OccupancyField | None = None,
    solid: Solid | None = None,
) -> OccupancyField:
    """Fit a field to a mesh.

    Args:
        output: write the field there. Beside it a checkpoint is kept while training, and found again by the same call.
        progress: show what the mesh is like, and a bar with the time left and the IoU of held-out points.
        start: go on from this field's numbers, in its placement, and quantise from the first step.
        solid: of the mesh, which is prepared (`shapes.prepare_shape`): then its labelled points are kept from fit to
            fit. Else it is made here.
        history: takes {step, seconds, loss, iou} of every look at the held-out points.

    Returns:
        the field, every W kept. After Ctrl-C, as far as it got; the checkpoint stays.

    Raises:
        ValueError: a bad mesh or setting.
        FileNotFoundError: the output's folder is not there.
        RuntimeError: the loss is not finite; the last checkpoint stays.
    """
    config.check()
    if output is not None:
        check_folder(output)
    torch.manual_seed(config.seed)
    view = FitProgress(progress)
    if solid is None:
        mesh, report = prepare_shape(mesh)
        view.say(str(report))
    placement = Placement.of(mesh) if start is None else start.placement
    field = OccupancyField(architecture, placement)  # impossible settings are refused before any work
    _check_file_size(field, config)
    if start is not None:
        field.load_state_dict(start.state_dict())
    solid = Solid(mesh, placement) if solid is None else solid
    view.say(f"{100 * solid.ambiguous_fraction:.2g} % of the points near the surface are ambiguous")
    device = best_device() if config.device == "auto" else config.device
    training = _Training(field.to(device), solid, config, view, QUANTISE_FROM if start is None else 0.0)
    kept = None if output is None else checkpoint.place_of(output)
    if kept is not None:
        training.resume(kept, _fingerprint(mesh, architecture, config, start))
    with interruptible() as stop, view:
        for look in training.run(stop):
            if history is not None:
                history.append(look)
            if kept is not None and training.seconds - training.saved_at > SAVE_EVERY:
                training.save(kept)
    if kept is not None and not training.finished:
        training.save(kept)
    training.finish()
    field.complete = training.finished
    if output is not None and kept is not None:
        field.save(output)
        if training.finished:
            kept.unlink(missing_ok=True)
        else:
            view.say(f"stopped at step {training.step}: {output} holds the field so far; the same command goes on")
    training.announce(output)
    return field


class _Training:
    """The state of a fit: network, optimiser, step, seconds spent."""

    def __init__(
        self, field: OccupancyField, solid: Solid, config: FitConfig, view: FitProgress, quantise_from: float
    ) -> None:
        self.field, self.config, self.view, self.solid = field, config, view, solid
        self.device = next(field.parameters()).device
        self.max_seconds, self.max_steps = config.budget()
        self.step, self.seconds, self.saved_at, self.iou = 0, 0.0, 0.0, 0.0
        self.fingerprint, self.quantise_from = "", quantise_from
        self.sampler = make_sampler(config.sampler, solid, config.seed, config.pool, config.resolution, view.shown)
        fast = multiplies_bfloat16(self.device.type) if config.precision == "auto" else config.precision == "bfloat16"
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=fast)
        self.optimizer = self._adam([{"params": list(field.parameters())}])
        self.file_size = config.file_size(field.parameters_count)
        self.quantiser: Quantiser | None = None
        points = np.random.default_rng(config.seed + 1).uniform(-1, 1, (HELD_OUT, 3))
        self.held_out = points, solid.contains(points)

    def _adam(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        betas = (0.9, 0.99)  # a shorter memory of squares than the usual: 0.001 to 0.003 of IoU
        return torch.optim.Adam(groups, self.config.learning_rate, betas, fused=self.device.type != "mps")

    def quantise(self) -> None:
        """From now on train what the file can hold."""
        assert self.file_size is not None
        bits = 8 * (self.file_size - overhead(self.field.config))
        self.quantiser = Quantiser(self.field.network, bits)
        self.optimizer = self._adam(self.quantiser.parameter_groups())

    @property
    def done_fraction(self) -> float:
        """How much of the budget is spent, from 0 to 1."""
        return min(1.0, max(self.step / self.max_steps, self.seconds / self.max_seconds))

    @property
    def finished(self) -> bool:
        return self.done_fraction >= 1.0

    def learning_rate(self) -> float:
        """Of Adam, now."""
        return self.config.learning_rate * warm_cosine(self.done_fraction)

    def run(self, stop: Stop) -> Iterator[dict[str, float]]:
        """Train until the budget is spent or `stop` is set; yields at every look at the held-out points."""
        looked = self.seconds
        before = time.monotonic()
        while not (self.finished or stop.wanted):
            loss = self._train_step()
            now = time.monotonic()
            self.seconds, before = self.seconds + now - before, now
            if self.seconds - looked > SCORE_EVERY or self.finished:
                yield self._look(float(loss))
                looked, before = self.seconds, time.monotonic()
            self.view.update(self.done_fraction, self.seconds, self.step, self.iou)

    def _train_step(self) -> Tensor:
        if self.quantiser is None and self.file_size is not None and self.done_fraction >= self.quantise_from:
            self.quantise()
        if self.quantiser is not None:
            self.quantiser.settle(self.done_fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate() * group.get("scale", 1.0)
        points, inside = (tensor.to(self.device) for tensor in self.sampler.batch(self.step, self.config.batch))
        with self.autocast:
            logits = self.field.network(points)
        if self.config.loss == "mse":
            loss = F.mse_loss(torch.sigmoid(logits.float()), inside)
        else:
            loss = F.binary_cross_entropy_with_logits(logits.float(), inside)
        if self.quantiser is not None:
            self._check_finite(float(loss.detach()))
            loss = loss + self.quantiser.penalty()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.detach()

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise RuntimeError(f"the loss is {loss} at step {self.step}: lower the learning rate, or omega")

    def _look(self, loss: float) -> dict[str, float]:
        self._check_finite(loss)
        points, inside = self.held_out
        self.iou = iou(self.field.evaluate(points) > 0, inside)
        return {"step": self.step, "seconds": round(self.seconds, 2), "loss": round(loss, 5), "iou": round(self.iou, 4)}

    def finish(self) -> None:
        """The field as it is now, every W kept, on the CPU."""
        if self.quantiser is not None and self.file_size is not None:
            header = header_of(self.field.config, self.field.placement)
            coded = self.quantiser.within(self.file_size, lambda tensors: pack(OCCUPANCY, header, tensors))
            self.quantiser.finish()
            self.field.coded = take(self.field.network, coded)
            self.quantiser = None
        keep_weights(self.field.cpu().eval())

    def save(self, path: Path) -> None:
        """A checkpoint, whole or not at all."""
        state = {
            "fingerprint": self.fingerprint,
            "step": self.step,
            "seconds": self.seconds,
            "multiplier": None if self.quantiser is None else self.quantiser.log_multiplier,
            "network": self.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(path, state)
        self.saved_at = self.seconds

    def resume(self, path: Path, fingerprint: str) -> None:
        """Go on from a checkpoint, if there is one of the same mesh and settings."""
        self.fingerprint = fingerprint
        state = checkpoint.read(path, self.view.say, fingerprint, self.device)
        if state is None:
            return
        if state["multiplier"] is not None:
            self.quantise()
            assert self.quantiser is not None
            self.quantiser.log_multiplier = state["multiplier"]
        self.field.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.saved_at = state["step"], state["seconds"], state["seconds"]
        self.view.say(f"going on from step {self.step}")

    def announce(self, output: Path | None) -> None:
        """The last line."""
        size = "" if output is None else f"{output}: {output.stat().st_size:,} bytes, "
        self.view.say(
            f"{size}{self.field.parameters_count:,} parameters, IoU {self.iou:.4f} on {HELD_OUT:,} held-out points, "
            f"{self.step:,} steps in {self.seconds:.0f} s"
        )


def _check_file_size(field: OccupancyField, config: FitConfig) -> None:
    """Raise ValueError where not even one bit a number fits the budget."""
    size, smallest = config.file_size(field.parameters_count), overhead(field.config) + field.parameters_count // 8
    if size is not None and size < smallest:
        raise ValueError(
            f"{size} bytes are too few for {field.parameters_count:,} parameters: "
            f"at least {smallest}, or a smaller network (--width {max(1, field.config.width // 2)})"
        )


def _fingerprint(
    mesh: "trimesh.Trimesh", architecture: FieldConfig, config: FitConfig, start: OccupancyField | None
) -> str:
    """What must agree for a checkpoint to be gone on with."""
    digest = hashlib.sha256(np.ascontiguousarray(mesh.triangles, dtype=np.float64).tobytes())
    digest.update(json.dumps([asdict(architecture), asdict(config)], sort_keys=True).encode())
    if start is not None:
        digest.update(start.to_bytes())
    return digest.hexdigest()
