"""Entropy coding of integers: a model with two parameters for each tensor, and asymmetric numeral systems.

The model of an integer q is log-concave and symmetric,

    p(q) ~ A^|q| C^(|q| (|q| - 1) / 2)      0 < A < 1,  0 < C <= 1

from Laplace (C = 1) to Gaussian (C = A^2) and beyond, or only its half with q >= 0. The file stores A of each tensor as
one byte; C is the usual one, of a Gaussian for integers of either sign and of a geometric distribution for those that
are not negative, or another byte. The table of frequencies follows by integer arithmetic alone, so that every machine
decodes the same integers. docs/format.md specifies all this for other implementations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

PRECISION = 24
"""The frequencies of a table sum to 2^24, the default precision of constriction's coders."""
LARGEST = 2**14
"""Bound on |q|: a table has fewer than 33,000 entries."""
FINE = 8
"""Number of codes per factor of two in 1 - A and 1 - C."""
ROOTS = [math.isqrt(math.isqrt(math.isqrt(2 ** (8 * 32 - i)))) for i in range(FINE)]
"""floor(2^(32 - i/8))."""


class CodecError(ValueError):
    """Bytes that are not a .sine file, that are damaged, or that exceed a bound of the format."""


def ratio(code: int) -> int:
    """A or C for its code, 1 - 2^(-code/8), in units of 2^-32."""
    return 2**32 - (ROOTS[code % FINE] >> code // FINE)


LOG_RATIOS = np.array([math.log(max(ratio(code), 1) / 2**32) for code in range(256)])
"""log A or log C for each code."""


def usual_c(a: int, signed: bool) -> int:
    """The code of C that a file need not store: about A^2, a Gaussian, or 1, a geometric distribution."""
    return max(0, a - FINE) if signed else 255


def usual_bound(a: int, c: int) -> int:
    """The bound that a file need not store: where p has fallen below 2^-24 of p(0)."""
    return min(LARGEST, 32 << a // FINE, 8 << (c + FINE) // (2 * FINE))


@dataclass(frozen=True)
class EntropyModel:
    """Probabilities of the integers from -bound to bound, or from 0 to bound."""

    bound: int
    """Largest |q|, at least 1."""
    a: int
    """Code of A, 0 to 255."""
    c: int
    """Code of C."""
    signed: bool = True
    """Whether integers can be negative."""

    def __post_init__(self) -> None:
        if not (1 <= self.bound <= LARGEST and 0 <= self.a < 256 and 0 <= self.c < 256):
            raise CodecError(f"an entropy model of {self} is outside the format's bounds")

    @property
    def smallest(self) -> int:
        """The smallest integer that has a frequency."""
        return -self.bound if self.signed else 0

    def frequencies(self) -> Int[np.ndarray, " n"]:
        """Frequencies of smallest..bound, each at least 1, which sum to 2^24."""
        side = _weights(self.bound, self.a, self.c)
        weights = np.concatenate([side[:0:-1], side]) if self.signed else side
        total, spare = int(weights.sum()), 2**PRECISION - len(weights)
        frequencies = 1 + weights * spare // total  # weights are at most 2^31, so the product fits into 64 bits
        frequencies[-self.smallest] += 2**PRECISION - int(frequencies.sum())
        return frequencies

    def bits(self, values: Int[np.ndarray, "*shape"]) -> float:
        """Length of the coded values in bits."""
        counts = np.bincount(values.ravel() - self.smallest, minlength=self.bound - self.smallest + 1)
        return float(PRECISION * values.size - counts @ np.log2(self.frequencies()))

    @property
    def stores_c(self) -> bool:
        """Whether C is not the usual one."""
        return self.c != usual_c(self.a, self.signed)

    @property
    def stores_bound(self) -> bool:
        """Whether the bound is not the usual one."""
        return self.bound != usual_bound(self.a, self.c)

    @property
    def stored_bytes(self) -> int:
        """Bytes of a file for its parameters; those of the bound are a varint."""
        return 1 + self.stores_c + self.stores_bound * -(-self.bound.bit_length() // 7)

    @classmethod
    def fit(cls, values: Int[np.ndarray, "*shape"], signed: bool = True) -> "EntropyModel":
        """The model that takes, together with these values, the fewest bytes.

        Raises:
            CodecError: a value beyond 2^14.
        """
        largest = max(-int(values.min()), int(values.max())) if values.size else 0  # abs(-2^63) would be negative
        if largest > LARGEST:
            raise CodecError(f"an integer of {largest:,} is beyond the format's bound of {LARGEST:,}")
        if not largest:
            return cls(usual_bound(0, usual_c(0, signed)), 0, usual_c(0, signed), signed)
        # any bound, in place of the usual one, that leaves out next to nothing
        wide = min(LARGEST, 4 * largest + 64)
        models = [cls(largest, *_best_codes(values, largest, signed), signed)]
        for a, c in (_best_codes(values, wide, signed), _best_codes(values, wide, signed, usual=True)):
            models.append(cls(max(largest, usual_bound(a, c)), a, c, signed))
        return min(models, key=lambda model: model.bits(values) + 8 * model.stored_bytes)


def _best_codes(values: Int[np.ndarray, "*shape"], bound: int, signed: bool, usual: bool = False) -> tuple[int, int]:
    """The codes (a, c) that code these values in the fewest bits, with that bound; `usual`: with the usual c."""
    used = np.abs(values.ravel()).astype(np.float64)
    sums = used.sum(), (used * (used - 1) / 2).sum()
    # log p is linear in log A and log C: the length is convex in both, so a grid search can be refined
    a = c = 128
    for stride in (8, 2, 1):
        reach = np.arange(-16, 16) if stride == 8 else np.arange(-5, 6)
        rows, columns = (np.unique(np.clip(code + stride * reach, 0, 255)) for code in (a, c))
        pairs = [(int(row), [usual_c(int(row), signed)] if usual else columns.tolist()) for row in rows]
        a, c = _shortest(pairs, bound, values.size, *sums, signed)
    return a, c


def _shortest(
    pairs: list[tuple[int, Sequence[int]]], bound: int, count: int, total: float, squares: float, signed: bool
) -> tuple[int, int]:
    """Of these codes a, each with some of c, those that are best for `count` integers.

    Args:
        total, squares: the sums of |q| and of |q| (|q| - 1) / 2 over the integers.
    """
    (q, widths), best = _blocks(bound), (np.inf, 0, 0)
    for a, columns in pairs:
        log_a, log_c = LOG_RATIOS[a], LOG_RATIOS[columns]
        side = widths @ np.exp(log_a * q[:, None] + log_c * (q * (q - 1) / 2)[:, None])
        lengths = count * np.log(2 * side - 1 if signed else side) - log_a * total - log_c * squares
        best = min(best, (float(lengths.min()), a, int(columns[int(lengths.argmin())])))
    return best[1:]


@lru_cache(maxsize=64)
def _blocks(bound: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Blocks into which 0..bound is divided: (centres, widths). Far out p is so smooth that it is summed by blocks."""
    starts = [0]
    while (end := starts[-1] + max(1, starts[-1] // 64)) <= bound:
        starts.append(end)
    ends = np.array([*starts[1:], bound + 1])
    return (np.array(starts) + ends - 1) / 2, (ends - np.array(starts)).astype(np.float64)


@lru_cache(maxsize=64)
def _weights(largest: int, a: int, c: int) -> Int[np.ndarray, " n"]:
    """Unnormalised p(0), p(1), ..., p(largest), from 2^31 downwards, by integer arithmetic."""
    weight, step, bend = 2**31, ratio(a), ratio(c)
    weights = np.zeros(largest + 1, dtype=np.int64)
    for q in range(largest + 1):
        weights[q] = weight
        weight, step = weight * step >> 32, step * bend >> 32
        if not weight:
            break
    return weights


def _categorical(frequencies: Int[np.ndarray, " n"]):
    import constriction

    # constriction gives each symbol one of 2^24 slots and distributes the others by these weights: exactly, as they are
    # integers
    return constriction.stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


def encode(tensors: list[tuple[Int[np.ndarray, " _"], EntropyModel]]) -> bytes:
    """The integers of all tensors, in order, coded as one stream."""
    import constriction

    coder = constriction.stream.stack.AnsCoder()
    for values, model in reversed(tensors):  # a stack: the last one in is the first one out
        if values.size:
            coder.encode_reverse((values - model.smallest).astype(np.int32), _categorical(model.frequencies()))
    return coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")


def decode(data: bytes | memoryview, tensors: list[tuple[int, EntropyModel]]) -> list[Int[np.ndarray, " _"]]:
    """The integers that `encode` was given, from the number of values and the model of each tensor.

    Raises:
        CodecError: the bytes are not exactly one stream of these tensors.
    """
    import constriction

    if len(data) and not data[-1]:
        raise CodecError("is damaged: the coded integers end in a zero byte")
    words = np.frombuffer(bytes(data) + bytes(-len(data) % 4), dtype="<u4").astype(np.uint32, copy=False)
    coder, decoded = constriction.stream.stack.AnsCoder(words), []
    for count, model in tensors:
        symbols = coder.decode(_categorical(model.frequencies()), count).astype(np.int64)
        symbols += model.smallest
        decoded.append(symbols)
    if not coder.is_empty():
        raise CodecError("the coded integers do not end where they should")
    return decoded
