"""The .sine file: magic, version, kind, header, a table of tensors, their values, a checksum. See docs/format.md.

Nothing in a file is executed, and every size in it is checked against the bounds below before it costs memory or time.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sinenerf.codec.entropy import CodecError, EntropyModel, decode, encode
from sinenerf.codec.tensor_table import TableEntry
from sinenerf.codec.tensors import QuantisedTensor, StoredTensor, size_of, values_of
from sinenerf.codec.varints import read_varint, varint
from sinenerf.common.files import check_file

MAGIC = b"SINE"
SUFFIX = ".sine"
"""Extension of the files."""
VERSION = 1
"""Version of the format."""
OCCUPANCY = 1
"""Kind of a file that holds an occupancy field."""
RADIANCE = 2
"""Kind of a file that holds a radiance field."""
ADAPTER = 3
"""Kind of a file that holds a PEFT adapter."""

LARGEST_FILE = 2**26
"""Bound on the bytes of a file."""
LARGEST_HEADER = 2**20
"""Bound on the bytes of a header."""
LARGEST_COUNT = 2**22
"""Bound on the values in all tensors of a field together."""
LARGEST_ADAPTER = 2**24
"""The same bound for an adapter: those of language models have millions of values."""
LARGEST_TABLES = 2**20
"""Bound on the entries of all frequency tables together, less one for each value: few bytes can ask for many."""

Shapes = Sequence[tuple[int, ...]]
T = TypeVar("T")


def shortest_decimal(value: float) -> float:
    """A header's float32 as the nearest decimal of seven digits: 0.1 instead of 0.10000000149."""
    return float(f"{value:.7g}")


def check_count(kind: int, count: int) -> None:
    """Raise CodecError where all tensors together have too many values."""
    largest = LARGEST_ADAPTER if kind == ADAPTER else LARGEST_COUNT
    if count > largest:
        raise CodecError(f"{count:,} values are beyond the format's bound of {largest:,}")


def check_tables(models: Sequence[EntropyModel], count: int) -> None:
    """Raise CodecError where the frequency tables of these models are too large for `count` values."""
    frequencies = sum(model.bound + 1 for model in models)
    if frequencies > LARGEST_TABLES + count:
        raise CodecError(
            f"{frequencies:,} frequencies are beyond the format's bound of {LARGEST_TABLES:,} and one more for each of "
            f"{count:,} values. Fewer bits per value need fewer"
        )


def pack(kind: int, header: bytes, tensors: Sequence[StoredTensor]) -> bytes:
    """All bytes of a file.

    Raises:
        CodecError: an integer, a size or a step is out of the format's bounds, or a value is not finite.
    """
    count = sum(size_of(tensor) for tensor in tensors)
    check_count(kind, count)
    table, raw, coded = bytearray(), bytearray(), []  # which grow without a copy of what is there
    for tensor in tensors:
        if isinstance(tensor, QuantisedTensor):
            entry, symbols = TableEntry.of(tensor)
            assert entry.model is not None
            table += entry.to_bytes()
            coded.append((symbols, entry.model))
        elif not np.isfinite(tensor).all():
            raise CodecError("values that are not finite cannot be written. Train with a lower learning rate")
        else:
            table += b"\0\0"
            raw += np.ascontiguousarray(tensor, dtype="<f4").tobytes()
    check_tables([model for _, model in coded], count)
    if len(header) > LARGEST_HEADER:
        raise CodecError(f"a header of {len(header):,} bytes is beyond the format's bound of {LARGEST_HEADER:,}")
    data = MAGIC + bytes([VERSION, kind]) + varint(len(header)) + header + table + raw + encode(coded)
    if len(data) + 4 > LARGEST_FILE:
        raise CodecError(f"a file of {len(data) + 4:,} bytes is beyond the format's bound of {LARGEST_FILE:,}")
    return data + struct.pack("<I", zlib.crc32(data))


@dataclass(frozen=True)
class Container:
    """An opened file with a valid checksum."""

    kind: int
    header: bytes
    body: bytes
    """Table and values."""
    size: int
    """Bytes of the whole file."""

    @classmethod
    def open(cls, path: Path) -> "Container":
        """Read a file.

        Raises:
            FileNotFoundError: no such file.
            IsADirectoryError: it is a folder.
            CodecError: not a .sine file, damaged, or of a newer version.
        """
        check_file(path, "Give a .sine file")
        if path.stat().st_size > LARGEST_FILE:
            raise CodecError(f"{path}: is not a .sine file: it is larger than {LARGEST_FILE >> 20} MiB")
        with naming(path):
            return cls.parse(path.read_bytes())

    @classmethod
    def parse(cls, data: bytes) -> "Container":
        """Check magic, version, checksum and the length of the header.

        Raises:
            CodecError: not the bytes of a .sine file, damaged, or of a newer version.
        """
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

    def tensors(self, shapes: Shapes) -> list[StoredTensor]:
        """The tensors of the file, given their shapes.

        Raises:
            CodecError: the body does not hold exactly these tensors, or values that are not finite.
        """
        counts, table = self._table(shapes)
        offset = sum(entry.table_bytes for entry in table)
        coded = [(count, entry.model) for count, entry in zip(counts, table, strict=True) if entry.model]
        raw_bytes = 4 * sum(count for count, entry in zip(counts, table, strict=True) if not entry.model)
        if offset + raw_bytes > len(self.body):
            raise CodecError("is damaged: its values are cut off")
        decoded = iter(decode(memoryview(self.body)[offset + raw_bytes :], coded))
        tensors: list[StoredTensor] = []
        for shape, count, entry in zip(shapes, counts, table, strict=True):
            if entry.model:
                tensors.append(QuantisedTensor(entry.integers(next(decoded)).reshape(shape), entry.step))
            else:
                values = np.frombuffer(self.body, "<f4", count, offset).astype(np.float32)
                tensors.append(values.reshape(shape))
                offset += 4 * count
            if not np.isfinite(values_of(tensors[-1])).all():
                raise CodecError("is damaged: it holds values that are not finite")
        return tensors

    def sizes(self, tensors: Sequence[StoredTensor]) -> list[tuple[float, int]]:
        """(bits of the values, bytes of the table entry) of each of this file's tensors."""
        counts, table = self._table([(size_of(tensor),) for tensor in tensors])
        sizes = []
        for count, entry, tensor in zip(counts, table, tensors, strict=True):
            bits = 32.0 * count
            if entry.model and isinstance(tensor, QuantisedTensor):
                bits = entry.model.bits(entry.symbols(tensor.integers))
            sizes.append((bits, entry.table_bytes))
        return sizes

    def _table(self, shapes: Shapes) -> tuple[list[int], list[TableEntry]]:
        """(values, table entry) of each tensor."""
        counts = [int(np.prod(shape, dtype=object)) for shape in shapes]
        check_count(self.kind, sum(counts))
        table, offset = [], 0
        for _ in shapes:
            entry = TableEntry.read(self.body, offset)
            offset += entry.table_bytes
            table.append(entry)
        check_tables([entry.model for entry in table if entry.model], sum(counts))
        return counts, table


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put a file's path before the message of a CodecError."""
    try:
        yield
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None


def read(path: Path, interpret: Callable[[Container], T]) -> T:
    """Open a file and interpret its contents.

    Raises:
        FileNotFoundError: no such file.
        CodecError: as `Container.open`, or raised by `interpret`; the path is put before its message.
    """
    container = Container.open(path)
    with naming(path):
        return interpret(container)
