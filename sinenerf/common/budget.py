"""How long a training may take, and how large its file may be: settings that come in pairs."""

import math

from sinenerf.common.choices import check_positive


def file_size(parameters: int, bits: float | None, bytes: int | None, default_bits: float | None = None) -> int | None:
    """Bytes that a file may have, from one of two settings; None for float32: 32 bits, or neither and no default.

    Raises:
        ValueError: both are given, or one is not positive.
    """
    _check_one_of(bits=bits, bytes=bytes)
    if bytes is not None:
        return bytes
    bits = default_bits if bits is None else bits
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
        if value is not None:
            check_positive(name, value)
