"""Settings of a fit that would do nothing, since another one leaves them no part."""

from dataclasses import fields
from typing import Any

from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.sizing import split_settings

OF_THE_SINE = ("omega", "spread", "init", "learn_omega", "learn_gain")
IDLE = (
    ("layer", "dense", ("rank", "anchored", *OF_THE_SINE)),
    ("layer", "low-rank", OF_THE_SINE),
    ("init", "paper", ("spread",)),
    ("activation", "relu", ("bandwidth",)),
    ("sampler", "surface", ("resolution",)),
    ("sampler", "grid", ("pool", "near", "distance")),
)
"""(setting, value, the settings that do nothing with it)."""


def check_all_used(settings: dict[str, Any]) -> None:
    """Refuse settings that do nothing with the others. A value that is the default counts as left out.

    Args:
        settings: as for `sizing.split_settings`, which chooses those that are left out.

    Raises:
        ValueError: a setting is unknown, out of bounds, or does nothing.
    """
    defaults = {
        f.name: None if f.metadata["chosen_for_size"] else f.default
        for kind in (OccupancyConfig, FitConfig)
        for f in fields(kind)
    }
    architecture, training = split_settings(settings)
    used = vars(architecture) | vars(training)
    given = [name for name, value in settings.items() if value != defaults[name]]
    for setting, value, idle in IDLE:
        for name in idle:
            if used[setting] == value and name in given:
                raise ValueError(_refusal(name, f"{_option(setting)} {value}"))
    if used["steps"] is not None and "clock" in given:
        raise ValueError(_refusal("clock", "--steps"))


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _refusal(name: str, other: str) -> str:
    return f"{_option(name)} does nothing with {other}. Leave it out"
