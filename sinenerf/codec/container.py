"""The .sine file: magic, version, a bounded header, a table of tensors, their numbers, a checksum. See docs/format.md.

Nothing in a file is executed, and no size in it is believed before it was checked against the bounds below.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sinenerf.codec.entropy import LARGEST, CodecError, EntropyModel, decode, encode

MAGIC = b"SINE"
VERSION = 4
"""What is written. Version 1 has no ascending tensors, version 2 none of two runs, version 3 no short header of an
occupancy field; all are read."""
OCCUPANCY = 1
"""Kind of a file that holds an occupancy field."""
RADIANCE = 2
"""Kind of a file that holds a radiance field."""
ADAPTER = 3
"""Kind of a file that holds a PEFT adapter."""

ASCENDS = 0x8000
"""Set in a step's two bytes, where its sign would be, if a tensor's integers ascend, in one run or two, and are coded
as differences."""
LARGEST_FILE = 2**26
LARGEST_HEADER = 2**20
LARGEST_COUNT = 2**22
"""Numbers in all tensors together, of a field."""
LARGEST_ADAPTER = 2**24
"""The same of an adapter: those of language models have millions."""

Shapes = Sequence[tuple[int, ...]]


@dataclass
class Coded:
    """A tensor as integers: values = integers * step."""

    integers: Int[np.ndarray, "*shape"]
    step: float
    """A positive bfloat16."""

    def values(self) -> Float[np.ndarray, "*shape"]:
        """The tensor, in float32."""
        with np.errstate(over="ignore"):  # a step may be chosen so that it overflows: the reader checks
            return np.asarray(self.integers.astype(np.float32) * np.float32(self.step))

    @property
    def bits(self) -> float:
        """Length of the integers in a file."""
        entry, values = _Entry.of(self)
        assert entry.model is not None
        return entry.model.bits(values)


Stored = Coded | np.ndarray
"""A tensor in a file: integers with their step, or float32."""


def values_of(tensor: Stored) -> Float[np.ndarray, "*shape"]:
    """A tensor of a file in float32."""
    return tensor.values() if isinstance(tensor, Coded) else tensor


def pack(kind: int, header: bytes, tensors: Sequence[Stored]) -> bytes:
    """A file, whole.

    Raises:
        CodecError: an integer, a size or a step that the format does not have.
    """
    table, raw, coded = b"", b"", []
    for tensor in tensors:
        if isinstance(tensor, Coded):
            entry, values = _Entry.of(tensor)
            assert entry.model is not None
            table += entry.to_bytes()
            coded.append((values, entry.model))
        else:
            table += b"\0\0"
            raw += np.ascontiguousarray(tensor, dtype="<f4").tobytes()
    if len(header) > LARGEST_HEADER:
        raise CodecError(f"a header of {len(header):,} bytes is beyond the format's bound of {LARGEST_HEADER:,}")
    body = MAGIC + bytes([VERSION, kind]) + _varint(len(header)) + header + table + raw + encode(coded)
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
    version: int = VERSION

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
        if not 1 <= data[4] <= VERSION:
            raise CodecError(f"is of version {data[4]}; this sinenerf reads up to version {VERSION}. Upgrade sinenerf")
        if len(data) > LARGEST_FILE or zlib.crc32(data[:-4]) != struct.unpack("<I", data[-4:])[0]:
            raise CodecError("is damaged: its checksum is wrong")
        length, start = _read_varint(data[:-4], 6)
        if length > LARGEST_HEADER or start + length > len(data) - 4:
            raise CodecError("is damaged: its header is cut off")
        return cls(data[5], data[start : start + length], data[start + length : -4], len(data), data[4])

    def tensors(self, shapes: Shapes) -> list[Stored]:
        """The tensors, whose shapes the header tells.

        Raises:
            CodecError: the numbers are not exactly these tensors, or are not finite.
        """
        counts, table, place = *self._table(shapes), 0
        place = sum(entry.table_bytes for entry in table)
        coded = [(count, entry.model) for count, entry in zip(counts, table, strict=True) if entry.model]
        raw_bytes = 4 * sum(count for count, entry in zip(counts, table, strict=True) if not entry.model)
        if place + raw_bytes > len(self.body):
            raise CodecError("is damaged: its numbers are cut off")
        decoded = iter(decode(self.body[place + raw_bytes :], coded))
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

    def sizes(self, shapes: Shapes) -> list[tuple[float, int]]:
        """(bits of the numbers, bytes of the table) of each tensor."""
        counts, table = self._table(shapes)
        tensors = self.tensors(shapes)
        return [
            (e.model.bits(e.stored(t.integers)) if e.model and isinstance(t, Coded) else 32.0 * n, e.table_bytes)
            for n, e, t in zip(counts, table, tensors, strict=True)
        ]

    def _table(self, shapes: Shapes) -> tuple[list[int], list["_Entry"]]:
        counts = [int(np.prod(shape, dtype=object)) for shape in shapes]
        largest = LARGEST_ADAPTER if self.kind == ADAPTER else LARGEST_COUNT
        if sum(counts) > largest:
            raise CodecError(f"holds {sum(counts):,} numbers: the format's bound is {largest:,}")
        table, place = [], 0
        for _ in shapes:
            entry = _Entry.read(self.body, place, self.version)
            place += entry.table_bytes
            table.append(entry)
        return counts, table


@dataclass(frozen=True)
class _Entry:
    """What the table says of one tensor. One that ascends has the first integer of each run here."""

    step: float
    model: EntropyModel | None
    table_bytes: int
    runs: tuple[tuple[int, int], ...] = ()
    """(place, integer) where a run of ascending integers begins, of which then only differences are coded."""

    @classmethod
    def of(cls, tensor: Coded) -> tuple["_Entry", Int[np.ndarray, " n"]]:
        """(entry, what is coded): a tensor's integers, or their differences where they ascend and that is shorter."""
        values = tensor.integers.ravel()
        plain = cls(tensor.step, EntropyModel.fit(values), 0)
        begins = [0, *(np.flatnonzero(np.diff(values) < 0) + 1)]
        if values.size < 2 or len(begins) > 2:
            return plain, values
        runs = tuple((int(place), int(values[place])) for place in begins)
        differences = _differences(values, runs)
        if differences.max() > LARGEST:
            return plain, values
        ascending = cls(tensor.step, EntropyModel.fit(differences, signed=False), 0, runs)
        gain = plain.length(values) - ascending.length(differences)
        return (ascending, differences) if gain > 0 else (plain, values)

    def length(self, values: Int[np.ndarray, " n"]) -> float:
        """Bits of what is coded, and of the table."""
        assert self.model is not None
        return self.model.bits(values) + 8 * len(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The table's bytes of a tensor that is coded."""
        assert self.model is not None
        (bits,) = struct.unpack("<H", _step_bits(self.step))
        head = struct.pack("<H", bits | (ASCENDS if self.runs else 0))
        if self.runs:
            (_, first), *second = self.runs
            head += _varint(_zigzag(first))
            head += b"".join(_varint(place) + _varint(_zigzag(again)) for place, again in second) or _varint(0)
        return head + _varint(self.model.bound) + bytes([self.model.a, self.model.c])

    @classmethod
    def read(cls, body: bytes, place: int, version: int) -> "_Entry":
        """The entry that begins at a place."""
        if place + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (bits,) = struct.unpack_from("<H", body, place)
        if not bits:
            return cls(0.0, None, 2)
        ascends = version > 1 and bool(bits & ASCENDS)
        bits -= ASCENDS * ascends
        if not 0 < bits < 0x7F80:
            raise CodecError("is damaged: a step is not a positive number")
        runs, end = cls._read_runs(body, place + 2, version) if ascends else ((), place + 2)
        bound, end = _read_varint(body, end)
        if end + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (step,) = struct.unpack("<f", struct.pack("<I", bits << 16))
        return cls(step, EntropyModel(bound, body[end], body[end + 1], not ascends), end + 2 - place, runs)

    @staticmethod
    def _read_runs(body: bytes, place: int, version: int) -> tuple[tuple[tuple[int, int], ...], int]:
        """(runs, place after them)."""
        first, place = _read_varint(body, place)
        second, place = _read_varint(body, place) if version > 2 else (0, place)
        if not second:
            return ((0, _unzigzag(first)),), place
        again, place = _read_varint(body, place)
        return ((0, _unzigzag(first)), (second, _unzigzag(again))), place

    def integers(self, decoded: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The tensor's integers, from what was coded."""
        if not self.runs:
            return decoded
        if any(place >= decoded.size for place, _ in self.runs[1:]):
            raise CodecError("is damaged: a run begins beyond its tensor")
        values = np.empty_like(decoded)
        for place, first in self.runs:  # the second begins anew
            values[place:] = first + np.cumsum(decoded[place:])
        if values.size and max(-int(values.min()), int(values.max())) > LARGEST:
            raise CodecError("is damaged: an integer is beyond the format's bound")
        return values

    def stored(self, integers: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, " n"]:
        """What is coded of a tensor's integers."""
        return _differences(integers.ravel(), self.runs) if self.runs else integers.ravel()


def _differences(values: Int[np.ndarray, " n"], runs: tuple[tuple[int, int], ...]) -> Int[np.ndarray, " n"]:
    """From each integer of a run to the next; from what the table says to its first."""
    differences = np.diff(values, prepend=0)
    for place, first in runs:
        differences[place] = values[place] - first
    return differences


def _zigzag(value: int) -> int:
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
    return 2 * abs(value) - (value < 0)


def _unzigzag(code: int) -> int:
    return code // 2 if code % 2 == 0 else -(code + 1) // 2


def _step_bits(step: float) -> bytes:
    """A step's bfloat16: the upper half of its float32."""
    (bits,) = struct.unpack("<I", struct.pack("<f", step))
    if bits & 0xFFFF or not 0 < bits < 0x7F800000:
        raise CodecError(f"a step of {step} is no positive bfloat16")
    return struct.pack("<H", bits >> 16)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow (LEB128)."""
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    """(value, place after it), of at most four bytes."""
    value = 0
    for index, byte in enumerate(data[place : place + 4]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, place + index + 1
    raise CodecError("is damaged: a length is cut off or too large")
