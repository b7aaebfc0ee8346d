"""Writing meshes so that other programs show them as this one does."""

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.axes import Up
from sinenerf.common.checks import check_positive
from sinenerf.common.files import check_suffix, replacing
from sinenerf.common.glb import Compression, GlbMesh, to_glb

if TYPE_CHECKING:
    import trimesh

FORMATS = (".glb", ".ply", ".obj", ".stl", ".off")
"""Extensions of the formats that `save_mesh` can write."""
BINARY = (".glb", ".ply", ".stl")
"""Those that store coordinates as float32."""
COARSEST = 1e-4
"""Largest rounding error of a coordinate in float32, as a fraction of the mesh's longest side: a twentieth of a cell of
a 512-cell grid."""


def check_units(path: Path, up: Up | None, metres_per_unit: float | None) -> None:
    """Raise ValueError if units are given for a format other than GLB, or the scale is not positive."""
    if path.suffix.lower() != ".glb" and (up, metres_per_unit) != (None, None):
        raise ValueError(f"{path}: only .glb is turned and scaled. Leave --up and --metres-per-unit out, or write .glb")
    if metres_per_unit is not None:
        check_positive("metres per unit", metres_per_unit)


def check_compression(path: Path, compress: Compression | None) -> None:
    """Raise ValueError if a mesh is to be compressed in a format other than GLB."""
    if compress and path.suffix.lower() != ".glb":
        raise ValueError(f"{path}: only .glb is compressed. Leave --compress out, or write .glb")


def save_mesh(
    mesh: "trimesh.Trimesh",
    path: Path,
    up: Up | None = None,
    metres_per_unit: float | None = None,
    compress: Compression | None = None,
) -> None:
    """Write a mesh in the format of its path's extension, whole or not at all.

    Only GLB is turned and scaled, since glTF is y up and in metres: `up` is the axis of the mesh that points up and
    `metres_per_unit` the length of its unit, by default y and 1. A node of the file does both, and its vertices stay in
    the mesh's coordinates.

    GLB and PLY keep RGBA vertex colours and OBJ keeps RGB; STL and, as trimesh writes it, OFF have none. In GLB the
    colours are linear, as glTF requires, and unlit, since a radiance field's colours already contain the scene's
    light; a mesh without colours is lit, with smooth normals. GLB keeps a texture, too.

    Args:
        compress: of GLB only: "draco" or "meshopt", see `sinenerf.common.glb.to_glb`.

    Raises:
        ValueError: the extension is not in `FORMATS`, the mesh lies so far from the origin that float32 is too coarse,
            or an axis, a unit or a compression is given for a format other than GLB.
        OSError: the folder does not exist, or the disk is full.
    """
    check_suffix(path, *FORMATS)
    check_units(path, up, metres_per_unit)
    check_compression(path, compress)
    suffix = path.suffix.lower()
    if suffix in BINARY:
        _check_near(mesh, path)
    if suffix == ".glb":
        data = to_glb(_glb_mesh(mesh), compress, up or "y", metres_per_unit or 1.0)
    elif suffix in BINARY:
        data = mesh.export(file_type=suffix[1:])
    else:  # text, with enough decimals for a small mesh
        decimals = max(8, 8 - math.floor(math.log10(mesh.extents.max())))
        data = mesh.export(file_type=suffix[1:], digits=decimals)
    with replacing(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)


def _check_near(mesh: "trimesh.Trimesh", path: Path) -> None:
    """Raise ValueError where float32 would tear a mesh apart."""
    step, size = float(np.spacing(np.float32(abs(mesh.bounds).max()))), float(mesh.extents.max())
    if step > COARSEST * size:
        raise ValueError(
            f"{path}: is {size:.3g} long and so far from the origin that {path.suffix} would round it to steps of "
            f"{step:.2g}. Write .obj or .off, which keep all digits"
        )


def _glb_mesh(mesh: "trimesh.Trimesh") -> GlbMesh:
    positions = mesh.vertices.astype(np.float32)
    if mesh.visual.kind == "texture":
        picture = io.BytesIO()
        mesh.visual.material.image.save(picture, "PNG")
        uv = np.column_stack([mesh.visual.uv[:, 0], 1 - mesh.visual.uv[:, 1]]).astype(np.float32)
        return GlbMesh(positions, mesh.faces, uv=uv, texture=picture.getvalue())
    if mesh.visual.kind == "vertex":
        return GlbMesh(positions, mesh.faces, colours=_linear(mesh.visual.vertex_colors))
    return GlbMesh(positions, mesh.faces, normals=np.array(at_unit_size(mesh).vertex_normals, np.float32))


def unit_for(longest: float) -> float:
    """What to divide a mesh of this length by before trimesh works on it: its tolerances are an absolute 1e-8, so that
    small faces have no normal. A division by it is exact, since it is a power of two."""
    return float(2.0 ** np.ceil(np.log2(longest or 1.0)))


def at_unit_size(mesh: "trimesh.Trimesh") -> "trimesh.Trimesh":
    """A copy that is divided by its unit."""
    import trimesh

    return trimesh.Trimesh(mesh.vertices / unit_for(float(mesh.extents.max())), mesh.faces, process=False)


def _linear(colours: np.ndarray) -> np.ndarray:
    """RGBA (n, 4) uint8 from sRGB; alpha stays as it is."""
    srgb = colours.astype(np.float64) / 255
    rgb = srgb[:, :3]
    rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return np.rint(255 * np.column_stack([rgb, srgb[:, 3]])).astype(np.uint8)
