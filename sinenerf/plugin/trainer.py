"""nerfstudio's trainer, made safe: checkpoints appear whole or not at all, and no interruption loses a run."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
import yaml
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread
from nerfstudio.utils.rich_utils import CONSOLE

from sinenerf.common.console import say
from sinenerf.common.files import replacing
from sinenerf.plugin.checkpoints import check_same_settings, counted_from, latest_valid_step, read_checkpoint
from sinenerf.plugin.divergence import TrainingDiverged, check_numbers

# runs of before the settings had a module of their own look for them here
from sinenerf.plugin.optimizers import ExponentialDecayConfig, FieldOptimizerConfig, FusedAdamConfig, set_rates  # noqa: F401


@dataclass
class SineTrainerConfig(TrainerConfig):
    """Training that survives Ctrl-C, kill -9 and a loss that is no number."""

    _target: type = field(default_factory=lambda: SineTrainer)

    def save_config(self) -> None:
        """Write config.yml, but not over that of a run with checkpoints: `SineTrainer.setup` does so, once it is known
        that the run may go on with these settings."""
        if not self.has_checkpoints():
            super().save_config()

    def has_checkpoints(self) -> bool:
        """Whether a run lies where this one would."""
        return any(self.get_checkpoint_dir().glob("step-*.ckpt"))


class SineTrainer(Trainer):
    """A trainer that refuses what would replace another run, or go on from it as something else."""

    config: SineTrainerConfig

    @property
    def end(self) -> int:
        """How many steps it will have made in all; to nerfstudio max_num_iterations are those still to make."""
        return self._start_step + self.config.max_num_iterations

    def setup(self, test_mode="val") -> None:
        self.step, self.ended = 0, False
        self.begin = 0  # from which max_num_iterations count
        self._check_alone()
        kept_back = yaml.dump(self.config) if self.config.has_checkpoints() else None  # before setting up changes it
        try:
            super().setup(test_mode)
            # now, since nerfstudio's log takes max_num_iterations for the steps of the whole run
            self.config.max_num_iterations += self.begin - self._start_step
            set_rates(self.optimizers, self.end)
            self._check_writable()
            if kept_back is not None:
                with replacing(self.base_dir / "config.yml") as partial:
                    partial.write_text(kept_back, "utf8")
        except SystemExit:  # bad input: one line has been said, and no trace of the run stays
            self._forget()
            raise
        # before nerfstudio's viewer is waited for, which Ctrl-C alone ends
        ended = TrainingCallback([TrainingCallbackLocation.AFTER_TRAIN], lambda step: self._write_scene())
        self.callbacks.append(ended)

    def _check_alone(self) -> None:
        if self.world_size > 1:
            raise SystemExit("sinenerf: trains on one device: leave --machine.num-devices out")
        goes_on = self.config.load_dir is not None and self.config.load_dir.resolve() == self.checkpoint_dir.resolve()
        if not goes_on and self.config.has_checkpoints():
            raise SystemExit(
                f"sinenerf: {self.checkpoint_dir} holds the checkpoints of another training, which this one would "
                f"replace. Go on from them with --load-dir {self.checkpoint_dir}, or give another --timestamp"
            )

    def _check_writable(self) -> None:
        """A run that will leave a file is refused now, not after its training, where the format has none for it."""
        if self.pipeline.model.quantiser is None:
            return
        from sinenerf.plugin.run_to_field import header_of_run

        try:
            header_of_run(self.pipeline)
        except ValueError as error:
            raise SystemExit(f"sinenerf: {error}") from None

    def _forget(self) -> None:
        """Remove what nerfstudio has written of a run that did not begin, and nothing that may be another's."""
        if self.checkpoint_dir.exists():
            return
        (self.base_dir / "config.yml").unlink(missing_ok=True)
        for folder in (self.base_dir, *self.base_dir.parents[:2]):  # DATE, METHOD, SCENE
            try:
                folder.rmdir()
            except OSError:  # not empty
                return

    def train_iteration(self, step: int):
        loss, losses, metrics = super().train_iteration(step)
        self.latest_psnr = metrics["psnr"]
        return loss, losses, metrics

    def train(self) -> None:
        try:
            self._train()
        except TrainingDiverged as error:
            kept = sorted(self.checkpoint_dir.glob("step-*.ckpt"))
            rate, omega = "a lower --optimizers.fields.optimizer.lr", "a lower --pipeline.model.omega"
            rest = f"no checkpoint had been written yet; start again with {rate}, or {omega}"
            if kept:
                rest = f"the last good checkpoint is {kept[-1]}. Go on from it with {rate}, or start again with {omega}"
            raise SystemExit(f"sinenerf: stopped at step {self.step}: {error}; {rest}") from None

    def _train(self) -> None:
        try:
            super().train()
        except KeyboardInterrupt:
            if self.ended:  # only the viewer was running
                return
            self.save_checkpoint(self.step)
            if self.training_state == "completed":
                self._write_scene()
                return
            say(
                f"stopped at step {self.step} of {self.end}; the same command with --load-dir {self.checkpoint_dir} "
                f"makes the rest, one with a larger --max-num-iterations more"
            )
            raise SystemExit(130) from None

    @check_main_thread
    def _write_scene(self) -> None:
        """A run that was trained with quantisation leaves its file beside its checkpoints."""
        if self.pipeline.model.quantiser is not None:
            from sinenerf.plugin.run_to_field import field_of

            target = self.base_dir / "scene.sine"
            field_of(self.pipeline).save(target)
            say(f"{target}: {target.stat().st_size:,} bytes")
        self.ended = True

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write to a temporary name outside the folder that resuming searches, then replace.

        Raises:
            TrainingDiverged: a number of the field is not finite; the checkpoint of before stays.
        """
        check_numbers(self.pipeline.model.parameters())
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        target = self.checkpoint_dir / f"step-{step:09d}.ckpt"
        partial = self.checkpoint_dir.parent / f".{target.name}.partial"
        state = {
            "step": step,
            "begin": self.begin,
            "end": self.end,
            "pipeline": (self.pipeline.module if hasattr(self.pipeline, "module") else self.pipeline).state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in self.optimizers.schedulers.items()},
            "scalers": self.grad_scaler.state_dict(),
        }
        if self.pipeline.model.quantiser is not None:
            state["rounding"] = self.pipeline.model.quantiser.state()
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
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
            self._go_on_from(path)

    def _go_on_from(self, path: Path) -> None:
        """nerfstudio's own way there would read the file once more."""
        state = read_checkpoint(path)
        check_same_settings(path, state, self.pipeline, self.optimizers.optimizers["fields"])
        if self.pipeline.model.quantiser is not None:
            self.pipeline.model.quantiser.load_state(state["rounding"])
        self.step, self._start_step = state["step"], state["step"] + 1
        self.begin = counted_from(state, self.config.max_num_iterations)
        self.pipeline.load_pipeline(state["pipeline"], self.step)
        self.optimizers.load_optimizers(state["optimizers"])
        if self.config.load_scheduler:
            self.optimizers.load_schedulers(state.get("schedulers", {}))
        self.grad_scaler.load_state_dict(state["scalers"])
        CONSOLE.print(f"Done loading Nerfstudio checkpoint from {path}")
