"""Settings that would do nothing are refused."""

import pytest

from sinenerf.occupancy.unused_settings import check_all_used


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": "dense", "rank": 4}, "--rank does nothing with --layer dense"),
        ({"layer": "dense", "anchored": False}, "--anchored does"),
        ({"bytes": 28_000, "omega": 5.0}, "--omega does nothing with --layer dense"),  # which is chosen for the size
        ({"layer": "low-rank", "learn_gain": True}, "--learn-gain does nothing with --layer low-rank"),
        ({"init": "paper", "spread": 2.0}, "--spread does nothing with --init paper"),
        ({"activation": "relu", "bandwidth": 5.0}, "--bandwidth does nothing with --activation relu"),
        ({"resolution": 64}, "--resolution does nothing with --sampler surface"),
        ({"sampler": "grid", "near": 0.5}, "--near does nothing with --sampler grid"),
        ({"steps": 5, "clock": "processor"}, "--clock does nothing with --steps"),
    ],
)
def test_what_does_nothing_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        check_all_used(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"rank": 4, "bytes": 28_000},  # a sine, for its rank
        {"layer": "low-rank", "rank": 4, "anchored": False},
        {"layer": "sine", "bytes": 28_000, "spread": 2.0, "omega": 5.0},
        {"init": "paper", "omega": 200.0},
        {"sampler": "grid", "resolution": 64, "minutes": 1.0, "clock": "processor"},
        {"layer": "dense", "pool": 1000, "omega": 3.0, "resolution": 512},  # the command line gives the defaults, too
    ],
)
def test_what_is_used_is_accepted(settings):
    check_all_used(settings)
