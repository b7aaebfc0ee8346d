"""Checks of single values, with one-line errors that name the value, and pairs of settings that exclude each other."""

import math
from numbers import Integral
from typing import Any, get_args


def check_choice(name: str, value: Any, choices: Any) -> None:
    """Raise ValueError unless a value is one of the choices of a Literal."""
    if value not in get_args(choices):
        raise ValueError(f"no {name} is called {value!r}: choose {' or '.join(get_args(choices))}")


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless a value is positive and finite."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value}: it must be positive and finite")


def check_whole(name: str, value: Any) -> None:
    """Raise ValueError unless a value is a whole number or None: TOML reads 4e3 as a float."""
    if not (value is None or isinstance(value, Integral)):
        raise ValueError(f"{name} is {value}: it must be a whole number")


def check_seed(seed: Any) -> None:
    """Raise ValueError unless a seed is a whole number of 0 or more, as numpy requires."""
    check_whole("seed", seed)
    if seed < 0:
        raise ValueError(f"seed is {seed}: it must be 0 or more")


def file_size(parameters: int, bits: float | None, bytes: int | None, default_bits: float | None = None) -> int | None:
    """Largest size of a file in bytes, from whichever of two settings is given.

    Returns:
        bytes, or None for float32: 32 bits per parameter, or neither setting and no default.

    Raises:
        ValueError: both are given, or one is not positive.
    """
    _check_one_of(bits=bits, bytes=bytes)
    if bytes is not None:
        return bytes
    bits = default_bits if bits is None else bits
    return int(bits * parameters / 8) if bits is not None and bits < 32 else None


def training_budget(minutes: float | None, steps: int | None, default_minutes: float) -> tuple[float, int]:
    """(seconds, steps) from whichever of two settings is given: training ends when the first is reached.

    Raises:
        ValueError: both are given, or one is not positive.
    """
    _check_one_of(minutes=minutes, steps=steps)
    if steps is not None:
        return math.inf, steps
    return 60 * (default_minutes if minutes is None else minutes), 2**62


def _check_one_of(**settings: float | None) -> None:
    if None not in settings.values():
        raise ValueError(f"give {' or '.join(settings)}, not both")
    for name, value in settings.items():
        if value is not None:
            check_positive(name, value)
