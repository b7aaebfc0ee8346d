"""Rendering meshes on the CPU with open3d's ray tracer, without a browser, display or GPU."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sinenerf.common.films import Picture

SAMPLES = 2
"""Rays per pixel in each direction."""
CLAY = np.array([0.85, 0.80, 0.71])
"""Colour of the surface, linear RGB."""
FOV = 34.0
"""Field of view of the shorter side, in degrees, as on the viewer's page."""
DISTANCE = 3.4
"""Distance of the camera from the middle of the shape, in cube units, where the picture holds all of it."""
MARGIN = 1.06
"""Distance of the camera, as a multiple of that at which a shape touches the border of the picture."""


class Framing(NamedTuple):
    """Size, camera and labels of a snapshot."""

    width: int = 480
    """Width of each file's picture, in pixels."""
    height: int = 400
    """Height of each file's picture, in pixels."""
    turn: float = 17.0
    """Angle of the camera around the vertical axis, in degrees from the front."""
    tilt: float = 11.0
    """Angle of the camera above the horizon, in degrees."""
    labels: bool = True
    """Write name, bytes, parameters and rank below each picture."""

    def slopes(self) -> tuple[float, float]:
        """Tangents of half the angle of view, across and upwards: FOV is that of the shorter side."""
        shorter = math.tan(math.radians(FOV / 2)) / min(self.width, self.height)
        return shorter * self.width, shorter * self.height

    def distance(self, vertices: Float[np.ndarray, "v 3"]) -> float:
        """Distance of the camera, in cube units, at which the picture holds all vertices however they are turned.

        With the tilt t, a vertex at radius r from the vertical axis, height y and angle a from the camera's side lies
        r cos a cos t + y sin t towards the camera, r sin a across and y cos t - r cos a sin t upwards. It is inside the
        picture from a distance of the first plus the second or third over its slope; here is the largest for any a.
        """
        across, upwards = self.slopes()
        cos, sin = math.cos(math.radians(self.tilt)), math.sin(math.radians(self.tilt))
        radius, height = np.hypot(vertices[:, 0], vertices[:, 2]), vertices[:, 1]
        wide = radius * math.hypot(cos, 1 / across) + height * sin
        tall = [radius * abs(cos - side * sin) + height * (sin + side * cos) for side in (1 / upwards, -1 / upwards)]
        return max(DISTANCE, MARGIN * float(np.max([wide, *tall])))


class MeshRenderer:
    """Renders one mesh, in cube units and y up, from any side.

    Args:
        flat: shade each face with its own normal instead of interpolated vertex normals.

    Raises:
        RuntimeError: open3d cannot be loaded.
    """

    def __init__(self, vertices: Float[np.ndarray, "v 3"], faces: np.ndarray, flat: bool) -> None:
        self._open3d = _open3d()
        self._scene = self._open3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.uint32))
        self._faces = faces
        self._normals = None if flat else vertex_normals(vertices, faces)

    def render(self, framing: Framing, turn: float, distance: float = DISTANCE) -> Picture:
        """The mesh from `turn` radians around the vertical axis, lit by a key light with a shadow and a fill light."""
        tilt = math.radians(framing.tilt)
        eye = distance * np.array([math.sin(turn) * math.cos(tilt), math.sin(tilt), math.cos(turn) * math.cos(tilt)])
        width, height = framing.width * SAMPLES, framing.height * SAMPLES
        horizontal = 2 * math.degrees(math.atan(framing.slopes()[0]))
        # open3d 0.20 renders upside down for an up vector of +y
        rays = self._scene.create_rays_pinhole(horizontal, [0, 0, 0], eye, [0, -1, 0], width, height)
        hit = self._scene.cast_rays(rays)
        rays = rays.numpy()
        is_hit = np.isfinite(hit["t_hit"].numpy())
        brightness = np.zeros((height, width))
        brightness[is_hit] = self._brightness(hit, rays[is_hit], is_hit, turn)
        colours = np.where(is_hit[..., None], np.clip(brightness, 0, 1)[..., None] * CLAY, 1.0)
        pixels = colours.reshape(framing.height, SAMPLES, framing.width, SAMPLES, 3).mean((1, 3))
        return (255 * np.clip(pixels, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)

    def _brightness(self, hit: dict, rays: np.ndarray, is_hit: np.ndarray, turn: float) -> Float[np.ndarray, " n"]:
        """Brightness at the points where rays hit the surface. The light moves with the camera."""
        normal = self._shading_normals(hit, is_hit)
        normal = np.where((normal * rays[:, 3:]).sum(1, keepdims=True) > 0, -normal, normal)
        key = np.array([math.sin(turn + 0.7), 0.75, math.cos(turn + 0.7)])
        key /= np.linalg.norm(key)
        start = rays[:, :3] + rays[:, 3:] * hit["t_hit"].numpy()[is_hit][:, None] + 4e-3 * normal
        shadow_rays = np.concatenate([start, np.broadcast_to(key, start.shape)], 1).astype(np.float32)
        shadow = self._scene.test_occlusions(self._open3d.core.Tensor(shadow_rays)).numpy()
        return 0.76 * np.clip(normal @ key, 0, 1) * ~shadow + 0.2 * (0.5 + 0.5 * normal[:, 1]) + 0.1

    def _shading_normals(self, hit: dict, is_hit: np.ndarray) -> Float[np.ndarray, "n 3"]:
        if self._normals is None:
            return hit["primitive_normals"].numpy()[is_hit]
        corner = self._normals[self._faces[hit["primitive_ids"].numpy()[is_hit].astype(np.int64)]]
        u, v = hit["primitive_uvs"].numpy()[is_hit].T[:, :, None]
        normal = (1 - u - v) * corner[:, 0] + u * corner[:, 1] + v * corner[:, 2]
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: np.ndarray) -> Float[np.ndarray, "v 3"]:
    """Unit normals at the vertices: the area-weighted mean of the normals of their faces."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    face_normals = np.cross(b - a, c - a)
    sums = np.stack(
        [np.bincount(faces.ravel(), np.repeat(face_normals[:, i], 3), len(vertices)) for i in range(3)], axis=1
    )
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def _open3d() -> Any:
    try:
        import open3d
    except OSError as error:
        raise RuntimeError(
            f"open3d cannot be loaded ({error}). On Debian or Ubuntu: "
            f"sudo apt-get install libusb-1.0-0 libgl1 libgomp1 libx11-6"
        ) from None
    return open3d
