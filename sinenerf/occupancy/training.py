"""One training of a field: the cross-entropy of labelled points, rounding in its last third, checkpoints."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sinenerf.codec.container import OCCUPANCY, pack
from sinenerf.codec.tensors import load_tensors
from sinenerf.common import checkpoint
from sinenerf.common.console import Stop
from sinenerf.common.hardware import multiplies_bfloat16
from sinenerf.common.optimization import make_optimizer, warm_cosine
from sinenerf.factored import keep_weights
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.evaluate import iou
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit_progress import FitProgress
from sinenerf.occupancy.header import header_of
from sinenerf.occupancy.sampling import make_sampler
from sinenerf.occupancy.solid import Solid
from sinenerf.rounding.by_curvature import WINDOW, CurvatureRounding
from sinenerf.rounding.curvature import draw_points, gauss_newton

HELD_OUT = 100_000  # uniform points of the cube whose IoU the progress bar shows
CANDIDATES, CURVATURE_POINTS = 2**15, 2**12  # of so many points so many are drawn for the curvature
SAVE_EVERY = 20.0  # seconds of training between two checkpoints
SCORE_EVERY = 5.0  # seconds of training between two looks at the held-out points


class Training:
    """The state of a fit: network, optimiser, step, seconds spent."""

    def __init__(self, field: OccupancyField, solid: Solid, config: FitConfig, view: FitProgress) -> None:
        self.field, self.config, self.view = field, config, view
        self.device = next(field.parameters()).device
        self.max_seconds, self.max_steps = config.budget()
        self.step, self.seconds, self.saved_at, self.iou = 0, 0.0, 0.0, 0.0
        self.loss: float | Tensor = math.nan
        self.history: list[dict[str, float]] = []
        self.fingerprint = ""
        self.keeps_existing = False  # the output was there before this training began
        self.sampler = make_sampler(config.sampler, solid, config.seed, config.pool, config.resolution, view.shown)
        fast = multiplies_bfloat16(self.device.type) if config.precision == "auto" else config.precision == "bfloat16"
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=fast)
        self.optimizer = make_optimizer(config.optimizer, field.parameters(), config.learning_rate)
        self.rounding = self._rounding()
        self._curvature_points: tuple[int, Tensor] | None = None  # points of the curvature, and the step that drew them
        points = np.random.default_rng(config.seed + 1).uniform(-1, 1, (HELD_OUT, 3))
        self.held_out = points, solid.contains(points)

    def _rounding(self) -> CurvatureRounding | None:
        size = self.config.file_size(self.field.parameters_count)
        if size is None:
            return None
        header = header_of(self.field.config, self.field.placement)
        return CurvatureRounding(
            self.field.network, size, lambda tensors: len(pack(OCCUPANCY, header, tensors)), self._curvature
        )

    def _curvature(self, start: int, stop: int) -> Tensor:
        """Of the loss now, at points that depend on the step alone."""
        if self._curvature_points is None or self._curvature_points[0] != self.step:
            many = torch.cat([self.sampler.batch(self.step + i, CANDIDATES // 4)[0] for i in range(4)]).to(self.device)
            points = draw_points(self.field.network, many, CURVATURE_POINTS, self.config.loss)
            self._curvature_points = self.step, points
        curvature = gauss_newton(self.field.network, self._curvature_points[1], start, stop)
        self._check_finite(float(curvature.sum()))
        return curvature

    @property
    def done_fraction(self) -> float:
        """How much of the budget is spent, from 0 to 1."""
        return min(1.0, max(self.step / self.max_steps, self.seconds / self.max_seconds))

    @property
    def finished(self) -> bool:
        return self.done_fraction >= 1.0

    @property
    def save_is_due(self) -> bool:
        """Whether a kill would lose too much."""
        return self.seconds - self.saved_at > SAVE_EVERY

    def learning_rate(self) -> float:
        """The optimiser's, now."""
        return self.config.learning_rate * warm_cosine(self.done_fraction)

    def run(self, stop: Stop) -> Iterator[None]:
        """Train until the budget is spent or `stop` is set; yields after every look at the held-out points."""
        looked = self.seconds
        before = time.monotonic()
        while not (self.finished or stop.wanted):
            self.loss = self._train_step()
            now = time.monotonic()
            self.seconds, before = self.seconds + now - before, now
            if self.seconds - looked > SCORE_EVERY or self.finished:
                self._look()
                yield
                looked, before = self.seconds, time.monotonic()
            self.view.update(self.done_fraction, self.seconds, self.step, self.iou)

    def _train_step(self) -> Tensor:
        if self.rounding is not None:
            self.rounding.before_step(self.done_fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        points, inside = (tensor.to(self.device) for tensor in self.sampler.batch(self.step, self.config.batch))
        with self.autocast:
            logits = self.field.network(points)
        if self.config.loss == "mse":
            loss = F.mse_loss(torch.sigmoid(logits.float()), inside)
        else:
            loss = F.binary_cross_entropy_with_logits(logits.float(), inside)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        if self.rounding is not None:
            self.rounding.after_step()
        self.step += 1
        return loss.detach()

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise RuntimeError(f"the loss is {loss} at step {self.step}: lower the learning rate, or omega")

    def _look(self) -> None:
        loss = float(self.loss)
        self._check_finite(loss)
        self._score()
        self.history.append(
            {"step": self.step, "seconds": round(self.seconds, 2), "loss": round(loss, 5), "iou": round(self.iou, 4)}
        )

    def _score(self) -> None:
        points, inside = self.held_out
        self.iou = iou(self.field.evaluate(points) > 0, inside)

    def finish(self) -> None:
        """The field as it is now, every W kept, on the CPU."""
        if self.rounding is not None:
            if (left := self.rounding.count - self.rounding.rounded) > WINDOW:  # a large network, or Ctrl-C
                self.view.say(f"rounding the {left:,} numbers that are left")
            self.field.coded = load_tensors(self.field.network, self.rounding.finish())
            self.rounding = None
        keep_weights(self.field.cpu().eval())
        self._score()  # rounding what was left has changed it, after Ctrl-C by much

    def save(self, path: Path) -> None:
        """A checkpoint, whole or not at all."""
        state = {
            "fingerprint": self.fingerprint,
            "keeps_existing": self.keeps_existing,
            "step": self.step,
            "seconds": self.seconds,
            "loss": float(self.loss),
            "history": self.history,
            "rounding": None if self.rounding is None else self.rounding.state(),
            "network": self.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(path, state)
        self.saved_at = self.seconds

    def resume(self, path: Path, fingerprint: str) -> None:
        """Go on from a checkpoint, if there is one of the same mesh and settings."""
        self.fingerprint = fingerprint
        state = checkpoint.read(path, self.view.say, fingerprint)
        if state is None:
            return
        self.field.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.rounding is not None:
            self.rounding.load_state(state["rounding"])
        self.step, self.seconds, self.saved_at = state["step"], state["seconds"], state["seconds"]
        self.loss, self.history, self.keeps_existing = state["loss"], state["history"], state["keeps_existing"]
        self.view.say(f"going on from step {self.step}")

    def announce(self, output: Path | None) -> None:
        """The last line, of a field that was written, or was not."""
        size = f"{output}: {output.stat().st_size:,} bytes, " if output is not None else ""
        self.view.say(
            f"{size}{self.field.parameters_count:,} parameters, IoU {self.iou:.4f} on {HELD_OUT:,} held-out points, "
            f"{self.step:,} steps in {self.seconds:.0f} s"
        )
