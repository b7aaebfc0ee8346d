"""nerfstudio's trainer with atomic checkpoints and safe interruption."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE

from sinenerf.codec.container import CodecError
from sinenerf.common.console import say
from sinenerf.common.files import SMALLEST_SPACE, DiskFull, check_space, naming_a_full_disk, replacing
from sinenerf.plugin.checkpoints import check_same_settings, first_counted_step, latest_valid_step, read_checkpoint
from sinenerf.plugin.divergence import TrainingDiverged, check_parameters
from sinenerf.plugin.edge import RunError, exit_on, seed_generators
from sinenerf.plugin.optimizers import set_rates
from sinenerf.plugin.runs import field_of, header_of_run
from sinenerf.plugin.training_corrections import pose_change
from sinenerf.radiance.compiled_networks import passes_alone

CHECKPOINT_BYTES = 24
"""Bytes of a checkpoint for each parameter: its value and the optimiser's moments, with SOAP's matrices."""


@dataclass
class SineTrainerConfig(TrainerConfig):
    """Training that survives Ctrl-C, kill -9 and a loss that is not finite."""

    _target: type = field(default_factory=lambda: SineTrainer)

    def save_config(self) -> None:
        """Write config.yml unless the run has checkpoints: `SineTrainer.setup` then replaces it, once it has checked
        that the run may resume with these settings."""
        folder = self.get_base_dir()
        with exit_on(OSError):
            check_space(folder)
            if self.has_checkpoints():
                return
            try:
                with naming_a_full_disk(folder / "config.yml"):
                    super().save_config()
            except DiskFull:
                raise
            except OSError as error:
                reason = f"no run can be written there ({error.strerror})"
                raise OSError(f"{folder}: {reason}. Give another folder with --output-dir") from None

    def has_checkpoints(self) -> bool:
        """Whether the folder of this run already holds checkpoints."""
        return any(self.get_checkpoint_dir().glob("step-*.ckpt"))


class SineTrainer(Trainer):
    """A trainer that refuses to replace another run, or to resume one with other settings.

    nerfstudio calls `setup`, then `train`. On failure both raise SystemExit with a one-line message.
    """

    config: SineTrainerConfig

    @property
    def end(self) -> int:
        """Total number of steps of the run; nerfstudio's max_num_iterations counts the remaining ones."""
        return self._start_step + self.config.max_num_iterations

    def setup(self, test_mode="val") -> None:
        """Read the data, build the model, and load the checkpoint if one is given."""
        with exit_on(RunError, CodecError, DiskFull):
            try:
                self._set_up(test_mode)
            except (RunError, CodecError, DiskFull, SystemExit):  # invalid input: leave no trace of the run
                self._remove_empty_run()
                raise
            except KeyboardInterrupt:  # nerfstudio would print a traceback, and end as after success
                self._remove_empty_run()
                raise SystemExit(130) from None

    def _set_up(self, test_mode: str) -> None:
        self.step, self.ended = 0, False
        self.begin = 0  # the step from which max_num_iterations count
        if self.world_size > 1:
            raise RunError("trains on one device: leave --machine.num-devices out")
        self._check_replaces_nothing()
        config = yaml.dump(self.config) if self.config.has_checkpoints() else None  # setting up changes the settings
        super().setup(test_mode)
        # not earlier, because nerfstudio's log takes max_num_iterations for the total number of steps
        self.config.max_num_iterations += self.begin - self._start_step
        set_rates(self.optimizers, self.end)
        if self.pipeline.model.quantiser is not None:
            header_of_run(self.pipeline)  # refuses, before training, a run whose file could not be written
        values = sum(parameter.numel() for parameter in self.pipeline.model.parameters())
        check_space(
            self.checkpoint_dir, SMALLEST_SPACE + 2 * CHECKPOINT_BYTES * values
        )  # the last one and its successor
        if config is not None:
            with replacing(self.base_dir / "config.yml") as partial:
                partial.write_text(config, "utf8")
        # a callback, because after training nerfstudio keeps its viewer open until Ctrl-C
        self.callbacks.append(TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN], lambda step: self._finish()))

    def _check_replaces_nothing(self) -> None:
        resumes = self.config.load_dir is not None and self.config.load_dir.resolve() == self.checkpoint_dir.resolve()
        if not resumes and self.config.has_checkpoints():
            raise RunError(
                f"{self.checkpoint_dir} holds the checkpoints of another training, which this one would "
                f"replace. Resume it with --load-dir {self.checkpoint_dir}, or give another --timestamp"
            )

    def _remove_empty_run(self) -> None:
        """Remove what nerfstudio has written for a run that did not start, and nothing that may belong to another."""
        if self.checkpoint_dir.exists():
            return
        (self.base_dir / "config.yml").unlink(missing_ok=True)
        for folder in (self.base_dir, *self.base_dir.parents[:2]):  # DATE, METHOD, SCENE
            try:
                folder.rmdir()
            except OSError:  # not empty
                return

    def train_iteration(self, step: int):
        """Train one step, and store the PSNR of its batch, in dB, as `latest_psnr`."""
        with passes_alone(self.pipeline.model.field.compiled):
            loss, losses, metrics = super().train_iteration(step)
        self.latest_psnr = metrics["psnr"]
        return loss, losses, metrics

    def train(self) -> None:
        """Train the remaining steps. Ctrl-C saves a checkpoint, and ends the program with exit code 130."""
        try:
            with exit_on(DiskFull):
                self._train()
        except TrainingDiverged as error:
            saved = sorted(self.checkpoint_dir.glob("step-*.ckpt"))
            rate, omega = "a lower --optimizers.fields.optimizer.lr", "a lower --pipeline.model.omega"
            advice = f"no checkpoint had been written yet; start again with {rate}, or {omega}"
            if saved:
                advice = (
                    f"the last good checkpoint is {saved[-1]}. Resume from it with {rate}, or start again with {omega}"
                )
            raise SystemExit(f"sinenerf: stopped at step {self.step}: {error}; {advice}") from None

    def _train(self) -> None:
        try:
            super().train()
        except KeyboardInterrupt:
            if self.ended:  # only the viewer was running
                return
            self.save_checkpoint(self.step)
            if self.training_state == "completed":
                self._finish()
                return
            say(
                f"stopped at step {self.step} of {self.end}; the same command with --load-dir {self.checkpoint_dir} "
                f"completes the run; a larger --max-num-iterations extends it"
            )
            raise SystemExit(130) from None

    @check_main_thread
    def _finish(self) -> None:
        """Write the .sine file of a run that was trained with quantisation, beside its checkpoints, and say how far the
        poses were refined."""
        if self.pipeline.model.pose_corrections is not None:
            scale = float(self.pipeline.datamanager.train_dataparser_outputs.dataparser_scale)
            say(str(pose_change(self.pipeline.model.pose_corrections, scale)))
        if self.pipeline.model.quantiser is not None:
            target = self.base_dir / "scene.sine"
            field_of(self.pipeline).save(target)
            say(f"{target}: {target.stat().st_size:,} bytes")
        self.ended = True

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write to a temporary name outside the folder that resuming searches, then rename.

        Raises:
            TrainingDiverged: a parameter of the field is not finite; the previous checkpoint stays.
            DiskFull: likewise.
        """
        check_parameters(self.pipeline.model.parameters())
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        target = self.checkpoint_dir / f"step-{step:09d}.ckpt"
        partial = self.checkpoint_dir.parent / f".{target.name}.partial"
        state = {
            "step": step,
            "begin": self.begin,
            "end": self.end,
            "pipeline": self.pipeline.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in self.optimizers.schedulers.items()},
            "scalers": self.grad_scaler.state_dict(),
        }
        if self.pipeline.model.quantiser is not None:
            state["rounding"] = self.pipeline.model.quantiser.state()
        try:
            with naming_a_full_disk(target), partial.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        if self.config.save_only_latest_checkpoint:
            for other in self.checkpoint_dir.glob("step-*.ckpt"):
                if other != target:
                    other.unlink()

    def _load_checkpoint(self) -> None:
        path, folder = self.config.load_checkpoint, self.config.load_dir
        if folder is not None:
            step = latest_valid_step(folder) if self.config.load_step is None else self.config.load_step
            path = folder / f"step-{step:09d}.ckpt"
        if path is not None:
            self._resume_from(path)

    def _resume_from(self, path: Path) -> None:
        """Load a checkpoint of a run with these settings; nerfstudio's own loading would read the file once more."""
        state = read_checkpoint(path)
        check_same_settings(path, state, self.pipeline, self.optimizers.optimizers["fields"])
        if self.pipeline.model.quantiser is not None:
            self.pipeline.model.quantiser.load_state(state["rounding"])
        self.step, self._start_step = state["step"], state["step"] + 1
        self.begin = first_counted_step(state, self.config.max_num_iterations)
        self.pipeline.load_pipeline(state["pipeline"], self.step)
        self.optimizers.load_optimizers(state["optimizers"])
        if self.config.load_scheduler:
            self.optimizers.load_schedulers(state["schedulers"])
        self.grad_scaler.load_state_dict(state["scalers"])
        seed_generators(self.config.machine.seed + self._start_step)  # ns-train starts with those of the first step
        CONSOLE.print(f"Done loading Nerfstudio checkpoint from {path}")
