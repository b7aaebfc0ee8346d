"""A picture of meshes side by side, ray-cast by open3d without a display: the README's own.

python scripts/picture_shapes.py dragon.ply field.ply --output docs/dragon.jpg --turn 180
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import open3d as o3d
import trimesh
import tyro
from PIL import Image

from sinenerf.occupancy.shapes import read_shape


@dataclass
class Options:
    meshes: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Meshes, all seen by the first one's camera."""
    output: Path
    """Picture to write."""
    width: int = 600
    """Pixels of each."""
    height: int = 440
    """Pixels of each."""
    eye: tuple[float, float, float] = (0.35, 0.25, 1.25)
    """Where the camera is, from the middle of the bounding box, in its diagonals. It looks at the middle; y is up."""
    turn: float = 0.0
    """Turn the meshes about z first, in degrees: the shared dragon lies on its back."""


def main(options: Options) -> None:
    shapes = [read_shape(path)[0] for path in options.meshes]
    for shape in shapes:
        shape.apply_transform(trimesh.transformations.rotation_matrix(np.radians(options.turn), [0, 0, 1]))
    low, high = shapes[0].bounds
    centre, size = (low + high) / 2, float(np.linalg.norm(high - low))
    eye = centre + size * np.array(options.eye)
    pictures = [shade(shape, centre, eye, options.width, options.height) for shape in shapes]
    Image.fromarray(np.concatenate(pictures, axis=1)).save(options.output, quality=88)


def shade(mesh, centre: np.ndarray, eye: np.ndarray, width: int, height: int, samples: int = 2) -> np.ndarray:
    """(height, width, 3) uint8: a key light with shadow, a fill light, white behind."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.uint32))
    rays = scene.create_rays_pinhole(42, centre, eye, [0, 1, 0], width * samples, height * samples)
    hit = scene.cast_rays(rays)
    distance = hit["t_hit"].numpy()
    seen = np.isfinite(distance)
    normal = hit["primitive_normals"].numpy()
    direction = rays.numpy()[..., 3:]
    normal = np.where((normal * direction).sum(-1, keepdims=True) > 0, -normal, normal)
    key = np.array([0.5, 0.8, 0.6]) / np.linalg.norm([0.5, 0.8, 0.6])
    point = rays.numpy()[..., :3] + np.where(seen, distance, 0)[..., None] * direction
    start = point + 1e-3 * np.linalg.norm(eye - centre) * normal
    shadow = scene.test_occlusions(
        o3d.core.Tensor(np.concatenate([start, np.broadcast_to(key, start.shape)], -1).astype(np.float32))
    ).numpy()
    lit = 0.7 * np.clip(normal @ key, 0, 1) * ~shadow + 0.2 * (0.5 + 0.5 * normal[..., 1]) + 0.12
    colour = np.where(seen[..., None], np.clip(lit, 0, 1)[..., None] * [0.85, 0.9, 1.0], 1.0)
    small = colour.reshape(height, samples, width, samples, 3).mean((1, 3))
    return (255 * np.clip(small, 0, 1) ** (1 / 1.8)).round().astype(np.uint8)


if __name__ == "__main__":
    main(tyro.cli(Options))
