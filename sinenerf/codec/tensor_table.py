"""The table of a .sine file: an entry for each tensor specifies how its integers are coded. See docs/format.md."""

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from sinenerf.codec.entropy import LARGEST, CodecError, EntropyModel, usual_bound, usual_c
from sinenerf.codec.tensors import QuantisedTensor
from sinenerf.codec.varints import read_signed_varint, read_varint, signed_varint, varint

ASCENDS, STORES_BOUND, STORES_C = 1 << 15, 1 << 14, 1 << 13
"""Bits of an entry's first two bytes, above the number of the step. The first is set where a tensor's integers ascend,
in one run or two, and their differences are coded; the others where bound or c of the model are not the usual ones."""
BEFORE_FIRST = 0x297F
"""The upper half of the float32 before 2^-44, the smallest step, whose number is 1."""


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
        model = self.model
        assert model is not None
        flags = ASCENDS * bool(self.runs) | STORES_BOUND * model.stores_bound | STORES_C * model.stores_c
        data = struct.pack("<H", _step_code(self.step) | flags)
        if self.runs:
            (_, first), *second = self.runs
            data += signed_varint(first)
            data += b"".join(varint(start) + signed_varint(integer) for start, integer in second) or varint(0)
        data += bytes([model.a, model.c] if model.stores_c else [model.a])
        return data + (varint(model.bound) if model.stores_bound else b"")

    @classmethod
    def read(cls, body: bytes, offset: int) -> "TableEntry":
        """The entry at an offset of the body.

        Raises:
            CodecError: it is cut off or out of bounds.
        """
        if offset + 2 > len(body):
            raise CodecError("is damaged: its table is cut off")
        (head,) = struct.unpack_from("<H", body, offset)
        if not head:
            return cls(0.0, None, 2)
        if not head % STORES_C:
            raise CodecError("is damaged: a step is not a positive number")
        runs, end = cls._read_runs(body, offset + 2) if head & ASCENDS else ((), offset + 2)
        model, end = cls._read_model(body, end, head)
        return cls(_step(head % STORES_C), model, end - offset, runs)

    @staticmethod
    def _read_runs(body: bytes, offset: int) -> tuple[tuple[tuple[int, int], ...], int]:
        """(runs, offset after them)."""
        first, offset = read_signed_varint(body, offset)
        start, offset = read_varint(body, offset)
        if not start:
            return ((0, first),), offset
        second, offset = read_signed_varint(body, offset)
        return ((0, first), (start, second)), offset

    @staticmethod
    def _read_model(body: bytes, offset: int, head: int) -> tuple[EntropyModel, int]:
        """(entropy model, offset after it)."""
        end = offset + (2 if head & STORES_C else 1)
        if end > len(body):
            raise CodecError("is damaged: its table is cut off")
        signed = not head & ASCENDS
        a = body[offset]
        c = body[offset + 1] if head & STORES_C else usual_c(a, signed)
        bound, end = read_varint(body, end) if head & STORES_BOUND else (usual_bound(a, c), end)
        return EntropyModel(bound, a, c, signed), end

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


def _step_code(step: float) -> int:
    """A step as the number of a bfloat16 in the range that files hold, from 1 on."""
    (bits,) = struct.unpack("<I", struct.pack("<f", step))
    code = (bits >> 16) - BEFORE_FIRST
    if bits & 0xFFFF or not 0 < code < STORES_C:
        raise CodecError(f"a step of {step} is not a bfloat16 from 2^-44 to 2^19")
    return code


def _step(code: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", code + BEFORE_FIRST << 16))[0])
