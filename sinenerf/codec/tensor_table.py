"""The table of a .sine file: how each tensor's integers are coded. See docs/format.md."""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sinenerf.codec.entropy import LARGEST, CodecError, EntropyModel

ASCENDS = 0x8000
"""Set in a step's two bytes, where its sign would be, if a tensor's integers ascend, in one run or two, and are coded
as differences."""


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
        entry, values = Entry.of(self)
        assert entry.model is not None
        return entry.model.bits(values)


Stored = Coded | np.ndarray
"""A tensor in a file: integers with their step, or float32."""


def values_of(tensor: Stored) -> Float[np.ndarray, "*shape"]:
    """A tensor of a file in float32."""
    return tensor.values() if isinstance(tensor, Coded) else tensor


def size_of(tensor: Stored) -> int:
    """How many numbers a tensor of a file has."""
    return tensor.integers.size if isinstance(tensor, Coded) else tensor.size


@dataclass(frozen=True)
class Entry:
    """What the table says of one tensor. One that ascends has the first integer of each run here."""

    step: float
    model: EntropyModel | None
    table_bytes: int
    runs: tuple[tuple[int, int], ...] = ()
    """(place, integer) where a run of ascending integers begins, of which then only differences are coded."""

    @classmethod
    def of(cls, tensor: Coded) -> tuple["Entry", Int[np.ndarray, " n"]]:
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
            head += varint(_zigzag(first))
            head += b"".join(varint(place) + varint(_zigzag(again)) for place, again in second) or varint(0)
        return head + varint(self.model.bound) + bytes([self.model.a, self.model.c])

    @classmethod
    def read(cls, body: bytes, place: int) -> "Entry":
        """The entry that begins at a place."""
        if place + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (bits,) = struct.unpack_from("<H", body, place)
        if not bits:
            return cls(0.0, None, 2)
        ascends = bool(bits & ASCENDS)
        bits -= ASCENDS * ascends
        if not 0 < bits < 0x7F80:
            raise CodecError("is damaged: a step is not a positive number")
        runs, end = cls._read_runs(body, place + 2) if ascends else ((), place + 2)
        bound, end = read_varint(body, end)
        if end + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (step,) = struct.unpack("<f", struct.pack("<I", bits << 16))
        return cls(step, EntropyModel(bound, body[end], body[end + 1], not ascends), end + 2 - place, runs)

    @staticmethod
    def _read_runs(body: bytes, place: int) -> tuple[tuple[tuple[int, int], ...], int]:
        """(runs, place after them)."""
        first, place = read_varint(body, place)
        second, place = read_varint(body, place)
        if not second:
            return ((0, _unzigzag(first)),), place
        again, place = read_varint(body, place)
        return ((0, _unzigzag(first)), (second, _unzigzag(again))), place

    def integers(self, decoded: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The tensor's integers, in the place of what was coded."""
        if not self.runs:
            return decoded
        if any(place >= decoded.size for place, _ in self.runs[1:]):
            raise CodecError("is damaged: a run begins beyond its tensor")
        ends = [*(place for place, _ in self.runs[1:]), decoded.size]
        for (place, first), end in zip(self.runs, ends, strict=True):
            run = decoded[place:end]
            np.cumsum(run, out=run)
            run += first
        if decoded.size and max(-int(decoded.min()), int(decoded.max())) > LARGEST:
            raise CodecError("is damaged: an integer is beyond the format's bound")
        return decoded

    def stored(self, integers: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, " n"]:
        """What is coded of a tensor's integers."""
        return _differences(integers.ravel(), self.runs) if self.runs else integers.ravel()


def _differences(values: Int[np.ndarray, " n"], runs: tuple[tuple[int, int], ...]) -> Int[np.ndarray, " n"]:
    """From each integer of a run to the next; from what the table says to its first."""
    differences = values.copy()
    differences[1:] -= values[:-1]
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


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow (LEB128)."""
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """(value, place after it), of at most four bytes."""
    value = 0
    for index, byte in enumerate(data[place : place + 4]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, place + index + 1
    raise CodecError("is damaged: a length is cut off or too large")
