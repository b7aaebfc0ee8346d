"""The demo scene: a still life of balls, a puzzle cube, books and a crate on a wooden table, a picture on the wall.

Textures are smooth or coarse, so that they do not alias in photographs a few hundred pixels wide.
"""

from functools import cache

import numpy as np

from sinenerf.datasets.ray_tracer import Box, Scene, Sphere, Texture, Vector, column

FOCUS: Vector = (0.05, 0.62, -0.35)
"""The point that cameras look at."""
WHITE: Vector = (0.84, 0.82, 0.78)


@cache
def still_life() -> Scene:
    return (
        Box((0, -0.5, 0), (20, 0.5, 20), table, casts_shadow=False),
        Box((0, 0, -3.1), (20, 20, 0.5), wall, casts_shadow=False),
        Box((0, 0.09, -2.58), (20, 0.09, 0.04), plain((0.80, 0.77, 0.70)), casts_shadow=False),
        Box((-0.62, 1.82, -2.57), (0.98, 0.70, 0.05), plain((0.30, 0.17, 0.08))),
        Box((-0.62, 1.82, -2.55), (0.90, 0.62, 0.05), landscape, casts_shadow=False),
        *objects_on_table(),
    )


@cache
def objects_on_table() -> Scene:
    """What stands on the table, whose top is at y = 0."""
    return (
        Sphere((-0.98, 0.58, -0.55), 0.58, marble, gloss=0.5),
        Sphere((0.68, 0.36, 0.40), 0.36, beach_ball, gloss=0.35),
        Sphere((-0.28, 0.19, 0.98), 0.19, plain((0.62, 0.04, 0.05)), gloss=0.8),
        Sphere((-1.25, 0.15, 0.62), 0.15, glazed, gloss=0.6),
        Box((1.33, 0.36, -0.78), (0.42, 0.36, 0.42), crate, turn=24),
        Sphere((1.30, 0.98, -0.80), 0.26, clouds, gloss=0.5),
        Box((0.05, 0.09, -0.95), (0.52, 0.09, 0.38), book((0.10, 0.20, 0.38), 0.09), turn=-14),
        Box((0.09, 0.255, -0.93), (0.46, 0.075, 0.34), book((0.55, 0.30, 0.07), 0.075), turn=9),
        Box((0.04, 0.55, -0.95), (0.22, 0.22, 0.22), puzzle_cube, turn=38),
    )


def plain(colour: Vector) -> Texture:
    return lambda p: np.broadcast_to(column(colour), p.shape)


def table(p: np.ndarray) -> np.ndarray:
    """Planks along z, with grain."""
    x, z = p[0] / 0.52, p[2]
    plank = np.floor(x)
    bend = 0.35 * np.sin(1.1 * z + 5 * plank) + 0.12 * np.sin(2.9 * z + 2 * plank)
    grain = np.sin(2 * np.pi * (3.2 * (x - plank) + bend)) * np.sin(0.7 * z + plank)
    tone = np.sin(plank * 12.9898)
    seam = _step(np.abs(x - plank - 0.5), 0.47, 0.495)
    return _blend((0.30, 0.155, 0.07), (0.50, 0.29, 0.14), 0.5 + 0.275 * grain + 0.225 * tone) * (1 - 0.65 * seam)


def wall(p: np.ndarray) -> np.ndarray:
    """Paint with a faint damask pattern."""
    x, y = p[0], p[1]
    damask = np.sin(5.2 * x + 1.2 * np.sin(2.6 * y)) * np.sin(4.4 * y + 1.2 * np.sin(2.6 * x))
    return _blend((0.155, 0.275, 0.275), (0.215, 0.355, 0.34), _step(damask, -0.25, 0.55))


def landscape(p: np.ndarray) -> np.ndarray:
    """A painting on a white mount: sunset behind three ridges."""
    x, y = p[0] / 0.80, p[1] / 0.52
    colour = _blend((0.95, 0.52, 0.22), (0.24, 0.30, 0.52), _step(y, -0.35, 1.0))
    colour = _blend((1.0, 0.86, 0.50), colour, _step(np.hypot((x - 0.30) * 1.54, y - 0.34), 0.23, 0.27))
    ridges: list[tuple[float, float, float, Vector]] = [
        (0.10, 3.1, 0.4, (0.46, 0.25, 0.34)),
        (-0.22, 4.3, 2.0, (0.24, 0.17, 0.30)),
        (-0.55, 5.7, 4.1, (0.09, 0.09, 0.17)),
    ]
    for height, rate, phase, shade in ridges:
        edge = height + 0.16 * np.sin(rate * x + phase) + 0.06 * np.sin(2.7 * rate * x + phase)
        colour = _blend(colour, shade, _step(edge - y, -0.01, 0.02))
    return _blend(colour, WHITE, _step(np.maximum(np.abs(x), np.abs(y)), 0.995, 1.01))


def marble(p: np.ndarray) -> np.ndarray:
    x, y, z = p
    veins = np.sin(7 * x + 4 * y + 2.2 * np.sin(5 * y + 3 * z) + 1.4 * np.sin(9 * z - 4 * x))
    return _blend((0.76, 0.75, 0.72), (0.20, 0.24, 0.32), np.abs(veins) ** 6)


