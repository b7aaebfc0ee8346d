"""glTF 2.0 binary files of one mesh, plain or compressed by Draco or meshopt, lit or with colours of their own."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sinenerf.common.axes import Up, upright_quaternion
from sinenerf.common.mesh_compression import draco_mesh, in_cache_order, meshopt_indices, meshopt_vertices

Compression = Literal["draco", "meshopt"]
FLOAT, BYTE, UBYTE, USHORT, UINT = 5126, 5120, 5121, 5123, 5125
TYPES = {np.dtype("f4"): FLOAT, np.dtype("i1"): BYTE, np.dtype("u1"): UBYTE, np.dtype("u2"): USHORT}
SHAPES = {2: "VEC2", 3: "VEC3", 4: "VEC4"}
VERTICES, INDICES = 34962, 34963
"""Targets of buffer views."""
LARGEST_16 = 2**16 - 1
MESHOPT = "EXT_meshopt_compression"
FALLBACK = 1
"""Index of the buffer that a reader without meshopt would need, and that no file holds."""


@dataclass
class GlbMesh:
    """A mesh as glTF stores it: its vertices with everything that depends on them."""

    positions: np.ndarray
    """(n, 3) float32."""
    faces: np.ndarray
    """(m, 3)."""
    normals: np.ndarray | None = None
    """(n, 3) float32, of a mesh that is lit."""
    colours: np.ndarray | None = None
    """(n, 4) uint8, linear, of a mesh that is not lit."""
    uv: np.ndarray | None = None
    """(n, 2) float32, places in the texture, from its upper left corner."""
    texture: bytes | None = None
    """A PNG file, in sRGB, of a mesh that is not lit."""


@dataclass
class _Writer:
    tree: dict[str, Any] = field(default_factory=lambda: {"asset": {"version": "2.0", "generator": "sinenerf"}})
    data: bytearray = field(default_factory=bytearray)

    def put(self, data: bytes) -> dict[str, int]:
        """Where data lies in the file's buffer: buffer, byteOffset, byteLength."""
        self.data += bytes(-len(self.data) % 4)
        place = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.data += data
        return place

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Index of a new entry in one of the tree's lists."""
        entries = self.tree.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1

    def use(self, extension: str, required: bool = False) -> None:
        """Name an extension that the file uses."""
        for key in ("extensionsUsed", "extensionsRequired")[: 1 + required]:
            names = self.tree.setdefault(key, [])
            names += [extension] * (extension not in names)

    def plain_view(self, data: bytes, target: int, stride: int | None) -> int:
        view = self.put(data) | {"target": target}
        return self.add("bufferViews", view | ({"byteStride": stride} if stride else {}))

    def meshopt_view(self, data: bytes, count: int, stride: int, mode: str, target: int, encoded: bytes) -> int:
        """A view of the fallback buffer, whose bytes are those that the encoded ones decode to."""
        self.use(MESHOPT, required=True)
        buffers = self.tree.setdefault("buffers", [{}, {"byteLength": 0, "extensions": {MESHOPT: {"fallback": True}}}])
        offset = buffers[FALLBACK]["byteLength"]
        buffers[FALLBACK]["byteLength"] += len(data) + -len(data) % 4
        packed = self.put(encoded) | {"byteStride": stride, "count": count, "mode": mode}
        view = {"buffer": FALLBACK, "byteOffset": offset, "byteLength": len(data), "target": target}
        view |= {"byteStride": stride} if mode == "ATTRIBUTES" else {}
        return self.add("bufferViews", view | {"extensions": {MESHOPT: packed}})

    def to_bytes(self) -> bytes:
        """The file."""
        self.data += bytes(-len(self.data) % 4)
        self.tree.setdefault("buffers", [{}])[0]["byteLength"] = len(self.data)
        text = json.dumps(self.tree, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(self.data)
        head = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(self.data), b"BIN\0") + bytes(self.data)


def to_glb(mesh: GlbMesh, compress: Compression | None = None, up: Up = "y", metres_per_unit: float = 1.0) -> bytes:
    """The .glb file of a mesh, in a node that turns it to glTF's y up and scales it to metres where it is not so.

    Args:
        compress: "draco" (KHR_draco_mesh_compression: positions in 14 bits of the longest side) or "meshopt"
            (EXT_meshopt_compression and KHR_mesh_quantization: positions in 16 bits).
        up: axis of the mesh that points up.
        metres_per_unit: length of its unit.
    """
    writer, node = _Writer(), dict[str, Any]()
    if compress == "draco":
        primitive = _draco_primitive(writer, mesh)
    elif compress == "meshopt":
        mesh, node = _quantised(mesh)
        writer.use("KHR_mesh_quantization", required=True)
        primitive = _primitive(writer, mesh, meshopt=True)
    else:
        primitive = _primitive(writer, mesh, meshopt=False)
    primitive["material"] = _material(writer, mesh)
    writer.add("meshes", {"primitives": [primitive]})
    root = writer.add("nodes", {"mesh": 0} | node)
    turn = {"rotation": list(upright_quaternion(up))} if up != "y" else {}
    scale = {"scale": [metres_per_unit] * 3} if metres_per_unit != 1 else {}
    if turn or scale:
        root = writer.add("nodes", {"children": [root]} | turn | scale)
    writer.tree |= {"scenes": [{"nodes": [root]}], "scene": 0}
    return writer.to_bytes()


