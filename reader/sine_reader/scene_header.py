"""The header of a scene: its two networks, its warp, and the view that it opens with."""

import struct
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np

from sine_reader.container import check
from sine_reader.layers import DENSE, Layer, LayerKind
from sine_reader.warps import NDC, Box, Contraction, Warp

SQRT2 = 2**0.5
LARGEST_BAKED, LARGEST_PICTURE = 2**24, 2**14


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the scene; x right, y up, z backwards."""

    rotation: np.ndarray
    """(3, 3) camera to scene."""
    position: np.ndarray
    """(3)"""
    fx: float
    fy: float
    cx: float
    cy: float
    """Focal lengths, and the principal point from the picture's top left, in pixels."""
    width: int
    height: int

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """(origins, unit directions), each (height * width, 3), of the pixels from the top left, row by row."""
        y, x = np.mgrid[: self.height, : self.width].reshape(2, -1) + 0.5
        local = np.stack([(x - self.cx) / self.fx, (self.cy - y) / self.fy, -np.ones_like(x)], axis=1)
        directions = local @ self.rotation.T
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return np.tile(self.position, (len(directions), 1)), directions

    def resized(self, factor: float) -> "Camera":
        """The same view with `factor` times its width and height in pixels."""
        width, height = max(1, round(self.width * factor)), max(1, round(self.height * factor))
        x, y = width / self.width, height / self.height
        lens = self.fx * x, self.fy * y, self.cx * x, self.cy * y
        return Camera(self.rotation, self.position, *lens, width, height)


@dataclass(frozen=True)
class Network:
    """The layers of a radiance or a density network."""

    octaves: int
    """Of the encoding of a position."""
    directions: int
    """Octaves of the encoding of a direction."""
    trunk: list[Layer]
    skips: int
    """Where bit i is set, the encoded position is put before the features after layer i."""
    heads: dict[str, Layer]
    """`head` of a density network; `density`, `feature`, `view` and `colour` of a radiance network."""

    @property
    def layers(self) -> list[Layer]:
        """All layers, in the file's order."""
        return [*self.trunk, *self.heads.values()]


class SceneHeader(NamedTuple):
    """What a scene's header says, besides its tensors."""

    networks: tuple[Network, Network]
    samples: tuple[int, int]
    """On a ray, of each network."""
    is_proposal: bool
    """Whether the first network gives densities only, and its bins are not rendered."""
    density: int
    """Activation of the density: 0 softplus, 1 exp."""
    background: int
    """0 the last sample, 1 white, 2 black."""
    warp: Warp
    far: float
    """Coordinate in the cube beyond which only background lies: z with NDC, in all directions with a contraction."""
    home: Camera


