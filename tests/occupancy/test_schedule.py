"""The end of a fit and its learning rate, given or found from the held-out loss."""

import math

import pytest
import torch

from sinenerf.occupancy import schedule
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.schedule import CONSTANT, Plateau, Schedule
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.training import Training
from tests.occupancy.test_training import interrupt_at


class Line(torch.nn.Module):
    """One logit for all points, which a test sets."""

    def __init__(self):
        super().__init__()
        self.logit = torch.nn.Parameter(torch.zeros(1))

    def forward(self, points):
        return self.logit.expand(len(points), 1)


def watched(loss_at, steps):
    """A plateau after `steps` steps of a network whose loss above the least one is `loss_at(step)`."""
    network = Line()
    plateau = Plateau(network, (torch.zeros(4, 3), torch.ones(4, 1)), "cross-entropy")
    for step in range(1, steps + 1):
        network.logit.data.fill_(-math.log(math.expm1(loss_at(step))))
        if plateau.step is None:
            plateau.observe(step)
    return plateau


def test_the_loss_is_flat_when_a_doubling_lowers_it_by_less_than_a_tenth():
    assert watched(lambda step: step**-0.5, 10_000).step is None  # 29 % a doubling
    assert watched(lambda step: step**-0.1, 10_000).step == 1000  # 7 %
    kink = watched(lambda step: max(step, 1) ** -0.5 if step < 2000 else 2000**-0.5, 20_000)
    assert 2000 < kink.step <= 4001 and kink.fall < schedule.FLAT


def test_soft_labels_have_a_least_loss():
    labels = torch.full((4, 1), 0.25)
    plateau = Plateau(Line(), (torch.zeros(4, 3), labels), "cross-entropy")
    plateau.network.logit.data.fill_(math.log(1 / 3))
    for step in range(1, 501):
        plateau.observe(step)
    assert plateau.losses == [pytest.approx(0, abs=1e-6)]


def test_a_given_end_fixes_progress_and_rate():
    known = Schedule(FitConfig(steps=10_000), None)
    assert [known.done(step, 1e6) for step in (0, 2500, 20_000)] == [0, 0.25, 1]
    rates = [known.rate(step, 0) for step in (0, 200, 4999, 7500, 10_000)]
    assert rates == pytest.approx([0.01, 1, 1, 0.5, 0]) and not known.waits(0, 0)
    assert Schedule(FitConfig(minutes=1), None).done(5, 30) == 0.5


def test_the_batch_grows_in_doublings():
    grows = Schedule(FitConfig(steps=100, growth=4.0), None)
    sizes = [grows.growth(step, 0) for step in range(101)]
    assert sizes == sorted(sizes) and set(sizes) == {1, 2, 4}
    assert (sizes[25], sizes[55], sizes[85]) == (1, 2, 4)
    assert {Schedule(FitConfig(steps=100), None).growth(step, 0) for step in range(101)} == {1}


def test_an_open_end_follows_from_the_plateau_or_from_the_time_allowed():
    plateau = watched(lambda step: 1.0, 400)
    ends = Schedule(FitConfig(bytes=12_000), plateau)
    assert ends.max_seconds == 240
    assert ends.waits(400, 10) and ends.done(400, 60) == 0.25 and "at most 3:50 left" in ends.time_left(400, 10)
    assert ends.done(400, 180) == 0.75 and not ends.waits(400, 180)  # the time was over first
    plateau.step = 1000
    assert [ends.done(step, 10) for step in (1000, 1500, 2000)] == [CONSTANT, 0.75, 1]
    assert ends.rate(1500, 10) == pytest.approx(0.5) and ends.time_left(1500, 30) == "0:10 left"


@pytest.mark.slow
def test_a_fit_ends_by_itself_and_resumes(torus, tmp_path, monkeypatch):
    """At twice the steps at which its loss was flat, wherever it was interrupted; all parameters are rounded."""
    monkeypatch.setattr(schedule, "FIRST", 20)
    monkeypatch.setattr(schedule, "FLAT", 0.5)
    settings = split_settings({"bytes": 300, "batch": 256, "pool": 20_000})
    history, output = [], tmp_path / "x.sine"
    straight = fit(torus, *settings, history=history)
    steps = history[-1]["step"]
    assert 80 <= steps < 5000 and straight.complete and straight.coded
    for step in (30, steps - 10):  # before the loss is flat, and after
        with monkeypatch.context() as patch:
            patch.setattr(Training, "_train_step", interrupt_at(step, Training._train_step))
            assert not fit(torus, *settings, output).complete
    resumed = fit(torus, *settings, output, history=history)
    assert resumed.complete and history[-1]["step"] == steps
    torch.testing.assert_close(resumed.state_dict(), straight.state_dict())
