"""A shape: an occupancy field, which tells inside from outside at any point."""

import struct
from dataclasses import dataclass, field
from math import exp, isfinite, sqrt

import numpy as np

from sine_reader.container import Container, Tensors, check, read_tensors
from sine_reader.layers import DENSE, Layer, LayerKind

RELU, GAUSSIAN, SINE_WAVE = range(3)
UPS = ("y", "z", "x", "-y", "-z", "-x")
MIRROR = 1 << 3
"""The bit of the extras byte for a plane of symmetry."""
PAPER = 1 << 4
"""The bit of the extras byte for layers that start as in the paper."""
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
    choices = header[0] if header else 0
    extras_bytes = choices >> 7
    extras = header[-1] if extras_bytes else 0
    plane_bytes = 8 if extras & MIRROR else 0
    place_end = len(header) - extras_bytes - plane_bytes
    check(place_end in (34, 46), "its header has the wrong length")
    number_up, flags = extras & 7, extras & ~(7 | MIRROR)
    valid = bool(extras) == bool(extras_bytes) and not flags & ~PAPER and number_up < len(UPS)
    check(valid, "its extras byte sets bits that the format lacks")
    width, depth, rank, omega, spread, bandwidth = struct.unpack_from("<HBHfff", header, 1)
    number, activation = choices & 3, choices >> 2 & 3
    bits = [bool(choices >> bit & 1) for bit in (4, 5, 6)] + [bool(flags)]
    kind = LayerKind(number, omega, spread, *bits)
    check(activation <= SINE_WAVE, "it has an activation that the format does not define")
    check(1e-3 <= bandwidth <= 1e6, f"bandwidth is {bandwidth}, beyond the format's bounds")
    check(min(width, depth, rank) >= 1 and width**2 * depth <= 2**24, "its network is beyond the format's bounds")
    check(rank <= width or number == DENSE, f"rank {rank} does not fit a width of {width}")
    *centre, scale = struct.unpack_from("<3ff" if place_end == 34 else "<3df", header, 18)
    check(all(map(isfinite, (*centre, scale))) and scale > 0, "its placement is invalid")
    mirror = _plane(header[place_end : place_end + 8]) if plane_bytes else None
    layers = _layers(kind, width, depth, rank, _gain(activation, bandwidth))
    shapes = [entry for layer in layers for entry in layer.shapes()]
    tensors = read_tensors(container.body, shapes)
    weights = [layer.weights(tensors) for layer in layers]
    return Shape(np.array(centre), scale, UPS[number_up], mirror, activation, bandwidth, layers, tensors, weights)


def _plane(data: bytes) -> tuple[np.ndarray, float]:
    *normal, offset = struct.unpack("<4h", data)
    check(any(normal), "its plane of symmetry has no direction")
    return np.array(normal) / np.linalg.norm(normal), offset / 2**14


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
