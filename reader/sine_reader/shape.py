"""A shape: an occupancy field, which tells inside from outside at any point."""

import struct
from dataclasses import dataclass, field
from math import exp, isfinite, sqrt

import numpy as np

from sine_reader.container import Container, Tensors, check, read_tensors, signed_varint, varint
from sine_reader.layers import DENSE, SINE, Layer, LayerKind

RELU, GAUSSIAN, SINE_WAVE = range(3)
UPS = ("y", "z", "x", "-y", "-z", "-x")
MIRROR = 1 << 3
"""The bit of the extras byte for a plane of symmetry."""
PAPER = 1 << 4
"""The bit of the extras byte for layers that start as in the paper."""
PARTS = {"omega": 10, "spread": 100, "bandwidth": 10}
"""Numbers that are stored in tenths or hundredths."""
WRONG_LENGTH = "its header has the wrong length"
CHUNK = 2**22
"""Values in the features of the points that are evaluated at a time."""


@dataclass(frozen=True)
class Shape:
    """A shape in the coordinates of the mesh that was fitted.

    Its surface lies where `logits` is 0, inside the cube of half side `scale` around `centre`.
    """

    centre: np.ndarray
    """(3)"""
    scale: float
    up: str
    """Axis that points up, one of UPS, for those who show the shape."""
    mirror: tuple[np.ndarray, float] | None
    """Unit normal n and offset c of the plane n x = c of the cube beyond which the shape is its own image."""
    pieces: int
    """Of how many connected pieces, those with the most faces, the surface consists; others with a tenth of the largest
    one's faces or more belong to it, too. 0 for all of them."""
    activation: int
    """RELU, GAUSSIAN or SINE_WAVE."""
    bandwidth: float
    layers: list[Layer]
    """The first is dense, (w, 3); the last gives the logit."""
    tensors: Tensors = field(repr=False)
    """As stored; `Layer.weights` makes weights of them."""
    weights: list[tuple[np.ndarray, np.ndarray]] = field(repr=False)
    """(W^T, bias) of each layer."""

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3): corners of the cube that holds the shape."""
        return np.stack([self.centre - self.scale, self.centre + self.scale])

    def logits(self, points: np.ndarray) -> np.ndarray:
        """Logit of the occupancy at points (..., 3): above 0 inside. Points beyond the cube are outside: -inf."""
        points = np.asarray(points, np.float64)
        cube = ((points.reshape(-1, 3) - self.centre) / self.scale).astype(np.float32)
        inside = (abs(cube) <= 1).all(1)
        logits = np.full(len(cube), -np.inf, np.float32)
        logits[inside] = self._evaluate(cube[inside])
        return logits.reshape(points.shape[:-1])

    def occupancy(self, points: np.ndarray) -> np.ndarray:
        """Occupancy at points (..., 3), from 0 outside to 1 inside."""
        return (1 + np.tanh(self.logits(points) / 2)) / 2

    def _evaluate(self, cube: np.ndarray) -> np.ndarray:
        width = self.layers[0].outputs
        chunks = np.array_split(cube, max(1, -(-len(cube) * width // CHUNK)))
        with np.errstate(over="ignore", invalid="ignore"):  # the parameters may have any values
            return np.concatenate([self._network(chunk) for chunk in chunks])

    def _network(self, h: np.ndarray) -> np.ndarray:
        if self.mirror is not None:
            normal, offset = self.mirror
            h = (h - 2 * np.minimum(0, h @ normal - offset)[:, None] * normal).astype(np.float32)
        for weight, bias in self.weights[:-1]:
            h = self._activated(h @ weight + bias)
        weight, bias = self.weights[-1]
        return (h @ weight + bias)[:, 0]

    def _activated(self, z: np.ndarray) -> np.ndarray:
        b = np.float32(self.bandwidth)
        if self.activation == RELU:
            return np.maximum(z, 0)
        return np.exp(-((b * z) ** 2) / 2) if self.activation == GAUSSIAN else np.sin(b * z)


def read_shape(container: Container) -> Shape:
    """The shape in a file of kind 1.

    Raises:
        SineFileError: the file is damaged, or out of the format's bounds.
    """
    header = container.header
    check(len(header) >= 2, WRONG_LENGTH)
    choices = header[0]
    extras = header[1] if choices >> 7 else 0
    number_up = extras & 7
    valid = bool(extras) == bool(choices >> 7) and number_up < len(UPS)
    check(valid, "its extras byte is empty, or has an up axis that the format lacks")
    number, activation = choices & 3, choices >> 2 & 3
    check(activation <= SINE_WAVE, "it has an activation that the format does not define")
    numbers, place = _numbers(header, 1 + (choices >> 7), number, activation)
    width, depth, rank = (int(numbers[name]) for name in ("width", "depth", "rank"))
    bandwidth = numbers["bandwidth"]
    bits = [bool(choices >> bit & 1) for bit in (4, 5, 6)] + [bool(extras & PAPER)]
    kind = LayerKind(number, numbers["omega"], numbers["spread"], *bits)
    check(1e-3 <= bandwidth <= 1e6, f"bandwidth is {bandwidth}, beyond the format's bounds")
    in_bounds = 1 <= width < 2**16 and 1 <= depth < 2**8 and 1 <= rank < 2**16 and width**2 * depth <= 2**24
    check(in_bounds, "its network is beyond the format's bounds")
    check(rank <= width or number == DENSE, f"rank {rank} does not fit a width of {width}")
    centre, scale, place = _placement(header, place)
    mirror, place = _plane(header, place) if extras & MIRROR else (None, place)
    check(place == len(header), WRONG_LENGTH)
    layers = _layers(kind, width, depth, rank, _gain(activation, bandwidth))
    shapes = [entry for layer in layers for entry in layer.shapes()]
    tensors = read_tensors(container.body, shapes)
    weights = [layer.weights(tensors) for layer in layers]
    up, pieces = UPS[number_up], extras >> 5
    return Shape(np.array(centre), scale, up, mirror, pieces, activation, bandwidth, layers, tensors, weights)


def _numbers(header: bytes, place: int, layer: int, activation: int) -> tuple[dict[str, float], int]:
    """(numbers of the network by name, place of what follows them). Those that it does not depend on are 1."""
    names = ["width", "depth"] + ["rank"] * (layer != DENSE) + ["omega", "spread"] * (layer == SINE)
    numbers = dict.fromkeys(("rank", "omega", "spread", "bandwidth"), 1.0)
    for name in names + ["bandwidth"] * (activation != RELU):
        count, place = varint(header, place)
        numbers[name] = count / PARTS.get(name, 1)
        if name in PARTS and not count:
            check(place + 4 <= len(header), WRONG_LENGTH)
            (numbers[name],) = struct.unpack_from("<f", header, place)
            place += 4
    return numbers, place


def _placement(header: bytes, place: int) -> tuple[np.ndarray, float, int]:
    """(centre, scale, place of what follows them)."""
    check(place + 2 <= len(header), WRONG_LENGTH)
    (scale,) = struct.unpack("<f", struct.pack("<I", int.from_bytes(header[place : place + 2], "little") << 15))
    check(isfinite(scale) and scale > 0, "its placement is invalid")
    counts, place = _signed(header, place + 2, 3, longest=7)
    return np.array(counts) * scale / 64, scale, place


def _plane(header: bytes, place: int) -> tuple[tuple[np.ndarray, float], int]:
    """((unit normal, offset) of the plane of symmetry, place of what follows it)."""
    (*normal, offset), place = _signed(header, place, 4)
    check(any(normal), "its plane of symmetry has no direction")
    check(max(map(abs, (*normal, offset))) <= 2**15, "its plane of symmetry is beyond the format's bounds")
    return (np.array(normal) / np.linalg.norm(normal), offset / 2**14), place


def _signed(header: bytes, place: int, count: int, longest: int = 4) -> tuple[list[int], int]:
    """(that many integers, place of what follows them)."""
    numbers = []
    for _ in range(count):
        number, place = signed_varint(header, place, longest)
        numbers.append(number)
    return numbers, place


def _layers(kind: LayerKind, width: int, depth: int, rank: int, a: float) -> list[Layer]:
    factor = 0 if kind.number == DENSE else rank
    hidden = [Layer(f"trunk.layers.{i}", width, width, factor, a, kind) for i in range(1, depth)]
    return [Layer("trunk.layers.0", width, 3, 0, a, kind), *hidden, Layer("head", 1, width, 0, 1.0, kind)]


def _gain(activation: int, bandwidth: float) -> float:
    """a of the activation."""
    if activation == RELU:
        return sqrt(2)
    t, power = (3, (1 + 2 * 9) ** -0.5) if activation == GAUSSIAN else (1, (1 - exp(-2)) / 2)
    return t / (bandwidth * sqrt(power))