def read_scene_header(header: bytes) -> SceneHeader:
    """Raises SineFileError if the header is damaged, or out of the format's bounds."""
    has_split = len(header) > 2 and bool(header[1] & 0x40)
    check(len(header) == (182 if has_split else 175), "its header has the wrong length")
    if has_split:  # which photographs were held out: of no use here, but checked
        rule, parameter, _ = struct.unpack_from("<BHI", header, 175)
        check(rule <= 3 and (parameter == 0) == (rule == 0), "its split is invalid")
    sizes = struct.unpack_from("<HHBHHBBHHHBB", header)
    flags, width, depth, rank, skips, position, direction, coarse, fine, narrow, shallow, octaves = sizes
    *numbers, picture_width, picture_height = struct.unpack_from("<38f2H", header, 19)
    finite = all(isfinite(number) and abs(number) <= 1e9 for number in numbers)
    check(finite, "its header holds a number that is not finite, or too large")
    bits = [bool(flags >> bit & 1) for bit in (6, 7, 12, 15)]
    kind = LayerKind(flags & 3, numbers[0], numbers[1], *bits)
    background = flags >> 4 & 3
    check(background <= 2, "it has a background that the format does not define")
    check(width >= 2 and rank >= 1 and narrow >= 1, "its network is beyond the format's bounds")
    check(1 <= depth <= 16 and 1 <= shallow <= 16 and skips >> depth == 0, "its depth is beyond the format's bounds")
    check(max(position, direction, octaves) <= 24, "its encodings are beyond the format's bounds")
    check(1 <= coarse <= 1024 and 1 <= fine <= 1024, "its samples are beyond the format's bounds")
    largest, proposal = 3 + 6 * max(position, direction, octaves), bool(flags & 4)
    baked = (1 if proposal else 2) * (depth + 3) * (width + largest) ** 2 + shallow * (narrow + largest) ** 2
    check(baked <= LARGEST_BAKED, "its networks are beyond the format's bounds")
    factored = {"input": flags >> 8 & 1, "hidden": flags >> 9 & 1, "head": flags >> 10 & 1}
    maker = _Layers(kind, factored)
    second = maker.radiance(1, width, depth, rank, skips, position, direction)
    if proposal:
        first = maker.density(narrow, shallow, min(rank, max(1, narrow // 4)), octaves)
    else:
        first = maker.radiance(0, width, depth, rank, skips, position, direction)
    check(numbers[22] > 0, "its capture has no extent")
    warp, home = _warp(flags, numbers[2:9]), _home(numbers[23:], picture_width, picture_height)
    return SceneHeader((first, second), (coarse, fine), proposal, flags >> 3 & 1, background, warp, numbers[9], home)


class _Layers(NamedTuple):
    """Makes the layers of networks."""

    kind: LayerKind
    factored: dict[str, int]

    def layer(self, name: str, role: str, outputs: int, inputs: int, rank: int, a: float = SQRT2) -> Layer:
        dense = self.kind.number == DENSE or not self.factored[role]
        saves_nothing = role == "head" and rank * (outputs + inputs) >= outputs * inputs
        return Layer(name, outputs, inputs, 0 if dense or saves_nothing else rank, a, self.kind)

    def trunk(
        self, network: int, width: int, depth: int, rank: int, skips: int, inputs: int
    ) -> tuple[list[Layer], int]:
        layers, size = [], inputs
        for i in range(depth):
            layers.append(self.layer(f"{network}.layers.{i}", "hidden" if i else "input", width, size, rank))
            size = width + (inputs if skips >> i & 1 else 0)
        return layers, size

    def radiance(self, network: int, width: int, depth: int, rank: int, skips: int, p: int, d: int) -> Network:
        trunk, size = self.trunk(network, width, depth, rank, skips, 3 + 6 * p)
        sizes = {"density": (1, size, 1.0), "feature": (width, size, 1.0)}
        sizes |= {"view": (width // 2, width + 3 + 6 * d, SQRT2), "colour": (3, width // 2, 1.0)}
        heads = {n: self.layer(f"{network}.{n}", "head", m, k, rank, a) for n, (m, k, a) in sizes.items()}
        return Network(p, d, trunk, skips, heads)

    def density(self, width: int, depth: int, rank: int, octaves: int) -> Network:
        trunk, size = self.trunk(0, width, depth, rank, 0, 3 + 6 * octaves)
        return Network(octaves, 0, trunk, 0, {"head": self.layer("0.head", "head", 1, size, rank, 1.0)})


def _warp(flags: int, numbers: list[float]) -> Warp:
    is_box, is_contraction = flags >> 11 & 1, flags >> 13 & 1
    check(not (is_box and is_contraction), "it has two warps")
    warp: Warp
    if is_box:
        lengths, unused, warp = numbers[3:], [], Box(np.array(numbers[:3]), np.array(numbers[3:6]), numbers[6])
    elif is_contraction:
        lengths, unused, warp = numbers[3:5], numbers[5:], Contraction(np.array(numbers[:3]), numbers[3], numbers[4])
    else:
        lengths, unused, warp = numbers[:3], numbers[3:], NDC(np.array(numbers[:2]), numbers[2])
    check(min(lengths) > 0, "its scene has no extent")
    check(not any(unused), "its warp has more numbers than the format defines")
    return warp


def _home(numbers: list[float], width: int, height: int) -> Camera:
    """The home view, from its quaternion on."""
    fx, fy, cx, cy = numbers[11:]
    quaternion = np.array(numbers[:4])
    length = float(np.linalg.norm(quaternion))
    sizes = 1 <= width <= LARGEST_PICTURE and 1 <= height <= LARGEST_PICTURE
    check(min(fx, fy) > 0 and sizes and length**2 >= 0.5, "its camera is invalid")
    w, *axis = quaternion / length
    cross = np.cross(axis, np.eye(3)).T  # Rodrigues' formula
    rotation = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    return Camera(rotation, np.array(numbers[4:7]), fx, fy, cx, cy, width, height)
