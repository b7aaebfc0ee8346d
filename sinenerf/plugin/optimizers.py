"""Optimisers for training a field, and the decay of their learning rates: settings that `ns-train --help` shows."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from nerfstudio.engine.optimizers import AdamOptimizerConfig, OptimizerConfig, Optimizers
from nerfstudio.engine.schedulers import Scheduler, SchedulerConfig
from torch.optim.lr_scheduler import LambdaLR

from sinenerf.common.optimization import make_optimizer
from sinenerf.common.settings import OptimizerKind


@dataclass
class FusedAdamConfig(AdamOptimizerConfig):
    """Adam in one kernel: for many tiny tensors, calls cost more than arithmetic."""

    fused: bool = True
    """One call for all parameters."""


@dataclass(kw_only=True)
class FieldOptimizerConfig(OptimizerConfig):
    """Optimiser of the networks. `_target` and `eps` of the base class are unused."""

    kind: OptimizerKind = "soap"
    """soap: Adam in the eigenbasis of each matrix's gradients. Its steps are slower, but it learns more in the same
    time, except with a sine whose spread is a radian or more. adam: plain Adam."""
    lr: float = 1e-2
    """Initial learning rate."""

    def setup(self, params: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return make_optimizer(self.kind, params, self.lr)


@dataclass
class ExponentialDecayConfig(SchedulerConfig):
    """The learning rate falls exponentially, after a linear warm-up.

    nerfstudio's own schedule has numpy scalars in its state, which `torch.load(weights_only=True)` refuses.
    """

    _target: type = field(default_factory=lambda: ExponentialDecay)
    final_ratio: float = 0.1
    """Final learning rate, as a fraction of the initial one."""
    warmup_steps: int = 0
    """Steps of linear warm-up."""
    max_steps: int | None = None
    """Step at which the final learning rate is reached; by default the run's last."""

    def share(self, done: float) -> float:
        """Learning rate, as a share of the initial one, when a share `done` of the steps is over."""
        return self.final_ratio**done


@dataclass
class LinearDecayConfig(ExponentialDecayConfig):
    """The learning rate falls linearly: it stays larger for longer, which suits short trainings."""

    def share(self, done: float) -> float:
        return 1 - done * (1 - self.final_ratio)


class ExponentialDecay(Scheduler):
    """The schedule of an `ExponentialDecayConfig` or a `LinearDecayConfig`."""

    config: ExponentialDecayConfig

    def get_scheduler(self, optimizer: torch.optim.Optimizer, lr_init: float) -> LambdaLR:
        config = self.config

        def factor(step: int) -> float:
            warmup = min(1.0, (step + 1) / (config.warmup_steps + 1))
            return float(warmup * config.share(min(step / (config.max_steps or 1), 1.0)))

        return LambdaLR(optimizer, factor)


def set_rates(optimizers: Optimizers, end: int) -> None:
    """Set the learning rates from the settings, since loading a checkpoint has restored the old ones.

    Args:
        end: the run's total number of steps, where schedules without their own `max_steps` end.
    """
    for group in optimizers.config.values():
        scheduler = group["scheduler"]
        if isinstance(scheduler, ExponentialDecayConfig) and scheduler.max_steps is None:
            scheduler.max_steps = end
    for name, optimizer in optimizers.optimizers.items():
        rate, schedule = optimizers.config[name]["optimizer"].lr, optimizers.schedulers.get(name)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = rate
        if isinstance(schedule, LambdaLR):
            schedule.base_lrs = [rate] * len(optimizer.param_groups)
            for group, factor in zip(optimizer.param_groups, schedule.lr_lambdas, strict=True):
                group["lr"] = rate * factor(schedule.last_epoch)
