"""nerfstudio's trainer, made safe: checkpoints appear whole or not at all, and no interruption loses a run."""

import os
from dataclasses import dataclass, field

import torch
import yaml
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackLocation
from nerfstudio.engine.trainer import Trainer, TrainerConfig
from nerfstudio.utils.decorators import check_main_thread

from sinenerf.common.files import replacing
from sinenerf.common.say import say
from sinenerf.nerf.checkpoints import check_same_settings, latest_valid_step, read_checkpoint
from sinenerf.nerf.guard import TrainingDiverged

# runs of before they had a module of their own look for them here
from sinenerf.nerf.optimizers import ExponentialDecayConfig, FieldOptimizerConfig, FusedAdamConfig  # noqa: F401


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

    def setup(self, test_mode="val") -> None:
        self.step, self.ended = 0, False
        self._check_alone()
        kept_back = yaml.dump(self.config) if self.config.has_checkpoints() else None  # before setting up changes it
        try:
            super().setup(test_mode)
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
        from sinenerf.nerf.pack import header_of_run

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
            super().train()
        except TrainingDiverged as error:
            kept = sorted(self.checkpoint_dir.glob("step-*.ckpt"))
            rest = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint had been written yet"
            raise SystemExit(
                f"sinenerf: stopped at step {self.step}: {error}; {rest}. Go on from it with a lower "
                f"--optimizers.fields.optimizer.lr, or start again with a lower --pipeline.model.omega"
            ) from None
        except KeyboardInterrupt:
            if self.ended:  # only the viewer was running
                return
            self.save_checkpoint(self.step)
            if self.training_state == "completed":
                self._write_scene()
                return
            say(f"stopped at step {self.step}; go on with --load-dir {self.checkpoint_dir}")
            raise SystemExit(130) from None

    @check_main_thread
    def _write_scene(self) -> None:
        """A run that was trained with quantisation leaves its file beside its checkpoints."""
        if self.pipeline.model.quantiser is not None:
            from sinenerf.nerf.pack import field_of

            target = self.base_dir / "scene.sine"
            field_of(self.pipeline).save(target)
            say(f"{target}: {target.stat().st_size:,} bytes")
        self.ended = True

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write to a temporary name outside the folder that resuming searches, then replace."""
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        target = self.checkpoint_dir / f"step-{step:09d}.ckpt"
        partial = self.checkpoint_dir.parent / f".{target.name}.partial"
        state = {
            "step": step,
            "pipeline": (self.pipeline.module if hasattr(self.pipeline, "module") else self.pipeline).state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in self.optimizers.schedulers.items()},
            "scalers": self.grad_scaler.state_dict(),
        }
        if self.pipeline.model.quantiser is not None:
            state |= self.pipeline.model.quantiser.state()
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
        if self.config.load_dir is not None and self.config.load_step is None:
            self.config.load_step = latest_valid_step(self.config.load_dir)
        path = self.config.load_checkpoint
        if self.config.load_dir is not None:
            path = self.config.load_dir / f"step-{self.config.load_step:09d}.ckpt"
        if path is not None:
            state = read_checkpoint(path)
            check_same_settings(path, state, self.pipeline, self.optimizers.optimizers["fields"])
            if self.pipeline.model.quantiser is not None:
                self.pipeline.model.quantiser.load(state)
        super()._load_checkpoint()
        self.step = max(0, self._start_step - 1)
        for group in self.config.optimizers.values():
            scheduler = group["scheduler"]
            if isinstance(scheduler, ExponentialDecayConfig) and scheduler.max_steps is None:
                # to nerfstudio max_num_iterations are those that a run which goes on still makes
                scheduler.max_steps = self._start_step + self.config.max_num_iterations
        if self._start_step:
            self._set_learning_rates()

    def _set_learning_rates(self) -> None:
        """Those of the settings: the states of optimisers and schedules bring those of the checkpoint along."""
        for name, optimizer in self.optimizers.optimizers.items():
            rate, schedule = self.config.optimizers[name]["optimizer"].lr, self.optimizers.schedulers.get(name)
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] = rate
            if schedule is not None:
                schedule.base_lrs = [rate] * len(optimizer.param_groups)
                for group, factor in zip(optimizer.param_groups, schedule.lr_lambdas, strict=True):
                    group["lr"] = rate * factor(schedule.last_epoch)
