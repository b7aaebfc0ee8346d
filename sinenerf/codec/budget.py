"""How long a training may take, and how large its file may be: settings that come in pairs."""

import math


def file_size(parameters: int, bits: float | None, bytes: int | None) -> int | None:
    """Bytes that a file may have, from one of two settings; None for float32: neither is given, or 32 bits.

    Raises:
        ValueError: both are given, or one is not positive.
    """
    _check_one_of(bits=bits, bytes=bytes)
    if bytes is not None:
        return bytes
    return int(bits * parameters / 8) if bits is not None and bits < 32 else None


def training_budget(minutes: float | None, steps: int | None, default_minutes: float) -> tuple[float, int]:
    """(seconds, steps) from one of two settings: training ends with the first that is reached.

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
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} is {value}: it must be positive")
