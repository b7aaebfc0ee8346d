"""The settings of a field in the header of its .sine file, as `sinenerf.common.settings` declares them.

A header begins with the settings in bits, one little-endian integer here; docs/format.md gives the same layout in
bytes. Settings that are numbers of one byte or more stand where the header puts them.
"""

import struct
from collections.abc import Iterable
from typing import Any, Literal, TypeVar, get_args, get_origin

from sinenerf.codec.container import shortest_decimal
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.varints import read_varint, varint
from sinenerf.common.settings import fields_in_bits, number_fields, stored_fields

T = TypeVar("T")


def check_storable(config: Any) -> None:
    """Raise CodecError, naming the setting, where a number is outside its bounds in a file."""
    for f, stored in stored_fields(config):
        value = getattr(config, f.name)
        if stored.bounds is not None and not stored.bounds[0] <= value <= stored.bounds[1]:
            low, high = stored.bounds
            raise CodecError(f"{f.name} is {value}: a file holds {low} to {high}")


def pack_settings(config: Any) -> int:
    """The settings of a dataclass that are stored in bits, as one integer. All must be storable."""
    return sum(_encode(f.type, getattr(config, f.name)) << stored.bit for f, stored in fields_in_bits(config))


def unpack_settings(kind: type[T], packed: int) -> tuple[T, int]:
    """(dataclass, bits that belong to none of its settings) from the integer of `pack_settings`.

    Raises:
        CodecError: a choice that the format does not have, or a number outside its bounds.
    """
    values, rest = {}, packed
    for f, stored in fields_in_bits(kind):
        mask = (1 << stored.bits) - 1
        rest &= ~(mask << stored.bit)
        values[f.name] = _decode(f.name, f.type, packed >> stored.bit & mask)
    config = kind(**values)
    check_storable(config)
    return config, rest


def pack_numbers(config: Any, names: Iterable[str]) -> bytes:
    """The `StoredNumber` settings of these names, one after the other. All must be storable."""
    stored, data = {f.name: stored for f, stored in number_fields(config)}, b""
    for name in names:
        (single,) = struct.unpack("<f", struct.pack("<f", getattr(config, name)))
        value, parts = shortest_decimal(single), stored[name].parts
        count = round(value * parts)
        data += varint(count) if count > 0 and count / parts == value else b"\0" + struct.pack("<f", single)
    return data


def read_numbers(kind: type, names: Iterable[str], data: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """(values by name, offset after them) from the bytes of `pack_numbers`.

    Raises:
        CodecError: they are cut off.
    """
    stored, values = {f.name: (f.type, stored) for f, stored in number_fields(kind)}, {}
    for name in names:
        of, number = stored[name]
        count, offset = read_varint(data, offset)
        if of is int or count:
            values[name] = count if of is int else count / number.parts
        else:
            if offset + 4 > len(data):
                raise CodecError("is damaged: its header has the wrong length")
            values[name], offset = shortest_decimal(struct.unpack_from("<f", data, offset)[0]), offset + 4
    return values, offset


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
