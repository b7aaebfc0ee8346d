"""The still life in the middle of a room, to be photographed from all sides: a scene with a background all around.

Unlike `still_life`, its surfaces have detail at every scale, as real ones have, so that features can be matched.
World units are about half a metre, y up; the table's top is at y = 0.
"""

from functools import cache

import numpy as np

from sinenerf.datasets.ray_tracer import Box, Scene, Sphere, Texture, Vector, column
from sinenerf.datasets.still_life import landscape, objects_on_table

CENTRE: Vector = (0.1, 0.35, -0.1)
"""The point that cameras look at."""
FLOOR, CEILING, WALL = -1.5, 4.6, 5.6
"""Heights of floor and ceiling, and distance of the walls from the middle."""
TILE = 1024
"""Side of the noise that gives surfaces their detail, in samples."""
NIGHT: Vector = (0.10, 0.13, 0.22)


@cache
def room() -> Scene:
    """Objects, table and the room around them. Its first shapes are those of `foreground`."""
    middle, half = (FLOOR + CEILING) / 2, (CEILING - FLOOR) / 2
    wide, thick = WALL + 1, 0.5
    return (
        *foreground(),
        Box((0, FLOOR - thick, 0), (wide, thick, wide), tiles, casts_shadow=False),
        Box((0, CEILING + thick, 0), (wide, thick, wide), plaster((0.78, 0.77, 0.74), 1, 0, 2), casts_shadow=False),
        Box((0, middle, -WALL - thick), (wide, half, thick), plaster((0.25, 0.38, 0.37), 2, 0, 1), casts_shadow=False),
        Box((0, middle, WALL + thick), (wide, half, thick), plaster((0.55, 0.43, 0.32), 3, 0, 1), casts_shadow=False),
        Box((-WALL - thick, middle, 0), (thick, half, wide), plaster((0.52, 0.50, 0.46), 4, 2, 1), casts_shadow=False),
        Box((WALL + thick, middle, 0), (thick, half, wide), plaster((0.42, 0.30, 0.29), 5, 2, 1), casts_shadow=False),
        Box((0.2, FLOOR + 0.01, -0.2), (2.9, 0.015, 2.6), rug, turn=12, casts_shadow=False),
        Box((-2.0, 1.5, -WALL), (1.5, 1.05, 0.06), landscape, casts_shadow=False),
        Box((1.9, 1.3, -WALL), (1.1, 1.3, 0.05), poster(20, 0), casts_shadow=False),
        Box((-2.4, 1.2, WALL), (1.3, 0.9, 0.05), poster(24, 0), casts_shadow=False),
        Box((0.8, 1.9, WALL), (0.8, 0.8, 0.05), poster(28, 0), casts_shadow=False),
        Box((WALL, 1.2, -1.6), (0.05, 1.2, 1.3), poster(32, 2), casts_shadow=False),
        Box((-WALL + 0.2, 0.6, -0.4), (0.25, 2.0, 2.2), shelf, casts_shadow=False),
        Box((WALL - 0.5, FLOOR + 0.55, 1.9), (0.6, 0.55, 1.7), cloth((0.12, 0.24, 0.36), 10)),
        Box((2.9, FLOOR + 0.8, WALL - 0.6), (0.8, 0.8, 0.5), cloth((0.42, 0.22, 0.10), 12), turn=8),
        Sphere((-3.6, FLOOR + 0.7, 3.8), 0.7, cloth((0.16, 0.32, 0.10), 14)),
    )


@cache
def foreground() -> Scene:
    """The objects, with detail in their textures, and the table that they stand on."""
    return (
        *(_detailed(shape, 50 + number) for number, shape in enumerate(objects_on_table())),
        Box((0.05, -0.06, -0.1), (2.15, 0.06, 1.85), planks),
        *(
            Box((x, (FLOOR - 0.12) / 2, z), (0.1, -(FLOOR + 0.12) / 2, 0.1), planks)
            for x in (-1.8, 1.9)
            for z in (-1.6, 1.4)
        ),
    )


@cache
def noise(seed: int, roughness: float = 1.0) -> np.ndarray:
    """A periodic picture (TILE, TILE) of noise, 0 to 255. At roughness 1 it has as much contrast at every scale, at
    less the coarse scales dominate. Each surface has its own, because equal ones would be taken for each other."""
    white = np.random.default_rng(seed).standard_normal((TILE, TILE))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    pink = np.fft.irfft2(np.fft.rfft2(white) / np.maximum(frequency, 2 / TILE) ** (1 / roughness), (TILE, TILE))
    return np.round(127.5 + 127.5 * np.tanh(0.8 * (pink - pink.mean()) / pink.std())).astype(np.uint8)


def detail(u: np.ndarray, v: np.ndarray, seed: int, size: float, roughness: float = 1.0) -> np.ndarray:
    """Noise (N,), 0 to 1, at coordinates (N,) of a surface; `size` is its period in world units."""
    x, y = u / size * TILE, v / size * TILE
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    a, b = (x - left).astype(np.float32), (y - top).astype(np.float32)
    picture = noise(seed, roughness)

    def at(down: int, right: int) -> np.ndarray:
        return picture[(top + down) % TILE, (left + right) % TILE] / np.float32(255)

    return (1 - b) * ((1 - a) * at(0, 0) + a * at(0, 1)) + b * ((1 - a) * at(1, 0) + a * at(1, 1))


