"""Checks of settings, each with one line that names the setting."""

import math
from numbers import Integral
from typing import Any, get_args


def check_choice(name: str, value: Any, kinds: Any) -> None:
    """Raise ValueError unless the value of a setting is one of a Literal's."""
    if value not in get_args(kinds):
        raise ValueError(f"no {name} is called {value!r}: choose {' or '.join(get_args(kinds))}")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless the value of a setting is positive and finite."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}: it must be positive and finite")


def check_whole(name: str, value: Any) -> None:
    """Raise ValueError unless the value of a setting is a whole number, or left out: TOML has 4e3 as a float."""
    if not (value is None or isinstance(value, Integral)):
        raise ValueError(f"{name} is {value}: it must be a whole number")


def check_seed(seed: Any) -> None:
    """Raise ValueError unless numpy takes a seed: a whole number, not negative."""
    check_whole("seed", seed)
    if seed < 0:
        raise ValueError(f"seed is {seed}: it must be 0 or more")
