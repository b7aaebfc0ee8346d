"""Shapes ray-traced on the CPU by open3d: no browser, display or GPU."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sinenerf.common.films import Picture

SAMPLES = 2
"""Rays a pixel, across and down."""
CLAY = np.array([0.85, 0.80, 0.71])
FOV = 34.0
"""Vertical, in degrees: the page's own."""
DISTANCE = 3.4
"""From the camera to the middle of a shape, in cube units."""


class Framing(NamedTuple):
    """How a snapshot is taken."""

    width: int = 480
    """Pixels of each file's picture."""
    height: int = 400
    turn: float = 17.0
    """Degrees around the vertical axis, from the front."""
    tilt: float = 11.0
    """Degrees above the horizon."""
    labels: bool = True
    """Name, bytes, parameters and rank below each picture."""


class Model:
    """A mesh in cube units, y up, ready to be ray-traced from any side.

    Raises:
        RuntimeError: open3d cannot load.
    """

    def __init__(self, vertices: Float[np.ndarray, "v 3"], faces: np.ndarray, flat: bool) -> None:
        self._open3d = _open3d()
        self._scene = self._open3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.uint32))
        self._faces = faces
        self._normals = None if flat else vertex_normals(vertices, faces)

    def picture(self, framing: Framing, turn: float) -> Picture:
        """Seen from an angle around the vertical, in radians: a key light and its shadow, a fill, white behind."""
        tilt = math.radians(framing.tilt)
        eye = DISTANCE * np.array([math.sin(turn) * math.cos(tilt), math.sin(tilt), math.cos(turn) * math.cos(tilt)])
        width, height = framing.width * SAMPLES, framing.height * SAMPLES
        horizontal = FOV
        if framing.width > framing.height:  # FOV is that of the shorter side
            horizontal = 2 * math.degrees(math.atan(math.tan(math.radians(FOV / 2)) * framing.width / framing.height))
        # open3d 0.20 draws the way it calls up downwards
        rays = self._scene.create_rays_pinhole(horizontal, [0, 0, 0], eye, [0, -1, 0], width, height)
        hit = self._scene.cast_rays(rays)
        rays = rays.numpy()
        seen = np.isfinite(hit["t_hit"].numpy())
        lit = np.zeros((height, width))
        lit[seen] = self._light(hit, rays[seen], seen, turn)
        paper = np.where(seen[..., None], np.clip(lit, 0, 1)[..., None] * CLAY, 1.0)
        small = paper.reshape(framing.height, SAMPLES, framing.width, SAMPLES, 3).mean((1, 3))
        return (255 * np.clip(small, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)

    def _light(self, hit: dict, rays: np.ndarray, seen: np.ndarray, turn: float) -> Float[np.ndarray, " n"]:
        """Brightness where rays meet the surface. The light turns with the camera."""
        normal = self._shading_normals(hit, seen)
        normal = np.where((normal * rays[:, 3:]).sum(1, keepdims=True) > 0, -normal, normal)
        key = np.array([math.sin(turn + 0.7), 0.75, math.cos(turn + 0.7)])
        key /= np.linalg.norm(key)
        start = rays[:, :3] + rays[:, 3:] * hit["t_hit"].numpy()[seen][:, None] + 4e-3 * normal
        shadow_rays = np.concatenate([start, np.broadcast_to(key, start.shape)], 1).astype(np.float32)
        shadow = self._scene.test_occlusions(self._open3d.core.Tensor(shadow_rays)).numpy()
        return 0.76 * np.clip(normal @ key, 0, 1) * ~shadow + 0.2 * (0.5 + 0.5 * normal[:, 1]) + 0.1

    def _shading_normals(self, hit: dict, seen: np.ndarray) -> Float[np.ndarray, "n 3"]:
        if self._normals is None:
            return hit["primitive_normals"].numpy()[seen]
        corner = self._normals[self._faces[hit["primitive_ids"].numpy()[seen].astype(np.int64)]]
        u, v = hit["primitive_uvs"].numpy()[seen].T[:, :, None]
        normal = (1 - u - v) * corner[:, 0] + u * corner[:, 1] + v * corner[:, 2]
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: np.ndarray) -> Float[np.ndarray, "v 3"]:
    """Unit normals at vertices: the sum of their faces' normals, weighted by area."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    of_faces = np.cross(b - a, c - a)
    summed = np.stack(
        [np.bincount(faces.ravel(), np.repeat(of_faces[:, i], 3), len(vertices)) for i in range(3)], axis=1
    )
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def _open3d() -> Any:
    try:
        import open3d
    except OSError as error:
        raise RuntimeError(
            f"open3d cannot load ({error}). On Debian or Ubuntu: "
            f"sudo apt-get install libusb-1.0-0 libgl1 libgomp1 libx11-6"
        ) from None
    return open3d
