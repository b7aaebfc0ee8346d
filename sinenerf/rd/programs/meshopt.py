"""Meshes in meshoptimizer's codecs (https://github.com/zeux/meshoptimizer) at their smallest.

As gltfpack -cc arranges a mesh: positions are rounded to whole numbers, triangles are ordered as strips, vertices by
first use, and a general compressor follows. Here it is LZMA, which leaves fewer bytes than Deflate. Vertices use
version 1 of their codec, which is younger and smaller than -cc's.

A file: lc u8, a parameter of LZMA; then, in LZMA: faces u32, bytes of the index stream u32, least coordinates 3 x f32,
step of the coordinates f32, the index stream, the vertex stream.
"""

import lzma
import struct
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.mesh_compression import in_cache_order

if TYPE_CHECKING:
    import trimesh

HEADER = struct.Struct("<II3ff")
STRIDE = 8
"""Bytes of a vertex: three coordinates and an empty one, each u16, since the codec takes multiples of four bytes."""


def meshopt(mesh: "trimesh.Trimesh", bits: int) -> bytes:
    """A file of a mesh, with positions of at most 16 `bits`."""
    import meshoptimizer

    low, step = mesh.bounds[0], max(float(mesh.extents.max()), 1e-30) / (2**bits - 1)
    positions, triangles = _welded(np.rint((mesh.vertices - low) / step).astype(np.uint16), mesh.faces)
    triangles, old = in_cache_order(triangles, len(positions), strips=True)
    vertices = np.zeros((len(old), STRIDE // 2), np.uint16)
    vertices[:, :3] = positions[old]
    meshoptimizer.encode_vertex_version(1)
    meshoptimizer.encode_index_version(1)
    indices = bytes(meshoptimizer.encode_index_buffer(triangles.ravel(), triangles.size, len(vertices)))
    head = HEADER.pack(len(triangles), len(indices), *low, step)
    return _compressed(head + indices + bytes(meshoptimizer.encode_vertex_buffer(vertices, len(vertices), STRIDE)))


def unmeshopt(data: bytes) -> "trimesh.Trimesh":
    """The mesh in a file that `meshopt` made."""
    import meshoptimizer
    import trimesh

    content = lzma.decompress(data[1:], lzma.FORMAT_RAW, filters=[_filter(data[0])])
    faces, length, *low, step = HEADER.unpack_from(content)
    begin, end = HEADER.size, HEADER.size + length
    triangles = meshoptimizer.decode_index_buffer(3 * faces, 4, content[begin:end])
    kind = np.dtype((np.uint16, STRIDE // 2))
    vertices = meshoptimizer.decode_vertex_buffer(int(triangles.max()) + 1, STRIDE, content[end:], kind)
    return trimesh.Trimesh(vertices[:, :3] * step + np.array(low), triangles.reshape(-1, 3), process=False)


def _welded(positions: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(distinct positions, the faces (m, 3) that still have three corners)."""
    distinct, index = np.unique(positions, axis=0, return_inverse=True)
    corners = index.reshape(-1)[faces]
    whole = (corners != np.roll(corners, 1, axis=1)).all(1)
    return distinct, corners[whole]


def _compressed(content: bytes) -> bytes:
    """The content in the smaller of two settings of LZMA, of which one suits small files."""
    return min((bytes([lc]) + lzma.compress(content, lzma.FORMAT_RAW, filters=[_filter(lc)]) for lc in (0, 3)), key=len)


def _filter(lc: int) -> dict[str, int]:
    return {"id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "lc": lc, "pb": 0}
