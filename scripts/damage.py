"""Random damage to .sine files, which `scripts/fuzz.py` reads: bits and bytes, lengths, the header, tails of others."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sinenerf.codec.entropy import CodecError
from sinenerf.codec.varints import read_varint, varint

SEALED = 0.95
"""Share of the damaged files whose checksum is made right again, so that decoding goes deep."""
TELLING = [0, 1, 2, 127, 128, 255, 256, 2**14, 2**15, 2**16 - 1, 2**22, 2**24, 2**28 - 1, 2**31, 2**32 - 1]
"""Integers at the ends of ranges."""
FLOATS = [0.0, -0.0, 1.0, -1.0, 1e-45, 1e9, 1.1e9, 3e38, float("inf"), float("-inf"), float("nan")]
"""float32 at the ends of ranges."""


def golden_files(folder: Path) -> list[bytes]:
    """The bytes of all golden files."""
    return [path.read_bytes() for path in sorted(folder.rglob("*.sine"))]


def resealed(data: bytes) -> bytes:
    """The same bytes with a right checksum."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def header_of(data: bytes) -> tuple[int, int]:
    """(start, end) of the header in an undamaged file."""
    length, start = read_varint(data, 6)
    return start, start + length


def damaged(random: np.random.Generator, files: Sequence[bytes]) -> bytes:
    """One of these files with one to four changes; never the file itself."""
    original = files[random.integers(len(files))]
    data = original
    for _ in range(min(4, random.geometric(0.5))):
        data = DAMAGES[random.integers(len(DAMAGES))](random, data, files)
        if len(data) < 12:
            break
    sealed = len(data) > 4 and random.random() < SEALED
    data = resealed(data) if sealed else data
    return data if data != original else damaged(random, files)


def flip_bits(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(random.integers(1, 5)):
        changed[random.integers(len(data))] ^= 1 << random.integers(8)
    return bytes(changed)


def replace_bytes(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    start, length = random.integers(len(data)), random.integers(1, 9)
    return data[:start] + random.bytes(length) + data[start + length :]


def cut_end(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    end = random.integers(len(data)) if random.random() < 0.5 else max(0, len(data) - random.integers(1, 20))
    return data[:end]


def remove_or_insert(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    start, length = random.integers(len(data)), random.integers(1, 40)
    return data[:start] + (data[start + length :] if random.random() < 0.5 else random.bytes(length) + data[start:])


def splice(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    """The head of this file and the tail of another, cut at any place or behind their headers."""
    other = files[random.integers(len(files))]
    if random.random() < 0.5:
        return data[: random.integers(len(data))] + other[random.integers(len(other)) :]
    _, end = header_of(other)
    return data[:end] + other[end:]


def change_varint(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    """Another number, as a varint, for a byte of the file, more often of its first 300, where the lengths stand."""
    start = random.integers(5, max(6, min(len(data), 300 if random.random() < 0.7 else len(data))))
    number = TELLING[random.integers(len(TELLING))] if random.random() < 0.7 else int(random.integers(2**28))
    return data[:start] + varint(number) + data[start + 1 :]


def change_header(random: np.random.Generator, data: bytes, files: Sequence[bytes]) -> bytes:
    """Another number for a field of the header: one, two or four bytes."""
    try:
        start, end = header_of(data)
    except CodecError:
        return data
    place = int(random.integers(start, max(start + 1, min(end, len(data)))))
    size = (1, 2, 4, 4)[random.integers(4)]
    if size == 4 and random.random() < 0.7:
        field_bytes = struct.pack("<f", np.float32(FLOATS[random.integers(len(FLOATS))]))
    else:
        field_bytes = (TELLING[random.integers(len(TELLING))] % 256**size).to_bytes(size, "little")
    return data[:place] + field_bytes + data[place + size :]


DAMAGES = [flip_bits, replace_bytes, cut_end, remove_or_insert, splice, change_varint, change_header, change_header]


def damaged_file(number: int, files: Sequence[bytes]) -> bytes:
    """File number n."""
    return damaged(np.random.default_rng(number), files)
