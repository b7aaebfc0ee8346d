"""A small ray tracer in numpy: spheres and boxes, one light with shadows, ambient occlusion, highlights, reflections.

Points, directions and colours are (3, N) arrays of float32 with one row per coordinate, which is much faster in numpy
than (N, 3). World units, y up. Colours are linear, not gamma-encoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np

Vector = tuple[float, float, float]
Texture = Callable[[np.ndarray], np.ndarray]
"""Maps local points (3, N), relative to the shape's centre and axes, to reflectances (3, N) in 0..1."""

EPSILON = 1e-3
"""Offset of secondary rays from the surface they leave."""
LIGHT: Vector = (3.3, 3.05, 2.65)
"""Position of the lamp."""
SUN: Vector = (1.10, 1.00, 0.84)
SKY: Vector = (0.36, 0.41, 0.50)
GROUND: Vector = (0.24, 0.18, 0.13)


@dataclass(frozen=True)
class Sphere:
    centre: Vector
    radius: float
    texture: Texture
    gloss: float = 0.0
    """Strength of highlight and reflection, 0 (matt) to 1 (varnished)."""
    casts_shadow: bool = True

    def to_local(self, points: np.ndarray) -> np.ndarray:
        return points - column(self.centre)

    def normals(self, points: np.ndarray) -> np.ndarray:
        return self.to_local(points) / self.radius

    def intersect(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Distance (N,) to the first hit from outside, in lengths of the direction; infinite for a miss."""
        offset = self.to_local(origins)
        a, b, c = dot(directions, directions), dot(offset, directions), dot(offset, offset) - self.radius**2
        discriminant = b * b - a * c
        distance = (-b - np.sqrt(np.maximum(discriminant, 0))) / a
        return np.where((discriminant > 0) & (distance > 0), distance, np.inf)


@dataclass(frozen=True)
class Box:
    centre: Vector
    half: Vector
    """Half of the width, height and depth."""
    texture: Texture
    turn: float = 0.0
    """Rotation about the vertical axis, in degrees."""
    gloss: float = 0.0
    casts_shadow: bool = True

    @cached_property
    def _axes(self) -> np.ndarray:
        """Rotation (3, 3) from world to local axes."""
        c, s = np.cos(np.radians(self.turn)), np.sin(np.radians(self.turn))
        return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], dtype=np.float32)

    @property
    def radius(self) -> float:
        """Radius of a sphere that occludes ambient light about as much."""
        return sum(self.half) / 3

    def to_local(self, points: np.ndarray) -> np.ndarray:
        return self._axes @ (points - column(self.centre))

    def normals(self, points: np.ndarray) -> np.ndarray:
        local = self.to_local(points) / column(self.half)
        face = np.abs(local).argmax(0)
        return self._axes.T[:, face] * np.sign(local[face, np.arange(len(face))])

    def intersect(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Distance (N,) to the first hit from outside, in lengths of the direction; infinite for a miss."""
        local = self._axes @ directions
        # rays parallel to a face must not cause a division by zero
        inverse = 1 / np.where(np.abs(local) < 1e-9, np.float32(1e-9), local)
        middle, reach = -self.to_local(origins) * inverse, column(self.half) * np.abs(inverse)
        enter, leave = (middle - reach).max(0), (middle + reach).min(0)
        return np.where((enter < leave) & (enter > 0), enter, np.inf)


Scene = Sequence[Sphere | Box]


def trace(
    scene: Scene, origins: np.ndarray, directions: np.ndarray, light: np.ndarray | Vector = LIGHT, bounces: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Trace rays (3, N) to their first hit.

    Returns:
        linear colours (3, N), black for a miss; distances (N,) in lengths of the direction, infinite for a miss. With
        directions of length 1 along the viewing axis, a distance is a depth along that axis.
    """
    origins, directions = np.asarray(origins, np.float32), np.asarray(directions, np.float32)
    nearest, distance = first_hits(scene, origins, directions)
    colour = np.zeros_like(directions)
    for index, shape in enumerate(scene):
        rays = np.flatnonzero(nearest == index)
        if len(rays):
            along = directions[:, rays]
            points = origins[:, rays] + distance[rays] * along
            colour[:, rays] = _shade(scene, shape, points, _unit(along), light, bounces)
    return colour, distance


def first_hits(scene: Scene, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (N,) of the shapes that rays (3, N) hit first, -1 for a miss, and the distances, as in `trace`."""
    distances = np.stack([shape.intersect(origins, directions) for shape in scene])
    distance = distances.min(0)
    return np.where(np.isfinite(distance), distances.argmin(0), -1), distance


def _shade(
    scene: Scene, shape: Sphere | Box, points: np.ndarray, view: np.ndarray, light: np.ndarray | Vector, bounces: int
) -> np.ndarray:
    normals, to_light = shape.normals(points), column(light) - points
    lifted = points + np.float32(EPSILON) * normals
    casters = [other for other in scene if other.casts_shadow]
    lit = ~reduce(np.logical_or, (other.intersect(lifted, to_light) < 1 for other in casters), np.zeros(1, bool))
    square = dot(to_light, to_light)
    # falls off with the distance, not its square, as for a strip light; SUN is the intensity at distance 5
    direct = lit * np.maximum(dot(normals, to_light), 0) * 5 / square
    ambient = column(GROUND) + (column(SKY) - column(GROUND)) * (0.5 + 0.5 * normals[1])
    ambient = ambient * _openness([other for other in casters if other is not shape], points, normals)
    colour = shape.texture(shape.to_local(points)) * (ambient + column(SUN) * direct)
    if shape.gloss:
        highlight = lit * np.maximum(dot(normals, _unit(_unit(to_light) - view)), 0) ** 60
        colour = colour + 0.5 * shape.gloss * highlight
    if shape.gloss and bounces:
        facing = dot(normals, view)
        mirrored, _ = trace(scene, lifted, view - 2 * facing * normals, light, bounces - 1)
        # Schlick's approximation to Fresnel reflection
        colour = colour + shape.gloss * (0.04 + 0.96 * (1 - np.abs(facing)) ** 5) * mirrored
    return colour


def _openness(others: Scene, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Fraction (N,) of ambient light that reaches each point past the other shapes, approximated by spheres."""
    share = np.ones(points.shape[1], np.float32)
    for other in others:
        offset = column(other.centre) - points
        square = np.maximum(dot(offset, offset), other.radius**2)
        share *= 1 - np.maximum(dot(normals, offset), 0) * other.radius**2 / (square * np.sqrt(square))
    return share


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear colours of 0..1, of any shape, as the sRGB values of a picture, 0..1."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def column(values: np.ndarray | Sequence[float]) -> np.ndarray:
    """(3, 1), to broadcast against (3, N)."""
    return np.asarray(values, np.float32)[:, None]


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.sqrt(dot(vectors, vectors))
