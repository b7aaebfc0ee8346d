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


def bare_glb(mesh, indexed=True, corrected=(), mode=4):
    """A GLB of positions, and indices or every corner of its own; those of the corrected vertices, which are 0 in the
    buffer, come from a sparse accessor."""
    vertices = np.asarray(mesh.vertices if indexed else mesh.triangles.reshape(-1, 3), "<f4")
    stored, corrected = vertices.copy(), np.asarray(corrected, "<u4")
    stored[corrected] = 0
    parts = [stored, np.asarray(mesh.faces, "<u4"), corrected, vertices[corrected]]
    offsets = np.cumsum([0, *(part.nbytes for part in parts)])
    views = [{"buffer": 0, "byteOffset": int(o), "byteLength": p.nbytes} for o, p in zip(offsets, parts, strict=False)]
    position = {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"}
    if len(corrected):
        indices, values = {"bufferView": 2, "componentType": 5125}, {"bufferView": 3}
        position["sparse"] = {"count": len(corrected), "indices": indices, "values": values}
    faces = {"bufferView": 1, "componentType": 5125, "count": mesh.faces.size, "type": "SCALAR"}
    primitive = {"attributes": {"POSITION": 0}, "mode": mode} | ({"indices": 1} if indexed else {})
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "accessors": [position, faces],
        "bufferViews": views if len(corrected) else views[:2],
        "buffers": [{"byteLength": int(offsets[-1])}],
    }
    return write_glb(tree, b"".join(part.tobytes() for part in parts))


def obj_text(*meshes, face="{0}", relative=False):
    """An OBJ, each mesh's faces after its vertices, their indices absolute or counted back from the last vertex."""
    lines, first = [], 1
    for mesh in meshes:
        lines += [f"v {x:g} {y:g} {z:g}" for x, y, z in mesh.vertices]
        base = -len(mesh.vertices) if relative else first
        lines += ["f " + " ".join(face.format(index + base) for index in corners) for corners in mesh.faces]
        first += len(mesh.vertices)
    return "\n".join(lines).encode() + b"\n"


def ply_with_rows(mesh, properties, row):
    """A binary PLY with these properties of faces, and the bytes that a function makes of each face."""
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(mesh.vertices)}\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz") + f"element face {len(mesh.faces)}\n"
    header += "".join(f"property {line}\n" for line in properties) + "end_header\n"
    return header.encode() + mesh.vertices.astype("<f4").tobytes() + b"".join(map(row, mesh.faces))


def notched_prism():
    """Vertices and polygons of a prism over an L, which is not convex, of two unit squares by one and one more."""
    base = np.array([[0.0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]])
    vertices = np.vstack([np.column_stack([base, np.full(6, z)]) for z in (0.0, 1.0)])
    sides = [[i, (i + 1) % 6, (i + 1) % 6 + 6, i + 6] for i in range(6)]
    return vertices, [[2, 1, 0, 5, 4, 3], [8, 9, 10, 11, 6, 7], *sides]
