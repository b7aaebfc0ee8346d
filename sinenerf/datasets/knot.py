"""A generated mesh for trying things out: a carved trefoil knot, watertight, smooth in one lobe and detailed in two.

The tube is swept along the (2, 3) torus knot c(t), which lies on a torus with radii R and r. The torus's normal n(t) is
perpendicular to the knot's tangent T(t), so that n and T x n are a frame of the cross-section that closes by itself:

    p(t, a) = c(t) + h(t, a) (cos(a) n(t) + sin(a) T(t) x n(t))

h, the radius of the tube, carries the relief.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    import trimesh

TORUS_RADII = (2.0, 1.0)
"""R, from the axis to the middle of the torus, and r, of its tube, in the mesh's unit."""
TUBE_RADIUS = 0.56
"""Radius of the knot's tube where nothing is carved. Where the tube passes itself, its centre lines are 1.66 apart."""
ROPE_DEPTH, STUD_DEPTH = 0.11, 0.045
"""Depth of the carving, in the mesh's unit."""
ASPECT = 8
"""Cross-sections along the knot for each vertex around the tube: makes faces about as long as wide."""
RESOLUTIONS = (16, 512)
"""Smallest and largest number of vertices around the tube."""


def knot_mesh(resolution: int = 72) -> "trimesh.Trimesh":
    """The knot, of 16 x resolution^2 faces (82,944 by default); the same resolution gives the same mesh.

    Args:
        resolution: vertices around the tube.

    Raises:
        ValueError: resolution is not within `RESOLUTIONS`.
    """
    import trimesh

    low, high = RESOLUTIONS
    if not low <= resolution <= high:
        raise ValueError(f"resolution is {resolution}: use {low} to {high}")
    sections = ASPECT * resolution
    t = 2 * np.pi * np.arange(sections)[:, None] / sections
    angle = 2 * np.pi * np.arange(resolution)[None, :] / resolution
    return trimesh.Trimesh(_surface_points(t, angle).reshape(-1, 3), _faces(sections, resolution), process=False)


def make_shape(output: Path, resolution: int = 72) -> "trimesh.Trimesh":
    """Write `knot_mesh` to a file, and return it.

    Raises:
        ValueError: as `knot_mesh`, or an extension that is not in `sinenerf.common.mesh_files.FORMATS`.
        OSError: the file cannot be written.
    """
    from sinenerf.common.files import check_output
    from sinenerf.common.mesh_files import FORMATS, save_mesh

    check_output(output, *FORMATS)
    mesh = knot_mesh(resolution)
    save_mesh(mesh, output)
    return mesh


def _surface_points(t: Float[np.ndarray, "s 1"], angle: Float[np.ndarray, "1 r"]) -> Float[np.ndarray, "s r 3"]:
    """p(t, a) of the module's docstring."""
    centre, tangent, normal = _frame(t[:, 0])
    binormal = np.cross(tangent, normal)
    outward = np.cos(angle)[..., None] * normal[:, None] + np.sin(angle)[..., None] * binormal[:, None]
    return centre[:, None] + _radius(t, angle)[..., None] * outward


def _frame(t: Float[np.ndarray, " s"]) -> tuple[Float[np.ndarray, "s 3"], ...]:
    """The knot's points, unit tangents, and the torus's unit normals there."""
    big, small = TORUS_RADII
    distance = big + small * np.cos(3 * t)  # from the torus's axis
    ring = np.stack([np.cos(2 * t), np.sin(2 * t), np.zeros_like(t)], axis=1)
    along_ring = np.stack([-np.sin(2 * t), np.cos(2 * t), np.zeros_like(t)], axis=1)
    axis = np.array([0.0, 0.0, 1.0])
    centre = distance[:, None] * ring + small * np.sin(3 * t)[:, None] * axis
    normal = np.cos(3 * t)[:, None] * ring + np.sin(3 * t)[:, None] * axis
    along_tube = -np.sin(3 * t)[:, None] * ring + np.cos(3 * t)[:, None] * axis
    tangent = 2 * distance[:, None] * along_ring + 3 * small * along_tube
    return centre, tangent / np.linalg.norm(tangent, axis=1, keepdims=True), normal


def _radius(t: Float[np.ndarray, "s 1"], angle: Float[np.ndarray, "1 r"]) -> Float[np.ndarray, "s r"]:
    """h(t, a): one third of the knot is smooth, one is a rope of five strands, one is covered with studs."""
    rope = 1 - np.abs(np.sin((5 * angle + 36 * t) / 2))
    studs = 1 - np.abs(np.sin(6 * angle + 60 * t) * np.sin(6 * angle - 60 * t))
    return TUBE_RADIUS - ROPE_DEPTH * _window(t - np.pi / 3) * rope - STUD_DEPTH * _window(t - np.pi) * studs


def _window(t: np.ndarray) -> np.ndarray:
    """1 within a third of the knot around t = 0, 0 in the other two thirds, smooth between."""
    x = np.clip((np.cos(t) - 0.5) / 0.12 + 0.5, 0, 1)
    return x * x * (3 - 2 * x)


def _faces(sections: int, around: int) -> Int[np.ndarray, "f 3"]:
    """Two triangles for each cell of a grid that closes both ways, outward by the right-hand rule."""
    i, j = np.meshgrid(np.arange(sections), np.arange(around), indexing="ij")
    following, beside = (i + 1) % sections, (j + 1) % around
    a, b, c, d = i * around + j, following * around + j, following * around + beside, i * around + beside
    return np.concatenate([np.stack([a, c, b], -1), np.stack([a, d, c], -1)]).reshape(-1, 3)
