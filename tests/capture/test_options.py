"""Settings of a capture that are refused before any work."""

import pytest

from sinenerf.capture.options import CaptureOptions


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 2}, "frames is 2: give 3 or more"),
        ({"min_placed": 2}, "min_placed is 2: give 3 or more"),
        ({"seed": -1}, "seed is -1: it must be 0 or more"),
        ({"size": 0}, "size is 0: it must be positive"),
    ],
)
def test_settings_that_make_no_scene_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CaptureOptions(**settings)


def test_the_number_of_a_films_pictures_is_no_setting_of_photographs():
    """A finished scene of a folder was refused as one of other settings."""
    some, more = CaptureOptions(frames=50, threads=1), CaptureOptions(threads=2)
    assert some.result_settings(film=False) == more.result_settings(film=False)
    assert some.result_settings(film=True) != more.result_settings(film=True)
