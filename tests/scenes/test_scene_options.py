"""The settings of `sinenerf scene`."""

import pytest

from sinenerf.scenes.scene_options import SceneOptions


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"minutes": 0}, "minutes is 0: it must be positive"),
        ({"minutes": 1, "steps": 2}, "give minutes or steps, not both"),
        ({"steps": 1.5}, "steps is 1.5: it must be a whole number"),
        ({"bytes": -1}, "bytes is -1: it must be positive"),
        ({"frames": 0}, "frames is 0: it must be positive"),
        ({"hold_every": 0}, "hold_every is 0: it must be positive"),
        ({"hold_every": 1}, "hold_every is 1: give 2 or more"),
        ({"seed": -1}, "seed is -1: it must be 0 or more"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        SceneOptions(**wrong)


def test_photographs_are_kept_as_large_as_the_training_wants_them():
    """They were captured at 1600 pixels whatever --size said; the longer side of upright ones is their height."""
    assert SceneOptions().capture_size == 1600
    assert SceneOptions(size=2400).capture_size == 4800


def test_the_length_of_the_film_does_not_change_the_training():
    assert SceneOptions(frames=2).training_settings() == SceneOptions().training_settings()
    assert SceneOptions(seed=2).training_settings() != SceneOptions().training_settings()
