"""The .sine file: magic, version, a bounded header, a table of tensors, their numbers, a checksum. See docs/format.md.

Nothing in a file is executed, and no size in it is believed before it was checked against the bounds below.
"""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sinenerf.codec.entropy import CodecError, EntropyModel, decode, encode
from sinenerf.codec.tensor_table import Coded, Entry, Stored, read_varint, size_of, values_of, varint

MAGIC = b"SINE"
VERSION = 1
"""Version of the format."""
OCCUPANCY = 1
"""Kind of a file that holds an occupancy field."""
RADIANCE = 2
"""Kind of a file that holds a radiance field."""
ADAPTER = 3
"""Kind of a file that holds a PEFT adapter."""

LARGEST_FILE = 2**26
LARGEST_HEADER = 2**20
LARGEST_COUNT = 2**22
"""Numbers in all tensors together, of a field."""
LARGEST_ADAPTER = 2**24
"""The same of an adapter: those of language models have millions."""
LARGEST_TABLES = 2**20
"""Steps of making all tensors' tables of frequencies, beside one for each number: few bytes can ask for many."""

Shapes = Sequence[tuple[int, ...]]
T = TypeVar("T")


def short(value: float) -> float:
    """A header's float32 as the nearest decimal of seven digits: 0.1, where float64 would make 0.10000000149 of it."""
    return float(f"{value:.7g}")


def check_bounds(settings: object, bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raise CodecError where one of the settings, by name, is outside its bounds in a header."""
    for name, (low, high) in bounds.items():
        value = getattr(settings, name)
        if not low <= value <= high:
            raise CodecError(f"{name} is {value}: a file holds {low} to {high}")


def check_count(kind: int, count: int) -> None:
    """Raise CodecError where all tensors together hold too many numbers."""
    largest = LARGEST_ADAPTER if kind == ADAPTER else LARGEST_COUNT
    if count > largest:
        raise CodecError(f"{count:,} numbers are beyond the format's bound of {largest:,}")


def check_tables(models: Sequence[EntropyModel], count: int) -> None:
    """Raise CodecError where the tables of frequencies are too large for so many numbers."""
    steps = sum(model.bound + 1 for model in models)
    if steps > LARGEST_TABLES + count:
        raise CodecError(
            f"{steps:,} frequencies are beyond the format's bound of {LARGEST_TABLES:,} and one more for each of "
            f"{count:,} numbers. Fewer bits a number need fewer"
        )


def pack(kind: int, header: bytes, tensors: Sequence[Stored]) -> bytes:
    """A file, whole.

    Raises:
        CodecError: an integer, a size or a step that the format does not have.
    """
    count = sum(size_of(tensor) for tensor in tensors)
    check_count(kind, count)
    table, raw, coded = b"", b"", []
    for tensor in tensors:
        if isinstance(tensor, Coded):
            entry, values = Entry.of(tensor)
            assert entry.model is not None
            table += entry.to_bytes()
            coded.append((values, entry.model))
        else:
            table += b"\0\0"
            raw += np.ascontiguousarray(tensor, dtype="<f4").tobytes()
    check_tables([model for _, model in coded], count)
    if len(header) > LARGEST_HEADER:
        raise CodecError(f"a header of {len(header):,} bytes is beyond the format's bound of {LARGEST_HEADER:,}")
    body = MAGIC + bytes([VERSION, kind]) + varint(len(header)) + header + table + raw + encode(coded)
    if len(body) + 4 > LARGEST_FILE:
        raise CodecError(f"a file of {len(body) + 4:,} bytes is beyond the format's bound of {LARGEST_FILE:,}")
    return body + struct.pack("<I", zlib.crc32(body))


@dataclass(frozen=True)
class Container:
    """A file whose checksum is right."""

    kind: int
    header: bytes
    body: bytes
    """Table and numbers."""
    size: int
    """Bytes of the whole file."""

    @classmethod
    def open(cls, path: Path) -> "Container":
        """Read a file.

        Raises:
            FileNotFoundError: no such file.
            CodecError: not a .sine file, damaged, or of a newer version.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
        if path.stat().st_size > LARGEST_FILE:
            raise CodecError(f"{path}: is no .sine file: it is larger than {LARGEST_FILE >> 20} MiB")
        try:
            return cls.parse(path.read_bytes())
        except CodecError as error:
            raise CodecError(f"{path}: {error}") from None

    @classmethod
    def parse(cls, data: bytes) -> "Container":
        """Check the frame of a file's bytes."""
        if data[:4] != MAGIC or len(data) < 11:
            raise CodecError("is not a .sine file. Make one with: sinenerf fit MESH --output shape.sine")
        if data[4] != VERSION:
            raise CodecError(f"is of version {data[4]}; this sinenerf reads up to version {VERSION}. Upgrade sinenerf")
        if len(data) > LARGEST_FILE or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
            raise CodecError("is damaged: its checksum is wrong")
        length, start = read_varint(data[:-4], 6)
        if length > LARGEST_HEADER or start + length > len(data) - 4:
            raise CodecError("is damaged: its header is cut off")
        return cls(data[5], data[start : start + length], data[start + length : -4], len(data))

    def tensors(self, shapes: Shapes) -> list[Stored]:
        """The tensors, whose shapes the header tells.

        Raises:
            CodecError: the numbers are not exactly these tensors, or are not finite.
        """
        counts, table = self._table(shapes)
        place = sum(entry.table_bytes for entry in table)
        coded = [(count, entry.model) for count, entry in zip(counts, table, strict=True) if entry.model]
        raw_bytes = 4 * sum(count for count, entry in zip(counts, table, strict=True) if not entry.model)
        if place + raw_bytes > len(self.body):
            raise CodecError("is damaged: its numbers are cut off")
        decoded = iter(decode(memoryview(self.body)[place + raw_bytes :], coded))
        tensors: list[Stored] = []
        for shape, count, entry in zip(shapes, counts, table, strict=True):
            if entry.model:
                tensors.append(Coded(entry.integers(next(decoded)).reshape(shape), entry.step))
            else:
                values = np.frombuffer(self.body, "<f4", count, place).astype(np.float32)
                tensors.append(values.reshape(shape))
                place += 4 * count
            if not np.isfinite(values_of(tensors[-1])).all():
                raise CodecError("is damaged: it holds numbers that are not finite")
        return tensors

    def sizes(self, tensors: Sequence[Stored]) -> list[tuple[float, int]]:
        """(bits of the numbers, bytes of the table) of each of this file's tensors."""
        counts, table = self._table([(size_of(tensor),) for tensor in tensors])
        return [
            (e.model.bits(e.stored(t.integers)) if e.model and isinstance(t, Coded) else 32.0 * n, e.table_bytes)
            for n, e, t in zip(counts, table, tensors, strict=True)
        ]

    def _table(self, shapes: Shapes) -> tuple[list[int], list["Entry"]]:
        counts = [int(np.prod(shape, dtype=object)) for shape in shapes]
        check_count(self.kind, sum(counts))
        table, place = [], 0
        for _ in shapes:
            entry = Entry.read(self.body, place)
            place += entry.table_bytes
            table.append(entry)
        check_tables([entry.model for entry in table if entry.model], sum(counts))
        return counts, table


def read(path: Path, decode: Callable[[Container], T]) -> T:
    """Open a file and decode its contents.

    Raises:
        FileNotFoundError: no such file.
        CodecError: as `Container.open`, or what `decode` raises with the path before it.
    """
    container = Container.open(path)
    try:
        return decode(container)
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None
