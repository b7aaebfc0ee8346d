"""Compressed meshes: Draco files, and the parts of a compressed glTF, which are a Draco stream or meshopt's codes."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Integer, Shaped, UInt8, UInt32

if TYPE_CHECKING:
    import trimesh

Attributes = dict[str, Shaped[np.ndarray, "n _"]]
"""POSITION, NORMAL (3 values) and TEXCOORD_0 (2 values) are float32, COLOR_0 (4 values) is uint8."""
Faces = Integer[np.ndarray, "m 3"]
POSITION_BITS, NORMAL_BITS, UV_BITS = 14, 8, 14
"""Of Draco's quantisation: a position is at most a 2^15th of the mesh's longest side off."""


class DracoMesh(NamedTuple):
    """A Draco stream, and what its header does not tell a reader of glTF."""

    data: bytes
    numbers: dict[str, int]
    """The stream's own number of each attribute."""
    decoded: Attributes
    """Attributes as they are decoded: Draco chooses the order of the vertices, and merges equal ones."""
    faces: int


def draco_mesh(attributes: Attributes, faces: Faces) -> DracoMesh:
    """Compress a mesh for glTF. Of its attributes, POSITION must be there."""
    import DracoPy

    normals, uv = (attributes.get(name) for name in ("NORMAL", "TEXCOORD_0"))
    data = DracoPy.encode(
        attributes["POSITION"].astype(np.float64),
        faces.astype(np.uint32),
        quantization_bits=POSITION_BITS,
        compression_level=10,
        colors=attributes.get("COLOR_0"),
        tex_coord=None if uv is None else uv.astype(np.float64),
        normals=None if normals is None else normals.astype(np.float64),
        tex_coord_quantization_bits=UV_BITS,
        normal_quantization_bits=NORMAL_BITS,
    )
    decoded = DracoPy.decode(data)
    kinds = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2, "TEXCOORD_0": 3}  # of GeometryAttribute::Type
    by_kind = {entry["attribute_type"]: entry for entry in decoded.attributes}
    entries = {name: by_kind[kinds[name]] for name in attributes}
    values = {
        name: entry["data"].astype(np.uint8 if name == "COLOR_0" else np.float32) for name, entry in entries.items()
    }
    numbers = {name: entry["unique_id"] for name, entry in entries.items()}
    return DracoMesh(data, numbers, values, len(decoded.faces))


def draco(mesh: "trimesh.Trimesh", bits: int) -> bytes:
    """The smallest Draco file of a mesh, with positions of `bits` bits."""
    import DracoPy

    # level 7 is often smaller below 2,000 faces, 10 above
    levels = (
        DracoPy.encode(mesh.vertices, mesh.faces, quantization_bits=bits, compression_level=level) for level in (7, 10)
    )
    return min(levels, key=len)


def undraco(data: bytes) -> "trimesh.Trimesh":
    """The mesh in a Draco file."""
    import DracoPy
    import trimesh

    decoded = DracoPy.decode(data)
    return trimesh.Trimesh(decoded.points, decoded.faces, process=False)


def in_cache_order(
    faces: Faces, vertices: int, strips: bool = False
) -> tuple[UInt32[np.ndarray, "m 3"], UInt32[np.ndarray, " used"]]:
    """(faces that refer to each vertex soon after its neighbours, old index of each vertex in the order of first use).

    Args:
        vertices: their number.
        strips: where it can, a face shares an edge with the one before, which the codec of indices makes less of.
    """
    import meshoptimizer

    indices, ordered = np.ascontiguousarray(faces, np.uint32).ravel(), np.empty(faces.size, np.uint32)
    order = meshoptimizer.optimize_vertex_cache_strip if strips else meshoptimizer.optimize_vertex_cache
    order(ordered, indices, faces.size, vertices)
    used, first = np.unique(ordered, return_index=True)
    old = used[np.argsort(first)]
    new = np.empty(vertices, np.uint32)
    new[old] = np.arange(len(old))
    return new[ordered].reshape(-1, 3), old


def meshopt_vertices(rows: UInt8[np.ndarray, "n stride"]) -> bytes:
    """An attribute as bytes, its stride a multiple of 4, in version 0 of the codec, which glTF takes."""
    import meshoptimizer

    meshoptimizer.encode_vertex_version(0)
    return bytes(meshoptimizer.encode_vertex_buffer(rows, len(rows), rows.shape[1]))


def meshopt_indices(faces: UInt32[np.ndarray, "m 3"], vertices: int) -> bytes:
    """Triangles in version 1 of the codec, which glTF takes."""
    import meshoptimizer

    meshoptimizer.encode_index_version(1)
    return bytes(meshoptimizer.encode_index_buffer(faces.ravel(), faces.size, vertices))
