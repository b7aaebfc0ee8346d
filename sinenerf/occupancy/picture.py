"""Pictures of meshes, ray-cast by open3d on the CPU, without a display."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

if TYPE_CHECKING:
    import trimesh

EYE = (0.35, 0.25, 1.25)
"""Where the camera is, from the middle of the bounding box, in its diagonals."""


def shade(
    mesh: "trimesh.Trimesh",
    centre: Float[np.ndarray, "3"],
    eye: Float[np.ndarray, "3"],
    width: int,
    height: int,
    samples: int = 2,
) -> UInt8[np.ndarray, "height width 3"]:
    """A mesh from `eye`, looking at `centre` with y up: a key light with shadow, a fill light, white behind.

    Raises:
        ImportError: open3d, or a library of the system that it needs, is missing.
    """
    import open3d as o3d

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
