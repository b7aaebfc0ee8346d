"""The table of a .sine file: an entry for each tensor specifies how its integers are coded. See docs/format.md."""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from sinenerf.codec.entropy import LARGEST, CodecError, EntropyModel
from sinenerf.codec.tensors import QuantisedTensor

ASCENDS = 0x8000
"""The sign bit of a step's bfloat16: set where a tensor's integers ascend, in one run or two, and their differences are
coded."""


@dataclass(frozen=True)
class TableEntry:
    """The entry of one tensor. For an ascending tensor it holds the first integer of each run."""

    step: float
    model: EntropyModel | None
    """None where the tensor is stored in float32."""
    table_bytes: int
    """Length of the entry in the file; 0 where it has not been read from one."""
    runs: tuple[tuple[int, int], ...] = ()
    """(position, integer) at the start of each ascending run: one or two, or none where the integers are coded as they
    are."""

    @classmethod
    def of(cls, tensor: QuantisedTensor) -> tuple["TableEntry", Int[np.ndarray, " n"]]:
        """(entry, symbols): symbols are the integers, or their differences where they ascend and that is shorter."""
        integers = tensor.integers.ravel()
        plain = cls(tensor.step, EntropyModel.fit(integers), 0)
        starts = [0, *(np.flatnonzero(np.diff(integers) < 0) + 1)]
        if integers.size < 2 or len(starts) > 2:
            return plain, integers
        runs = tuple((int(start), int(integers[start])) for start in starts)
        differences = _differences(integers, runs)
        if differences.max() > LARGEST:
            return plain, integers
        ascending = cls(tensor.step, EntropyModel.fit(differences, signed=False), 0, runs)
        gain = plain.length(integers) - ascending.length(differences)
        return (ascending, differences) if gain > 0 else (plain, integers)

    def length(self, symbols: Int[np.ndarray, " n"]) -> float:
        """Bits of the coded symbols and of the entry."""
        assert self.model is not None
        return self.model.bits(symbols) + 8 * len(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The entry of a quantised tensor."""
        assert self.model is not None
        data = struct.pack("<H", _step_bits(self.step) | (ASCENDS if self.runs else 0))
        if self.runs:
            (_, first), *second = self.runs
            data += varint(_zigzag(first))
            data += b"".join(varint(start) + varint(_zigzag(integer)) for start, integer in second) or varint(0)
        return data + varint(self.model.bound) + bytes([self.model.a, self.model.c])

    @classmethod
    def read(cls, body: bytes, offset: int) -> "TableEntry":
        """The entry at an offset of the body.

        Raises:
            CodecError: it is cut off or out of bounds.
        """
        if offset + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (bits,) = struct.unpack_from("<H", body, offset)
        if not bits:
            return cls(0.0, None, 2)
        ascends = bool(bits & ASCENDS)
        bits -= ASCENDS * ascends
        if not 0 < bits < 0x7F80:
            raise CodecError("is damaged: a step is not a positive number")
        runs, end = cls._read_runs(body, offset + 2) if ascends else ((), offset + 2)
        bound, end = read_varint(body, end)
        if end + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (step,) = struct.unpack("<f", struct.pack("<I", bits << 16))
        return cls(step, EntropyModel(bound, body[end], body[end + 1], not ascends), end + 2 - offset, runs)

    @staticmethod
    def _read_runs(body: bytes, offset: int) -> tuple[tuple[tuple[int, int], ...], int]:
        """(runs, offset after them)."""
        first, offset = read_varint(body, offset)
        start, offset = read_varint(body, offset)
        if not start:
            return ((0, _unzigzag(first)),), offset
        second, offset = read_varint(body, offset)
        return ((0, _unzigzag(first)), (start, _unzigzag(second))), offset

    def integers(self, symbols: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
        """The tensor's integers from its decoded symbols, which are overwritten.

        Raises:
            CodecError: a run starts beyond the tensor, or an integer is out of bounds.
        """
        if not self.runs:
            return symbols
        if any(start >= symbols.size for start, _ in self.runs[1:]):
            raise CodecError("is damaged: a run begins beyond its tensor")
        ends = [*(start for start, _ in self.runs[1:]), symbols.size]
        for (start, first), end in zip(self.runs, ends, strict=True):
            run = symbols[start:end]
            np.cumsum(run, out=run)
            run += first
        if symbols.size and max(-int(symbols.min()), int(symbols.max())) > LARGEST:
            raise CodecError("is damaged: an integer is beyond the format's bound")
        return symbols

    def symbols(self, integers: Int[np.ndarray, "*shape"]) -> Int[np.ndarray, " n"]:
        """The symbols that are coded for a tensor's integers."""
        return _differences(integers.ravel(), self.runs) if self.runs else integers.ravel()


def coded_bits(tensor: QuantisedTensor) -> float:
    """Length of a tensor's coded integers in a file, without its entry in the table."""
    entry, symbols = TableEntry.of(tensor)
    assert entry.model is not None
    return entry.model.bits(symbols)


def _differences(integers: Int[np.ndarray, " n"], runs: tuple[tuple[int, int], ...]) -> Int[np.ndarray, " n"]:
    """Each integer minus the one before it; at the start of a run, minus the run's first integer in the table."""
    differences = integers.copy()
    differences[1:] -= integers[:-1]
    for start, first in runs:
        differences[start] = integers[start] - first
    return differences


def _zigzag(value: int) -> int:
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
    return 2 * abs(value) - (value < 0)


def _unzigzag(code: int) -> int:
    return code // 2 if code % 2 == 0 else -(code + 1) // 2


def _step_bits(step: float) -> int:
    """A step as the 16 bits of a bfloat16, the upper half of its float32."""
    (bits,) = struct.unpack("<I", struct.pack("<f", step))
    if bits & 0xFFFF or not 0 < bits < 0x7F800000:
        raise CodecError(f"a step of {step} is not a positive bfloat16")
    return bits >> 16


def varint(value: int) -> bytes:
    """LEB128: seven bits a byte, lowest first; the highest bit is set where more bytes follow."""
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    """(value, offset after it).

    Raises:
        CodecError: it is cut off, or longer than four bytes.
    """
    value = 0
    for index, byte in enumerate(data[offset : offset + 4]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, offset + index + 1
    raise CodecError("is damaged: a length is cut off or too large")
