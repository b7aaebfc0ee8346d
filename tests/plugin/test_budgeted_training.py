"""Training within a budget, interrupted and resumed."""

import os
import signal

import pytest
import torch
from support.tiny_runs import budgeted_training

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
from sinenerf.common import training_clock
from sinenerf.plugin.budgeted_training import BudgetedTraining

TENSORF = {
    "pipeline.datamanager.train_num_rays_per_batch": 16,
    "pipeline.model.init_resolution": 16,
    "pipeline.model.final_resolution": 24,
    "pipeline.model.upsampling_iters": [4, 8],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("tensorf", TENSORF),  # its parameters are replaced when its grids grow
        ("sine-nerf-small", {"pipeline.model.width": 16, "pipeline.model.rank": 2, "pipeline.model.bits": 10}),
    ],
)
def test_an_interrupted_training_resumes(method, options, scene, tmp_path):
    first = budgeted_training(method, options, scene, tmp_path, 16)
    interrupt, count = first.trainer.train_iteration, []

    def at_step_ten(step):
        if step == 9:
            os.kill(os.getpid(), signal.SIGINT)
        count.append(step)
        return interrupt(step)

    first.trainer.train_iteration = at_step_ten
    assert not first.run()
    assert count == list(range(10))
    again = budgeted_training(method, options, scene, tmp_path, 16)
    steps, going = [], again.trainer.train_iteration
    again.trainer.train_iteration = lambda step: (steps.append(step), going(step))[1]
    before = {name: p.detach().clone() for name, p in first.trainer.pipeline.model.named_parameters()}
    again.resume()
    for name, parameter in again.trainer.pipeline.model.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name])
    assert again.run() and steps == list(range(10, 16)) and again.seconds > first.seconds
    moved = [n for n, p in again.trainer.pipeline.model.named_parameters() if not torch.equal(p.detach(), before[n])]
    learning = [n for n in before if "log_" not in n]  # the learned step sizes may no longer change
    assert len(moved) > len(learning) / 2  # the optimisers have the model's current parameters
    (tmp_path / "checkpoint.pt").write_bytes(b"broken")
    fresh = budgeted_training(method, options, scene, tmp_path, 2)
    assert fresh.run() and fresh.step == 2


class Counting(BudgetedTraining):
    """Steps of one second each; before the first one 100 s of compiling."""

    def _train_step(self):
        if self.step == 0:
            self.set_clock.compile(100.0)
        self.set_clock.now += 1.0

    def _report(self, before):
        self.set_clock.now += 50.0  # is not counted either

    def _state(self):
        return {}

    def _load_state(self, state):
        pass


def test_the_budget_is_not_spent_on_compiling_kernels(clock):
    training = Counting(max_seconds=4.0, max_steps=None)
    training.set_clock = clock
    assert training.run() and (training.step, training.seconds) == (4, 4.0)


def test_a_budget_can_be_counted_in_processor_time(clock, monkeypatch):
    monkeypatch.setattr(training_clock, "process_time", lambda: clock.now / 2)
    training = Counting(max_seconds=4.0, max_steps=None, clock="processor")
    training.set_clock = clock
    assert training.run() and (training.step, training.seconds) == (8, 4.0)
