"""Entropy decoding in exact integers: the frequencies of a tensor's symbols, and an asymmetric numeral system."""

from array import array
from bisect import bisect_right
from itertools import accumulate
from math import isqrt
from typing import NamedTuple

BITS = 24
SLOTS = 2**BITS
LARGEST = 2**14
"""Bound on the absolute value of an integer."""
ROOTS = [isqrt(isqrt(isqrt(2 ** (256 - i)))) for i in range(8)]
"""floor(2^(32 - i/8))"""


class Model(NamedTuple):
    """The entropy model of a tensor."""

    bound: int
    """Largest symbol, at least 1."""
    a: int
    c: int
    signed: bool
    """Whether the symbols run from -bound to bound, or from 0."""


def _ratio(code: int) -> int:
    """Of neighbouring weights, times 2^32."""
    return 2**32 - (ROOTS[code % 8] >> code // 8)


def usual_c(a: int, signed: bool) -> int:
    """c where the file does not store it."""
    return max(0, a - 8) if signed else 255


def usual_bound(a: int, c: int) -> int:
    """The bound where the file does not store it."""
    return min(LARGEST, 32 << a // 8, 8 << (c + 8) // 16)


def starts_of(model: Model) -> list[int]:
    """Where the slots of each symbol start, from the smallest symbol on, and a last entry of 2^24."""
    weight, step, bend = 2**31, _ratio(model.a), _ratio(model.c)
    side = []
    for _ in range(model.bound + 1):
        side.append(weight)
        weight, step = weight * step >> 32, step * bend >> 32
    weights = side[:0:-1] + side if model.signed else side
    spare, total = SLOTS - len(weights), sum(weights)
    frequencies = [1 + weight * spare // total for weight in weights]
    frequencies[model.bound if model.signed else 0] += SLOTS - sum(frequencies)
    return list(accumulate(frequencies, initial=0))


class Decoder:
    """A stack of 32-bit words, whose last one is the top, and a state of 64 bits."""

    def __init__(self, words: "array[int]") -> None:
        self._words, self._state = words, 0
        for _ in range(min(2, len(words))):
            self._state = self._state << 32 | words.pop()

    def decode(self, model: Model, count: int) -> list[int]:
        """The next `count` symbols, as integers."""
        starts, state, words = starts_of(model), self._state, self._words
        smallest, symbols = -model.bound if model.signed else 0, []
        for _ in range(count):
            slot = state & SLOTS - 1
            index = bisect_right(starts, slot) - 1
            state = (starts[index + 1] - starts[index]) * (state >> BITS) + slot - starts[index]
            if state < 2**32 and words:
                state = state << 32 | words.pop()
            symbols.append(index + smallest)
        self._state = state
        return symbols

    @property
    def is_empty(self) -> bool:
        """Whether everything was decoded."""
        return not self._words and self._state == 0