def beach_ball(p: np.ndarray) -> np.ndarray:
    """Six panels, alternately white and coloured, and white caps."""
    x, y, z = _tilt(35, 20) @ p
    panels = _palette(WHITE, (0.80, 0.09, 0.07), WHITE, (0.05, 0.30, 0.62), WHITE, (0.90, 0.58, 0.05))
    panel = np.floor(np.arctan2(z, x) / (np.pi / 3)).astype(int) % 6
    return np.where(np.abs(y) > 0.335, column(WHITE), panels[:, panel])


def glazed(p: np.ndarray) -> np.ndarray:
    """Stripes on a ceramic ball."""
    return _blend((0.02, 0.26, 0.27), (0.66, 0.78, 0.70), _step(np.sin(60 * (_tilt(30, -25) @ p)[1]), -0.15, 0.15))


def clouds(p: np.ndarray) -> np.ndarray:
    """Bands like those of a gas giant."""
    x, y, z = 3.8 * _tilt(-20, 15) @ p
    swirl = 8 * y + 0.7 * np.sin(4 * x + 3 * y) + 0.4 * np.sin(7 * z - 2 * x)
    pale = _blend((0.72, 0.47, 0.22), (0.86, 0.76, 0.58), 0.5 + 0.5 * np.sin(swirl))
    return _blend(pale, (0.45, 0.17, 0.08), _step(np.sin(0.55 * swirl), 0.7, 1.0))


def crate(p: np.ndarray) -> np.ndarray:
    """Three boards on each side, in a frame."""
    u, v = _face_coordinates(p, (0.42, 0.36, 0.42))
    board = np.floor(1.5 * (v + 1))
    grain = np.sin(26 * v + 2.0 * np.sin(3 * u + 2 * board)) * np.sin(2 * u + board)
    gap = _step(np.abs(1.5 * (v + 1) - board - 0.5), 0.44, 0.48)
    boards = _blend((0.48, 0.31, 0.15), (0.66, 0.47, 0.26), 0.5 + 0.5 * grain) * (1 - 0.7 * gap)
    from_edge = np.minimum(0.42 * (1 - np.abs(u)), 0.36 * (1 - np.abs(v)))
    crease = _step(np.abs(from_edge - 0.095), 0.012, 0.004)
    return _blend(boards, (0.40, 0.24, 0.11), _step(from_edge, 0.10, 0.09)) * (1 - 0.45 * crease)


def book(cover: Vector, half_height: float) -> Texture:
    """A book lying flat: the spine, with two gilt bands, faces +z; the other three sides show pages."""

    def texture(p: np.ndarray) -> np.ndarray:
        pages = (np.abs(p[1]) < half_height - 0.018) & (p[2] < 0.3)
        paper = column((0.71, 0.67, 0.57)) * (1 + 0.15 * np.sin(220 * p[1]))
        bands = (np.abs(np.abs(p[0]) - 0.3) < 0.014) & (p[2] > 0.26)
        return np.where(pages, paper, np.where(bands, column((0.72, 0.54, 0.20)), column(cover)))

    return texture


def puzzle_cube(p: np.ndarray) -> np.ndarray:
    """Nine stickers on each face, shuffled."""
    stickers = _palette(
        (0.70, 0.04, 0.04), (0.03, 0.42, 0.12), (0.04, 0.14, 0.55), (0.85, 0.70, 0.05), (0.90, 0.34, 0.03), WHITE
    )
    u, v = _face_coordinates(p, (0.22, 0.22, 0.22))
    across, up = np.clip(np.floor(1.5 * (u + 1)), 0, 2), np.clip(np.floor(1.5 * (v + 1)), 0, 2)
    axis = np.abs(p).argmax(0)
    # an arbitrary shuffle that shows all six colours on the visible faces
    sticker = (across * 2 + up * 5 + axis * 3 + across * up * (axis + 1)).astype(int) % 6
    gap = np.maximum(np.abs(1.5 * (u + 1) - across - 0.5), np.abs(1.5 * (v + 1) - up - 0.5)) > 0.43
    return np.where(gap, np.float32(0.025), stickers[:, sticker])


def _face_coordinates(p: np.ndarray, half: Vector) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (N,), -1 to 1, across and up the face of the box that each point lies on."""
    x, y, z = p / column(half)
    axis = np.abs(p / column(half)).argmax(0)
    return np.where(axis == 0, z, x), np.where(axis == 1, z, y)


def _tilt(forward: float, sideways: float) -> np.ndarray:
    """Rotation (3, 3) about x, then z, by angles in degrees."""
    a, b = np.radians([forward, sideways])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), np.sin(a)], [0, -np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), np.sin(b), 0], [-np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return (about_z @ about_x).astype(np.float32)


def _palette(*colours: Vector) -> np.ndarray:
    """Colours as columns (3, n)."""
    return np.array(colours, np.float32).T


def _step(x: np.ndarray, start: float, end: float) -> np.ndarray:
    """Smoothstep from 0 at `start` to 1 at `end`, which may be less than `start`."""
    s = np.clip((x - start) / (end - start), 0, 1)
    return s * s * (3 - 2 * s)


def _blend(first: Vector | np.ndarray, second: Vector | np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate from the first colour (share 0) to the second (share 1); each is one colour or (3, N)."""
    first, second = (column(c) if isinstance(c, tuple) else c for c in (first, second))
    return first + share * (second - first)
