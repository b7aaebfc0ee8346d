"""Mesh files that no exporter writes: polygons of several sizes, wrong counts, compressed and half-empty GLB files."""

import json
import struct

import numpy as np


def prism(corners):
    """Vertices (2 n, 3) and polygons of a prism over a regular polygon; of four corners, the unit cube, with one side
    in triangles."""
    angle = 2 * np.pi * np.arange(corners) / corners
    base = np.stack([np.cos(angle), np.sin(angle)], 1)
    if corners == 4:
        base = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    vertices = np.vstack([np.column_stack([base, np.full(corners, z)]) for z in (0.0, 1.0)])
    sides = [[i, (i + 1) % corners, (i + 1) % corners + corners, i + corners] for i in range(corners)]
    if corners == 4:
        sides = [*sides[1:], sides[0][:3], [sides[0][0], *sides[0][2:]]]
    return vertices, [list(range(corners))[::-1], list(range(corners, 2 * corners)), *sides]


def polygon_ply(vertices, polygons, order="<"):
    """A binary PLY of polygons."""
    header = (
        f"ply\nformat binary_{'little' if order == '<' else 'big'}_endian 1.0\nelement vertex {len(vertices)}\n"
        f"property float x\nproperty float y\nproperty float z\nelement face {len(polygons)}\n"
        "property list uchar uint vertex_index\nend_header\n"
    )
    rows = (struct.pack(f"{order}B{len(p)}I", len(p), *p) for p in polygons)
    return header.encode() + vertices.astype(f"{order}f4").tobytes() + b"".join(rows)


def off_text(vertices, polygons):
    rows = [*vertices, *([len(p), *p] for p in polygons)]
    lines = [f"OFF\n{len(vertices)} {len(polygons)} 0  # counts", *(" ".join(map(str, row)) for row in rows)]
    return "\n".join(lines).encode()


def binary_stl(mesh):
    return mesh.export(file_type="stl")


def stl_with_count(mesh, count):
    """A binary STL whose header counts other triangles than it has."""
    data = binary_stl(mesh)
    return data[:80] + struct.pack("<I", count) + data[84:]


def write_glb(tree, blob):
    """A GLB file of a JSON tree and a buffer."""
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    blob += b"\0" * (-len(blob) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(blob), b"BIN\0") + blob
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def compressed_glb(mesh, extension):
    """A GLB whose vertices and faces are in an extension's own format: Draco's, or for others nothing that matters."""
    import DracoPy

    data = DracoPy.encode(mesh.vertices.astype("f4"), mesh.faces.astype("u4"), quantization_bits=14)
    draco = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}
    primitive = {"attributes": {"POSITION": 0}, "indices": 1}
    if extension in draco:
        primitive["extensions"] = draco
    return write_glb(
        {
            "asset": {"version": "2.0"},
            "extensionsRequired": [extension],
            "extensionsUsed": [extension],
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [primitive]}],
            "accessors": [
                {"componentType": 5126, "count": len(mesh.vertices), "type": "VEC3"},
                {"componentType": 5125, "count": mesh.faces.size, "type": "SCALAR"},
            ],
            "bufferViews": [{"buffer": 0, "byteLength": len(data)}],
            "buffers": [{"byteLength": len(data)}],
        },
        data,
    )


def with_empty_primitive(mesh):
    """A GLB with a second mesh, whose only primitive has no vertices, as after some conversions."""
    data = mesh.export(file_type="glb")
    length = int.from_bytes(data[12:16], "little")
    tree = json.loads(data[20 : 20 + length])
    tree["meshes"].append({"primitives": [{"attributes": {}}]})
    tree["nodes"].append({"mesh": 1})
    tree["scenes"][0]["nodes"].append(len(tree["nodes"]) - 1)
    return write_glb(tree, data[20 + length + 8 :])
