"""Meshes as files that other programs show as they look here."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.files import replacing

if TYPE_CHECKING:
    import trimesh

FORMATS = (".glb", ".ply", ".obj", ".stl", ".off")
"""What `save_mesh` can write."""
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
        ValueError: the extension is none of `FORMATS`.
        OSError: the folder is not there, or the disk is full.
    """
    check_format(path)
    suffix = path.suffix.lower()
    if suffix == ".glb":
        coloured = mesh.visual.kind == "vertex"
        data = _unlit_glb(mesh) if coloured else mesh.export(file_type="glb", include_normals=True)
    else:
        data = mesh.export(file_type=suffix[1:])
    with replacing(path) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)


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
