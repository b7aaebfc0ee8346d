"""The settings of a field in the header of its .sine file, at the bits that `sinenerf.common.settings` declares.

A header begins with the settings, which are one little-endian integer here; docs/format.md gives the same layout in
bytes.
"""

import struct
from typing import Any, Literal, TypeVar, get_args, get_origin

from sinenerf.codec.container import shortest_decimal
from sinenerf.codec.entropy import CodecError
from sinenerf.common.settings import stored_fields

T = TypeVar("T")


def check_storable(config: Any) -> None:
    """Raise CodecError, naming the setting, where a number is outside its bounds in a file."""
    for f, stored in stored_fields(config):
        value = getattr(config, f.name)
        if stored.bounds is not None and not stored.bounds[0] <= value <= stored.bounds[1]:
            low, high = stored.bounds
            raise CodecError(f"{f.name} is {value}: a file holds {low} to {high}")


def pack_settings(config: Any) -> int:
    """The stored settings of a dataclass as one integer. All must be storable."""
    return sum(_encode(f.type, getattr(config, f.name)) << stored.bit for f, stored in stored_fields(config))


def unpack_settings(kind: type[T], packed: int) -> tuple[T, int]:
    """(dataclass, bits that belong to none of its settings) from the integer of `pack_settings`.

    Raises:
        CodecError: a choice that the format does not have, or a number outside its bounds.
    """
    values, rest = {}, packed
    for f, stored in stored_fields(kind):
        mask = (1 << stored.bits) - 1
        rest &= ~(mask << stored.bit)
        values[f.name] = _decode(f.name, f.type, packed >> stored.bit & mask)
    config = kind(**values)
    check_storable(config)
    return config, rest


def _encode(kind: Any, value: Any) -> int:
    if kind is float:
        return int.from_bytes(struct.pack("<f", value), "little")
    if get_origin(kind) is Literal:
        return get_args(kind).index(value)
    if get_origin(kind) is tuple:
        return sum(1 << _encode(get_args(kind)[0], item) for item in set(value))
    return int(value)


def _decode(name: str, kind: Any, code: int) -> Any:
    if kind is float:
        return shortest_decimal(struct.unpack("<f", code.to_bytes(4, "little"))[0])
    if get_origin(kind) is Literal:
        if code >= len(get_args(kind)):
            raise CodecError(f"the format has no {name} with number {code}")
        return get_args(kind)[code]
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return tuple(_decode(name, item, index) for index in range(code.bit_length()) if code >> index & 1)
    return kind(code)
