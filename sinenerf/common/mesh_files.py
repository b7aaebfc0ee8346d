"""Meshes as files that other programs show as they look here."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.files import replacing

if TYPE_CHECKING:
    import trimesh

FORMATS = (".glb", ".ply", ".obj", ".stl", ".off")
"""What `save_mesh` can write."""
BINARY = (".glb", ".ply", ".stl")
"""Of these: those that hold float32."""
COARSEST = 1e-4
"""Share of a mesh's longest side that float32 may round a vertex by: a twentieth of a cell of a 512-cell grid."""
Z_UP_TO_Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""glTF is y up."""


def check_format(path: Path) -> None:
    """Raise ValueError unless the extension of `path` is one of `FORMATS`."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: cannot write '{path.suffix}'. Use one of {', '.join(FORMATS)}")


def save_mesh(mesh: "trimesh.Trimesh", path: Path) -> None:
    """Write a mesh, by the extension of its path: whole, or not at all.

    GLB and PLY keep RGBA vertex colours and OBJ keeps RGB; STL and, as trimesh writes it, OFF have none. In GLB the
    colours are linear, as glTF wants them, and unlit, since a radiance field's colours hold the scene's light already;
    a mesh without colours is lit, with smooth normals.

    Raises:
        ValueError: the extension is none of `FORMATS`, or float32 is too coarse so far from the origin.
        OSError: the folder is not there, or the disk is full.
    """
    check_format(path)
    suffix = path.suffix.lower()
    if suffix in BINARY:
        _check_near(mesh, path)
    if suffix == ".glb":
        coloured = mesh.visual.kind == "vertex"
        data = _unlit_glb(mesh) if coloured else mesh.export(file_type="glb", include_normals=True)
    elif suffix in BINARY:
        data = mesh.export(file_type=suffix[1:])
    else:  # with as many decimals as a small mesh needs
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


def _unlit_glb(mesh: "trimesh.Trimesh") -> bytes:
    linear = mesh.copy()
    srgb = np.asarray(mesh.visual.vertex_colors, dtype=np.float64) / 255
    rgb = srgb[:, :3]
    rgb = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear.visual.vertex_colors = np.rint(255 * np.column_stack([rgb, srgb[:, 3]])).astype(np.uint8)

    def unlit(tree: dict) -> None:
        surface = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
        material = {"pbrMetallicRoughness": surface, "doubleSided": True, "extensions": {"KHR_materials_unlit": {}}}
        tree["materials"] = [material]
        tree["extensionsUsed"] = ["KHR_materials_unlit"]
        for primitive in (p for m in tree["meshes"] for p in m["primitives"]):
            primitive["material"] = 0

    return linear.export(file_type="glb", tree_postprocessor=unlit)


def draco(mesh: "trimesh.Trimesh", faces: int, bits: int) -> bytes:
    """A mesh decimated by quadrics to so many faces, as a Draco file with positions of so many bits."""
    import DracoPy
    import fast_simplification

    vertices, kept = mesh.vertices, mesh.faces
    if faces < len(kept):
        vertices, kept = fast_simplification.simplify(
            vertices.astype("float32"), kept.astype("int32"), target_count=faces
        )
    return DracoPy.encode(vertices, kept, quantization_bits=bits, compression_level=10)


def undraco(data: bytes) -> "trimesh.Trimesh":
    """The mesh in a Draco file."""
    import DracoPy
    import trimesh

    decoded = DracoPy.decode(data)
    return trimesh.Trimesh(decoded.points, decoded.faces, process=False)