def flat(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two coordinates (N,) along the surface, in world units: those across the longest axis of the local point.

    Where that axis changes within a face, the pattern has a seam, which is as good as any other detail.
    """
    axis = np.abs(p).argmax(0)
    sign = np.sign(p[axis, np.arange(p.shape[1])])  # opposite faces see other parts of the noise
    return np.where(axis == 0, p[2], p[0]) + 1.37 * axis + 0.61 * sign, np.where(axis == 1, p[2], p[1]) + 0.83 * sign


def plaster(colour: Vector, seed: int, across: int, along: int) -> Texture:
    """Paint over rough plaster; `across` and `along` are the axes (0, 1, 2) of its plane."""
    return lambda p: column(colour) * (0.55 + 0.9 * detail(p[across], p[along], seed, 2 * WALL + 2))


def poster(seed: int, across: int) -> Texture:
    """Patches of colour with sharp edges; `across` is the horizontal axis (0 or 2) of its plane."""

    def texture(p: np.ndarray) -> np.ndarray:
        channels = [detail(p[across], p[1], seed + k, 3.1, 0.6) > 0.5 for k in range(3)]
        grain = detail(p[across], p[1], seed + 3, 3.1)
        return np.stack([0.1 + 0.65 * channel for channel in channels]) * (0.6 + 0.7 * grain)

    return texture


def tiles(p: np.ndarray) -> np.ndarray:
    """A floor of square tiles in two tones, each with its own veins."""
    u, v = p[0] / 0.8, p[2] / 0.8
    odd = (np.floor(u) + np.floor(v)) % 2
    joint = (np.minimum(u - np.floor(u), v - np.floor(v)) < 0.03).astype(np.float32)
    tone = 0.28 + 0.22 * odd + 0.3 * (detail(p[0], p[2], 6, 2 * WALL + 2) - 0.5)
    return column((1.0, 0.93, 0.84)) * tone * (1 - 0.6 * joint)


def rug(p: np.ndarray) -> np.ndarray:
    """Bands of diamonds in three colours of wool."""
    u, v = p[0], p[2]
    diamond = np.abs((2.2 * u) % 2 - 1) + np.abs((2.2 * v) % 2 - 1)
    colours = np.array([(0.45, 0.08, 0.08), (0.62, 0.52, 0.36), NIGHT], np.float32).T
    which = np.clip(np.floor(1.5 * diamond), 0, 2).astype(int)
    return colours[:, which] * (0.55 + 0.9 * detail(u, v, 7, 6.0))


def shelf(p: np.ndarray) -> np.ndarray:
    """Rows of books of different colours and heights, between dark boards."""
    row, along = np.floor(p[1] / 0.8), p[2] / 0.17
    book = np.floor(along + 0.35 * np.sin(2.1 * along + 3 * row))
    within = p[1] / 0.8 - row
    pick = np.abs(np.sin(book * 12.9898 + row * 78.233) * 43758.5453) % 1
    colour = np.stack([0.08 + 0.6 * ((pick * k) % 1) for k in (1.0, 3.7, 9.1)])
    title = (np.abs(within - 0.45) < 0.12) & (detail(p[2], p[1], 8, 4.5, 1.2) > 0.52)
    colour = np.where(title, np.float32(0.8), colour * (0.75 + 0.5 * detail(p[2], p[1], 9, 4.5)))
    gap = (within > 0.62 + 0.28 * pick) | (within < 0.06)
    return np.where(gap, column((0.05, 0.035, 0.025)), colour)


def planks(p: np.ndarray) -> np.ndarray:
    """A table of boards along x, with long grain, knots and stains."""
    board = np.floor(p[2] / 0.42)
    grain = detail(0.15 * p[0], p[2] + p[1], 40, 4.5)
    stain = detail(p[0] + p[1], p[2], 41, 4.5)
    seam = np.abs(p[2] / 0.42 - board) < 0.02
    return column((0.62, 0.38, 0.20)) * (0.35 + 0.7 * grain) * (0.6 + 0.8 * stain) * (1 - 0.6 * seam)


def cloth(colour: Vector, seed: int) -> Texture:
    """Printed upholstery."""

    def texture(p: np.ndarray) -> np.ndarray:
        u, v = flat(p)
        print_ = detail(u, v, seed, 3.0)
        return np.where(print_ > 0.55, column(colour) * 1.9, column(colour)) * (0.7 + 0.6 * detail(u, v, seed + 1, 3.0))

    return texture


def _detailed(shape: Sphere | Box, seed: int) -> Sphere | Box:
    """The same shape with specks and scratches in its texture."""
    from dataclasses import replace

    def texture(p: np.ndarray) -> np.ndarray:
        u, v = flat(p)
        specks = detail(u, v, seed, 2.5)
        return np.clip(shape.texture(p) * (0.55 + 0.9 * specks), 0, 1)

    return replace(shape, texture=texture)
