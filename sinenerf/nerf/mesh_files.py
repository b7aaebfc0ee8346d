"""Meshes as files that other programs show as they look here."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import trimesh

FORMATS = (".glb", ".ply", ".obj", ".stl", ".off")
"""What `save_mesh` can write."""


def save_mesh(mesh: "trimesh.Trimesh", path: Path) -> None:
    """Write a mesh, by the extension of its path: whole, or not at all. Makes the folder if there is none.

    GLB and PLY keep RGBA vertex colours and OBJ keeps RGB; STL and, as trimesh writes it, OFF have none. In GLB the
    colours are linear, as glTF wants them, and unlit, since a radiance field's colours hold the scene's light already.

    Raises:
        ValueError: the extension is none of `FORMATS`.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path}: cannot write '{suffix}'. Use one of {', '.join(FORMATS)}")
    data = _glb(mesh) if suffix == ".glb" else mesh.export(file_type=suffix[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _glb(mesh: "trimesh.Trimesh") -> bytes:
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
