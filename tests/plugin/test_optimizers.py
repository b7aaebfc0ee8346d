"""Learning rates, and those of a run that resumes."""

import pytest
import torch
from support.tiny_runs import make_trainer, set_up, tiny_config

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.plugin.optimizers import ExponentialDecayConfig, FieldOptimizerConfig, LinearDecayConfig


def test_a_resumed_run_follows_its_schedule(small, scene, tmp_path):
    """nerfstudio's max_num_iterations counts further steps: the schedule must not end before them."""
    small.save_checkpoint(5)
    again = make_trainer("sine-nerf-small", scene, tmp_path, steps=6, load_dir=small.checkpoint_dir)
    (schedule,) = again.optimizers.schedulers.values()
    assert [small.optimizers.schedulers["fields"].lr_lambdas[0](step) for step in (0, 2, 4)] == pytest.approx(
        [1, 0.505, 0.01]
    )
    assert schedule.lr_lambdas[0](6) == pytest.approx(0.505) and schedule.lr_lambdas[0](12) == pytest.approx(0.01)


def test_a_resumed_run_uses_the_given_learning_rate(small, scene, tmp_path):
    """As the message after a loss that is not finite advises."""
    small.train_iteration(0)
    small.save_checkpoint(0)
    config = tiny_config("sine-nerf-small", scene, tmp_path / "again", load_dir=small.checkpoint_dir)
    config.optimizers["fields"]["optimizer"].lr = 1e-4
    again = set_up(config)
    optimizer = again.optimizers.optimizers["fields"]
    factor = again.optimizers.schedulers["fields"].lr_lambdas[0]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor(1))
    again.train_iteration(1)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-4 * factor(2))


@pytest.mark.parametrize(
    "kind, rates",
    [(LinearDecayConfig, [0.5, 0.91, 0.55, 0.1, 0.1]), (ExponentialDecayConfig, [0.5, 0.1**0.1, 0.1**0.5, 0.1, 0.1])],
)
def test_a_linear_schedule_stays_larger_for_longer(kind, rates):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = FieldOptimizerConfig(kind="adam", lr=1.0).setup([parameter])
    config = kind(final_ratio=0.1, warmup_steps=1, max_steps=10)
    (factor,) = config.setup().get_scheduler(optimizer, 1.0).lr_lambdas
    assert [factor(step) for step in (0, 1, 5, 10, 12)] == pytest.approx(rates)
