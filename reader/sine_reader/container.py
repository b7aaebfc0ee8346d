"""The frame of a .sine file, and the values of its tensors. Sizes are checked before memory is spent on them."""

import struct
import zlib
from array import array
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from sine_reader.entropy import LARGEST, Decoder, Model, usual_bound, usual_c

Shapes = Sequence[tuple[str, tuple[int, ...]]]
"""Names and shapes of tensors, in the file's order."""
Tensors = dict[str, np.ndarray]
"""float32 values by name."""

LARGEST_FILE, LARGEST_HEADER, SMALLEST_FILE = 2**26, 2**20, 11
LARGEST_COUNT, LARGEST_TABLES = 2**22, 2**20
STORES_BOUND, STORES_C = 1 << 14, 1 << 13
"""Bits of the first two bytes of an entry in the table, above the number of the step."""
BEFORE_FIRST = 10623
"""The upper half of the float32 before 2^-44, the smallest step, whose number is 1."""


class SineFileError(ValueError):
    """A file that is no .sine file, damaged, or of a kind or version that this reader does not know."""


class Container(NamedTuple):
    """The parts of a file."""

    kind: int
    header: bytes
    body: bytes
    """Table, float32 values and coded integers."""


class _Entry(NamedTuple):
    step: np.float32
    model: Model | None
    runs: list[tuple[int, int]]
    """(index at which it begins, first integer) of each ascending run."""


def check(holds: bool, what: str) -> None:
    """Raise SineFileError, saying what is wrong, unless a condition holds."""
    if not holds:
        raise SineFileError(f"is damaged: {what}")


def open_container(data: bytes) -> Container:
    """Check the frame of a file and split it into its parts."""
    if len(data) < SMALLEST_FILE or data[:4] != b"SINE":
        raise SineFileError("is not a .sine file")
    if len(data) > LARGEST_FILE:
        raise SineFileError(f"is not a .sine file: it is larger than {LARGEST_FILE >> 20} MiB")
    if data[4] != 1:
        raise SineFileError(f"has version {data[4]}, and this reader reads version 1")
    end = len(data) - 4
    crc = int.from_bytes(data[end:], "little")
    check(zlib.crc32(data[:end]) == crc, "its checksum is wrong")
    length, start = varint(data[:end], 6)
    check(length <= LARGEST_HEADER and start + length <= end, "its header is cut off")
    return Container(data[5], data[start : start + length], data[start + length : end])


def check_count(count: int) -> None:
    """Refuse more values than the format allows."""
    check(count <= LARGEST_COUNT, f"it holds {count:,} values, more than the format allows")


def read_tensors(body: bytes, shapes: Shapes) -> Tensors:
    """All tensors of a field, whose names and shapes its header gives.

    Raises:
        SineFileError: the file does not hold exactly these tensors, or a value is not finite.
    """
    counts = [prod(shape) for _, shape in shapes]
    check_count(sum(counts))
    table, place = _read_table(body, len(shapes))
    symbols = sum(entry.model.bound + 1 for entry in table if entry.model)
    check(symbols <= LARGEST_TABLES + sum(counts), "its tables are too large")
    coded = place + sum(4 * count for count, entry in zip(counts, table, strict=True) if not entry.model)
    check(coded <= len(body), "its values are cut off")
    check(len(body) == coded or body[-1] != 0, "its coded integers end in a zero byte")
    words = array("I", np.frombuffer(body[coded:] + bytes(-(len(body) - coded) % 4), "<u4"))
    decoder, tensors = Decoder(words), {}
    for (name, shape), count, entry in zip(shapes, counts, table, strict=True):
        if entry.model:
            integers = _integers(decoder.decode(entry.model, count), entry.runs)
            with np.errstate(over="ignore"):  # checked below
                values = integers.astype(np.float32) * entry.step
        else:
            values = np.frombuffer(body, "<f4", count, place)
            place += 4 * count
        check(bool(np.isfinite(values).all()), "it holds values that are not finite")
        tensors[name] = values.reshape(shape)
    check(decoder.is_empty, "its coded integers do not end where they should")
    return tensors


def varint(data: bytes, place: int, longest: int = 4) -> tuple[int, int]:
    """(integer of seven bits a byte, at most `longest` bytes, lowest first; place of what follows it)."""
    value = 0
    for index, byte in enumerate(data[place : place + longest]):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, place + index + 1
    raise SineFileError("is damaged: a number is cut off or too large")


def signed_varint(data: bytes, place: int, longest: int = 4) -> tuple[int, int]:
    """The same for 0, -1, 1, -2, ..., stored as 0, 1, 2, 3, ..."""
    code, place = varint(data, place, longest)
    return code >> 1 ^ -(code & 1), place


def _read_table(body: bytes, count: int) -> tuple[list[_Entry], int]:
    """(one entry for each tensor, place of what follows the table)."""
    table, place = [], 0
    for _ in range(count):
        check(place + 2 <= len(body), "its table is cut off")
        head, place = int.from_bytes(body[place : place + 2], "little"), place + 2
        if head == 0:
            table.append(_Entry(np.float32(0), None, []))
            continue
        number, ascends = head % STORES_C, bool(head >> 15)
        check(number > 0, "a step is not a positive number")
        (step,) = np.frombuffer(struct.pack("<I", number + BEFORE_FIRST << 16), "<f4")
        runs = []
        if ascends:
            first, place = signed_varint(body, place)
            second, place = varint(body, place)
            runs.append((0, first))
            if second:
                first, place = signed_varint(body, place)
                runs.append((second, first))
        model, place = _read_model(body, place, head)
        table.append(_Entry(step, model, runs))
    return table, place


def _read_model(body: bytes, place: int, head: int) -> tuple[Model, int]:
    """(entropy model, place of what follows it)."""
    signed = not head >> 15
    end = place + (2 if head & STORES_C else 1)
    check(end <= len(body), "its table is cut off")
    a = body[place]
    c = body[place + 1] if head & STORES_C else usual_c(a, signed)
    bound, end = varint(body, end) if head & STORES_BOUND else (usual_bound(a, c), end)
    check(1 <= bound <= LARGEST, "an integer is beyond the format's bound")
    return Model(bound, a, c, signed), end


def _integers(symbols: list[int], runs: list[tuple[int, int]]) -> np.ndarray:
    """A tensor's integers from its symbols, which are their differences where they ascend."""
    coded = np.array(symbols, dtype=np.int64)
    integers = coded.copy()
    for begin, first in runs:
        check(begin < max(1, len(coded)), "a run begins beyond its tensor")
        integers[begin:] = first + np.cumsum(coded[begin:])
    check(not len(integers) or int(abs(integers).max()) <= LARGEST, "an integer is beyond the format's bound")
    return integers
