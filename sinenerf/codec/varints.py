"""Whole numbers in few bytes (LEB128): seven bits a byte, lowest first; the highest bit is set where more follow."""

from sinenerf.codec.entropy import CodecError

LONGEST = 4
"""Bytes of the longest varint, except where the format allows another length."""


def varint(value: int) -> bytes:
    """A number that is not negative."""
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def read_varint(data: bytes, offset: int, longest: int = LONGEST) -> tuple[int, int]:
    """(value, offset after it).

    Raises:
        CodecError: it is cut off, or has more than `longest` bytes.
    """
    value = 0
    for index, byte in enumerate(data[offset : offset + longest]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, offset + index + 1
    raise CodecError("is damaged: a number is cut off or too large")


def signed_varint(value: int) -> bytes:
    """0, -1, 1, -2, ... as the varints 0, 1, 2, 3, ..."""
    return varint(2 * abs(value) - (value < 0))


def read_signed_varint(data: bytes, offset: int, longest: int = LONGEST) -> tuple[int, int]:
    """(value, offset after it).

    Raises:
        CodecError: as `read_varint`.
    """
    code, offset = read_varint(data, offset, longest)
    return (code // 2 if code % 2 == 0 else -(code + 1) // 2), offset
