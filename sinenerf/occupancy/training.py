"""Training of an occupancy field: loss on labelled points, then rounding; progress, checkpoints."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path

import torch
from torch import Tensor

from sinenerf.codec.container import OCCUPANCY, pack
from sinenerf.codec.tensors import load_tensors
from sinenerf.common import checkpoint
from sinenerf.common.console import Stop, interruptible
from sinenerf.common.optimization import make_optimizer
from sinenerf.common.progress import TaskProgress
from sinenerf.common.training_clock import training_time
from sinenerf.factored import keep_weights, linear_layers
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.evaluate import iou, occupied
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.header import header_of
from sinenerf.occupancy.loss import FusedLoss, make_loss
from sinenerf.occupancy.pieces import best_count
from sinenerf.occupancy.sampling import HELD_OUT, SurfaceSampler, held_out, make_sampler
from sinenerf.occupancy.schedule import Plateau, Schedule
from sinenerf.occupancy.solid import Solid
from sinenerf.occupancy.surface import extract_surface
from sinenerf.occupancy.surface_grid import LevelError
from sinenerf.rounding.by_curvature import CurvatureRounding
from sinenerf.rounding.curvature import Deviation

WATCHED = 2**14  # points drawn like those of the training, for the loss that ends an open training
DRAWN = 2**13  # points that are drawn at once for the curvature
PIECES_RESOLUTION = 128  # cells per side of the surface whose pieces are judged
SAVE_EVERY = 20.0  # seconds of training between two checkpoints, which follow an evaluation
SCORE_EVERY, SCORE_SHARE = 5.0, 0.05
"""Seconds of training between evaluations of the held-out points: at least SCORE_EVERY, and enough that these take at
most SCORE_SHARE of the time. Those of a network of 100,000 bytes take 0.5 to 1 s each."""


class Training:
    """State of a fit: network, optimiser, step and elapsed seconds."""

    def __init__(self, field: OccupancyField, solid: Solid, config: FitConfig, bar: TaskProgress) -> None:
        self.field, self.solid, self.config, self.bar = field, solid, config, bar
        self.device = next(field.parameters()).device
        self.step, self.seconds, self.saved_at, self.iou = 0, 0.0, 0.0, 0.0
        self.rounding_seconds = 0.0
        self.loss: float | Tensor = math.nan
        self.history: list[dict[str, float]] = []
        self.fingerprint = ""
        self.output_existed = False  # before this training began
        self.sampler = make_sampler(config, solid, bar.show)
        self.gradients = make_loss(field.network, config.loss, config.precision)
        compiled = isinstance(self.gradients, FusedLoss)
        self.optimizer = make_optimizer(config.optimizer, field.parameters(), config.learning_rate, compiled)
        hidden = list(linear_layers(field.network).values())[1:-1] if config.decay else []
        self.decaying = [values for layer in hidden for values in layer.parameters() if values.dim() == 2]
        self.held_out = held_out(solid, config.seed + 1)
        self.schedule = Schedule(config, self._plateau(solid) if config.open_ended else None)

    def _plateau(self, solid: Solid) -> Plateau:
        config, (uniform, inside) = self.config, self.held_out
        points, labels = torch.from_numpy(uniform).float(), torch.from_numpy(inside).float()[:, None]
        if config.sampler == "surface":
            sampler = SurfaceSampler(solid, config.seed + 1, WATCHED, config.near, config.distance)
            points, labels = sampler.batch(0, WATCHED)
        return Plateau(self.field.network, (self.field.fold(points), labels), self.config.loss)

    @property
    def done_fraction(self) -> float:
        """Fraction of the training that is over, from 0 to 1."""
        return self.schedule.done(self.step, self.seconds)

    @property
    def finished(self) -> bool:
        return self.done_fraction >= 1.0

    @property
    def save_is_due(self) -> bool:
        """Whether a new checkpoint is due."""
        return self.seconds - self.saved_at > SAVE_EVERY

    def learning_rate(self) -> float:
        """Learning rate of the current step."""
        return self.config.learning_rate * self.schedule.rate(self.step, self.seconds)

    def complete(self, saved: Path | None) -> None:
        """Train until the budget is used up or Ctrl-C is pressed, with a checkpoint at `saved`; then round.

        Raises:
            RuntimeError: the loss is not finite.
            KeyboardInterrupt: Ctrl-C during the rounding.
        """
        with self.bar:
            with interruptible() as stop:
                for _ in self.run(stop):
                    if saved is not None and self.save_is_due:
                        self.save(saved)
            if self.step:
                self._check_finite(float(self.loss))
            if saved is not None:
                self.save(saved)
            if self.output_existed and not self.finished:  # it stays as it is: nothing is rounded for it
                keep_weights(self.field.cpu().eval())
                self._score()
                return
            try:
                self.finish()
            except KeyboardInterrupt:
                if saved is not None:
                    self.bar.say("stopped during the rounding: run the same command to resume")
                raise

    def run(self, stop: Stop) -> Iterator[None]:
        """Train until the budget is used up or `stop` is set. Yields after each evaluation of the held-out points."""
        due = self.seconds + SCORE_EVERY
        before = training_time(self.config.clock)
        while not (self.finished or stop.wanted):
            self.loss = self._train_step()
            now = training_time(self.config.clock)
            self.seconds, before = self.seconds + now - before, now
            if self.seconds > due or self.finished:
                self._record()
                due = self.seconds + max(SCORE_EVERY, (training_time(self.config.clock) - now) / SCORE_SHARE)
                yield
                before = training_time(self.config.clock)
            self._show(self.done_fraction, self.schedule.time_left(self.step, self.seconds))

    def _show(self, done: float, left: str) -> None:
        self.bar.update(done, f"step {self.step:,}" + (f", IoU {self.iou:.4f}" if self.iou else ""), left)

    def _train_step(self) -> float | Tensor:
        rate = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        size = self.config.batch * self.schedule.growth(self.step, self.seconds)
        points, inside = (tensor.to(self.device) for tensor in self.sampler.batch(self.step, size))
        points = self.field.fold(points)
        with self.gradients.around_step():
            self.optimizer.zero_grad()
            loss = self.gradients.backward(points, inside)
            self.optimizer.step()
            self._decay(rate)
        self.step += 1
        if self.schedule.plateau is not None and self.schedule.waits(self.step, self.seconds):
            self.schedule.plateau.observe(self.step)
        return loss

    @torch.no_grad()
    def _decay(self, rate: float) -> None:
        for matrix in self.decaying:
            matrix.mul_(1 - self.config.decay * rate)

    def _check_finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise RuntimeError(f"the loss is {loss} at step {self.step}: lower the learning rate, or omega")

    def _record(self) -> None:
        self._check_finite(float(self.loss))
        self._score()
        loss, iou = round(float(self.loss), 5), round(self.iou, 4)
        self.history.append({"step": self.step, "seconds": round(self.seconds, 2), "loss": loss, "iou": iou})

    def _score(self) -> None:
        points, inside = self.held_out
        self.iou = iou(occupied(self.field, points), inside)

    def finish(self) -> None:
        """Round the parameters, and move the field to the CPU in evaluation mode with every W cached."""
        size = self.config.file_size(self.field.parameters_count)
        if size is not None:
            self._round(self.rounding(size))
        keep_weights(self.field.cpu().eval())
        self.field.placement = replace(self.field.placement, pieces=self._pieces())
        self._score()  # rounding changes the field
        if self.history:
            seconds = self.seconds + self.rounding_seconds
            self.history[-1] |= {"seconds": round(seconds, 2), "iou": round(self.iou, 4)}

    def rounding(self, size: int) -> CurvatureRounding:
        """What rounds the parameters for a file of `size` bytes."""
        placement = replace(self.field.placement, pieces=1)  # so that there is a byte for the number, chosen later
        header, drawn = header_of(self.field.config, placement), itertools.count(self.step)

        def points(count: int) -> Tensor:
            batches = [self.sampler.batch(next(drawn), DRAWN)[0] for _ in range(count // DRAWN)]
            return self.field.fold(torch.cat(batches).to(self.device))

        network, deviation = self.field.network, Deviation(self.field.network, points, self.config.loss)
        return CurvatureRounding(network, size, lambda tensors: len(pack(OCCUPANCY, header, tensors)), deviation)

    def _round(self, rounding: CurvatureRounding) -> None:
        begin = training_time(self.config.clock)
        for done in rounding.run():
            self._show(done, "rounding")
        self.rounding_seconds = training_time(self.config.clock) - begin
        self.field.coded = load_tensors(self.field.network, rounding.tensors())

    def _pieces(self) -> int:
        """Of how many of its largest pieces the field's surface should consist."""
        whole = replace(self.field.placement, pieces=0)
        try:
            surface = extract_surface(self.field.logits, whole, PIECES_RESOLUTION)
        except LevelError:
            self.bar.warn("the field has no surface: give it more --minutes or --bytes, or fit a shell: --thickness")
            return 0
        return best_count(whole.to_cube(surface.vertices), surface.faces, self.solid)

    def save(self, path: Path) -> None:
        """Write a checkpoint atomically."""
        state = {
            "fingerprint": self.fingerprint,
            "output_existed": self.output_existed,
            "step": self.step,
            "seconds": self.seconds,
            "loss": float(self.loss),
            "history": self.history,
            "plateau": None if self.schedule.plateau is None else self.schedule.plateau.state(),
            "mirror": (mirror := self.field.placement.mirror) and astuple(mirror),
            "network": self.field.state_dict(),
            "optimizer_kind": type(self.optimizer).__name__,
            "optimizer": self.optimizer.state_dict(),
        }
        checkpoint.save(path, state)
        self.saved_at = self.seconds

    def resume(self, state: checkpoint.State) -> None:
        """Resume from a checkpoint; its plane of symmetry is the field's already."""
        self.field.load_state_dict(state["network"])
        if state["optimizer_kind"] == type(self.optimizer).__name__:
            self.optimizer.load_state_dict(state["optimizer"])
        else:  # a GPU and a CPU have their own
            self.bar.say("the training began on another device: the optimiser's averages start anew")
        if self.schedule.plateau is not None:
            self.schedule.plateau.load_state(state["plateau"])
        self.step, self.seconds, self.saved_at = state["step"], state["seconds"], state["seconds"]
        self.loss, self.history, self.output_existed = state["loss"], state["history"], state["output_existed"]
        self.bar.say(f"resuming from step {self.step}")

    def announce(self, output: Path | None) -> None:
        """Print the result; `output` is None if the field was not written."""
        size = f"{output}: {output.stat().st_size:,} bytes, " if output is not None else ""
        rounding = " and rounding" if self.field.coded else ""
        self.bar.say(
            f"{size}{self.field.parameters_count:,} parameters, IoU {self.iou:.4f} on {HELD_OUT:,} held-out points, "
            f"{self.step:,} steps{rounding} in {self.seconds + self.rounding_seconds:.0f} s"
        )
