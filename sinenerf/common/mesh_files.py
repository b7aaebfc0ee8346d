"""Writing meshes so that other programs show them as this one does, and Draco compression."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from sinenerf.common.checks import check_positive
from sinenerf.common.files import replacing

if TYPE_CHECKING:
    import trimesh

FORMATS = (".glb", ".ply", ".obj", ".stl", ".off")
"""Extensions of the formats that `save_mesh` can write."""
BINARY = (".glb", ".ply", ".stl")
"""Those that store coordinates as float32."""
COARSEST = 1e-4
"""Largest rounding error of a coordinate in float32, as a fraction of the mesh's longest side: a twentieth of a cell of
a 512-cell grid."""
Z_UP_TO_Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""Rotation (4, 4) from a z-up mesh to glTF's y up."""


def check_format(path: Path) -> None:
    """Raise ValueError unless the extension of `path` is one of `FORMATS`."""
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: cannot write '{path.suffix}'. Use one of {', '.join(FORMATS)}")


def check_units(path: Path, up: Literal["y", "z"], metres_per_unit: float) -> None:
    """Raise ValueError if a mesh is to be turned or scaled in a format other than GLB, or the scale is not positive."""
    if path.suffix.lower() != ".glb" and (up, metres_per_unit) != ("y", 1.0):
        raise ValueError(f"{path}: only .glb is turned and scaled. Leave --up and --metres-per-unit out, or write .glb")
    check_positive("metres per unit", metres_per_unit)


def save_mesh(mesh: "trimesh.Trimesh", path: Path, up: Literal["y", "z"] = "y", metres_per_unit: float = 1.0) -> None:
    """Write a mesh in the format of its path's extension, whole or not at all.

    Only GLB is turned and scaled, since glTF is y up and in metres: `up` is the axis of the mesh that points up and
    `metres_per_unit` the length of its unit.

    GLB and PLY keep RGBA vertex colours and OBJ keeps RGB; STL and, as trimesh writes it, OFF have none. In GLB the
    colours are linear, as glTF requires, and unlit, since a radiance field's colours already contain the scene's
    light; a mesh without colours is lit, with smooth normals.

    Raises:
        ValueError: the extension is not in `FORMATS`, the mesh lies so far from the origin that float32 is too coarse,
            or a mesh is to be turned or scaled in a format other than GLB.
        OSError: the folder does not exist, or the disk is full.
    """
    check_format(path)
    check_units(path, up, metres_per_unit)
    suffix = path.suffix.lower()
    if suffix == ".glb":
        mesh = mesh.copy()
        mesh.apply_scale(metres_per_unit)
        if up == "z":
            mesh.apply_transform(Z_UP_TO_Y_UP)
    if suffix in BINARY:
        _check_near(mesh, path)
    if suffix == ".glb":
        coloured = mesh.visual.kind == "vertex"
        data = _unlit_glb(mesh) if coloured else mesh.export(file_type="glb", include_normals=True)
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
    """A Draco file of a mesh, decimated by quadrics to `faces` faces, with positions of `bits` bits."""
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
