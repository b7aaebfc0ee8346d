"""A .sine file as a mesh, without Blender."""

from dataclasses import dataclass

import numpy as np
import sine_reader
from sine_reader.warps import NDC, Contraction

from .surface_nets import in_parts, sampled, surface_nets, without_specks

TO_Z_UP = {
    "x": np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "z": np.eye(3),
    "-x": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),
    "-y": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-z": np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]),
}
"""Rotations that turn an axis to Blender's z."""
EMPTY, SOLID = 1e-1, 1e3
"""Densities that differ no more in what they show, in 1 / cube unit."""
PILOT = 64
"""Cells along the longest side of the grid from which a scene's level is chosen."""


class EmptySurface(ValueError):
    """The field is nowhere, or everywhere, solid."""


@dataclass
class FieldMesh:
    """Blender's axes: z up."""

    vertices: np.ndarray
    """(n, 3)."""
    quads: np.ndarray
    """(m, 4), their normals outwards."""
    colours: np.ndarray | None
    """(n, 3) from 0 to 1, in sRGB, of a scene."""


def field_mesh(path: str, resolution: int) -> FieldMesh:
    """The surface of the field in a file, upright.

    Args:
        resolution: cells along the longest side of the cube.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no field, or has no surface.
    """
    field = sine_reader.load(path)
    if isinstance(field, sine_reader.Scene):
        return _scene_mesh(field, resolution)
    low, high = field.bounds
    grid = sampled(field.logits, low, high, resolution)
    vertices, quads = _surface(grid)
    if field.pieces:
        vertices, quads = without_specks(vertices, quads, field.pieces)
    vertices = low + vertices * (high - low) / (np.array(grid.shape) - 1)
    return FieldMesh(vertices @ TO_Z_UP[field.up].T, quads, None)


def _scene_mesh(scene: sine_reader.Scene, resolution: int) -> FieldMesh:
    warp, far = scene.warp, scene.header.far
    low = np.full(3, -far if isinstance(warp, Contraction) else -1.0)
    high = np.array([-low[0], -low[1], far])
    sizes = [np.linspace(a, b, PILOT) for a, b in zip(low, high, strict=True)]
    level = _level(in_parts(scene.density, np.stack(np.meshgrid(*sizes, indexing="ij"), -1).reshape(-1, 3)))

    def over(points: np.ndarray) -> np.ndarray:
        """Logarithm of the density over the level: linear between samples, as in sinenerf mesh."""
        return np.log(np.clip(scene.density(points) / level, 1e-3, 1e3))

    grid = sampled(over, low, high, resolution)
    vertices, quads = _surface(grid)
    cell = (high - low) / (np.array(grid.shape) - 1)
    cube = low + vertices * cell
    world = warp.to_scene(cube)
    normals = _vertex_normals(cube, quads)
    inner = warp.to_scene(cube - 0.5 * cell.max() * normals)  # where the colour is that of the surface
    directions = _unit(inner if isinstance(warp, NDC) else inner - world)
    colours = in_parts(scene.colour, warp.to_cube(inner), directions)
    if isinstance(warp, NDC):  # which mirrors space, and has y up
        return FieldMesh(world @ TO_Z_UP["y"].T, quads[:, ::-1], colours)
    return FieldMesh(world, quads, colours)


def _surface(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vertices, quads = surface_nets(grid)
    if not len(quads):
        raise EmptySurface("it has no surface: it is nowhere, or everywhere, solid")
    return vertices, quads


def _level(densities: np.ndarray) -> float:
    """Halfway, in the logarithm, between the means of what Otsu's threshold (1979) takes for empty and for solid."""
    logs = np.sort(np.log(np.clip(densities.astype(np.float64), EMPTY, SOLID)))
    count = np.arange(1, len(logs))
    below = logs.cumsum()[:-1]
    means = below / count, (logs.sum() - below) / (len(logs) - count)
    split = (count * (len(logs) - count) * (means[1] - means[0]) ** 2).argmax()
    return float(np.exp((means[0][split] + means[1][split]) / 2))


def _vertex_normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    a, b, c, d = (vertices[quads[:, i]] for i in range(4))
    faces = np.cross(c - a, d - b)
    normals = np.zeros_like(vertices)
    for corner in quads.T:
        np.add.at(normals, corner, faces)
    return _unit(normals)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