def _attributes(mesh: GlbMesh) -> dict[str, np.ndarray]:
    named = {"POSITION": mesh.positions, "NORMAL": mesh.normals, "COLOR_0": mesh.colours, "TEXCOORD_0": mesh.uv}
    return {name: values for name, values in named.items() if values is not None}


def _accessor(name: str, values: np.ndarray) -> dict[str, Any]:
    """What is known about an attribute without its bytes."""
    entry = {"componentType": TYPES[values.dtype], "count": len(values), "type": SHAPES[values.shape[1]]}
    if name == "POSITION":
        entry |= {"min": values.min(0).tolist(), "max": values.max(0).tolist()}
    elif values.dtype != np.float32:
        entry["normalized"] = True
    return entry


def _primitive(writer: _Writer, mesh: GlbMesh, meshopt: bool) -> dict[str, Any]:
    places = {}
    for name, values in _attributes(mesh).items():
        stride = -(-values[0].nbytes // 4) * 4
        padded = np.zeros((len(values), stride), np.uint8)
        padded[:, : values[0].nbytes] = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
        if meshopt:
            encoded = meshopt_vertices(padded)
            view = writer.meshopt_view(padded.tobytes(), len(values), stride, "ATTRIBUTES", VERTICES, encoded)
        else:
            view = writer.plain_view(padded.tobytes(), VERTICES, stride)
        places[name] = writer.add("accessors", _accessor(name, values) | {"bufferView": view})
    indices = np.ascontiguousarray(mesh.faces, np.uint32)
    if meshopt:
        encoded = meshopt_indices(indices, len(mesh.positions))
        view = writer.meshopt_view(indices.tobytes(), indices.size, 4, "TRIANGLES", INDICES, encoded)
    else:
        view = writer.plain_view(indices.tobytes(), INDICES, None)
    entry = {"componentType": UINT, "count": indices.size, "type": "SCALAR", "bufferView": view}
    return {"attributes": places, "indices": writer.add("accessors", entry)}


def _draco_primitive(writer: _Writer, mesh: GlbMesh) -> dict[str, Any]:
    packed = draco_mesh(_attributes(mesh), mesh.faces)
    writer.use("KHR_draco_mesh_compression", required=True)
    places = {}
    for name, values in packed.decoded.items():
        places[name] = writer.add("accessors", _accessor(name, values))
    entry = {"componentType": UINT, "count": 3 * packed.faces, "type": "SCALAR"}
    view = writer.add("bufferViews", writer.put(packed.data))
    extension = {"bufferView": view, "attributes": packed.numbers}
    indices = writer.add("accessors", entry)
    return {"attributes": places, "indices": indices, "extensions": {"KHR_draco_mesh_compression": extension}}


def _quantised(mesh: GlbMesh) -> tuple[GlbMesh, dict[str, Any]]:
    """(the mesh in integers, its vertices in an order that compresses well; where the node puts it)."""
    faces, order = in_cache_order(mesh.faces, len(mesh.positions))
    low, side = mesh.positions.min(0), float(np.ptp(mesh.positions, axis=0).max()) or 1.0
    positions = np.rint((mesh.positions[order] - low) / side * LARGEST_16).astype(np.uint16)
    normals = None if mesh.normals is None else np.rint(127 * mesh.normals[order]).astype(np.int8)
    uv = None if mesh.uv is None else np.rint(LARGEST_16 * mesh.uv[order]).astype(np.uint16)
    colours = None if mesh.colours is None else mesh.colours[order]
    node = {"translation": low.astype(float).tolist(), "scale": [side / LARGEST_16] * 3}
    return GlbMesh(positions, faces, normals, colours, uv, mesh.texture), node


def _material(writer: _Writer, mesh: GlbMesh) -> int:
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    if mesh.texture is not None:
        view = writer.add("bufferViews", writer.put(mesh.texture))
        source = writer.add("images", {"bufferView": view, "mimeType": "image/png"})
        surface["baseColorTexture"] = {"index": writer.add("textures", {"source": source})}
    if mesh.normals is not None:
        return writer.add("materials", {"pbrMetallicRoughness": surface})
    writer.use("KHR_materials_unlit")
    unlit = {"extensions": {"KHR_materials_unlit": {}}, "doubleSided": True}
    return writer.add("materials", {"pbrMetallicRoughness": surface} | unlit)
