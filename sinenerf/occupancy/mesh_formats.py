"""Reading mesh files of every kind that trimesh reads, and some that it does not: polygons of mixed sizes, STL files
with a missing count, triangle strips. Truncated files are named as such, since most readers read half of them."""

import codecs
import io
import json
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import trimesh

AGAIN = "Copy or export it again"
STL_HEADER, STL_TRIANGLE = 84, 50
"""Bytes of a binary STL before the first triangle, and of each triangle."""
GLB_JSON = struct.Struct("<4sIII4s")
"""Start of a GLB: magic, version, bytes of the file, bytes of the JSON, and its type."""
TRIANGLE_FAN = 6
"""Mode of glTF's primitives that trimesh leaves out."""
UNREAD_EXTENSIONS = ("EXT_meshopt_compression", "KHR_meshopt_compression")
"""Extensions of glTF that trimesh does not read, and without which its vertices are not there."""
SPARSE_TYPES = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
"""Types of glTF that the indices and the values of a sparse accessor's positions have."""
OFF_START = re.compile(r"\s*(?:ST)?C?N?OFF\s*(BINARY)?")


class MeshFileError(ValueError):
    """A mesh file that is truncated or damaged, or of a kind that is not read; the message is a predicate of it."""


def load_meshes(path: Path) -> list["trimesh.Trimesh"]:
    """The meshes in a file, with the transforms of its scene applied. Its type is told by its content, else its suffix.

    Raises:
        MeshFileError: the file is truncated, or of a kind that is not read.
        Exception: of any type, where trimesh's reader of the format fails.
    """
    import trimesh

    data = path.read_bytes()
    text = data.removeprefix(codecs.BOM_UTF8)
    kind = "ply" if text[:4] in (b"ply\n", b"ply\r") else "glb" if data[:4] == b"glTF" else path.suffix.lower()[1:]
    if kind == "ply":
        return _read_ply(text)
    if kind == "off":
        return [_read_off(text.decode("utf-8", "replace"))]
    if kind in ("stl", "glb"):
        whole = _whole_stl(text if _is_text(text) else data) if kind == "stl" else _whole_glb(data)
        return meshes_of(trimesh.load_scene(io.BytesIO(whole), file_type=kind, process=False))
    if kind == "obj":
        plain = io.BytesIO(_plain_obj(text))
        return meshes_of(trimesh.load_scene(plain, file_type="obj", process=False, skip_materials=True))
    return meshes_of(trimesh.load_scene(path, process=False))


def meshes_of(scene: "trimesh.Scene") -> list["trimesh.Trimesh"]:
    """The meshes of a scene, with the transforms of its graph applied."""
    import trimesh

    parts = [_from_triangle_strips(part) if isinstance(part, trimesh.PointCloud) else part for part in scene.dump()]
    return [part for part in parts if isinstance(part, trimesh.Trimesh)]


def _whole_stl(data: bytes) -> bytes:
    """The bytes of an STL file as trimesh reads them: with the count of its triangles, and nothing after them."""
    if _is_text(data):
        text = data.lower()
        if text.count(b"endfacet") < len(re.findall(rb"(?<!d)facet\s+normal", text)) or b"endsolid" not in text:
            done = text.count(b"endfacet")
            raise MeshFileError(f"is truncated: it ends after {done:,} triangles, before 'endsolid'. {AGAIN}")
        return data
    if len(data) < STL_HEADER:
        raise MeshFileError(f"is truncated: it ends within its header, after {len(data)} bytes. {AGAIN}")
    count = int.from_bytes(data[80:84], "little")
    held, rest = divmod(len(data) - STL_HEADER, STL_TRIANGLE)
    if held < count:
        raise MeshFileError(f"is truncated: its header counts {count:,} triangles, and it ends after {held:,}. {AGAIN}")
    if held > count and (count or rest):  # some programs never write the count
        raise MeshFileError(f"is damaged: its header counts {count:,} triangles, but it holds {held:,}. {AGAIN}")
    return data[:80] + struct.pack("<I", held) + data[STL_HEADER : STL_HEADER + STL_TRIANGLE * held]


def _is_text(data: bytes) -> bool:
    """Whether an STL file is text; some binary ones start with 'solid', too."""
    if data.lstrip()[:5].lower() != b"solid":
        return False
    return b"\0" not in data[:STL_HEADER] and (b"facet" in data[:1024].lower() or b"endsolid" in data[:1024].lower())


def _plain_obj(data: bytes) -> bytes:
    """The text of an OBJ file with spaces for tabs, and with indices from the start of the file for those that count
    back from the last vertex so far: trimesh counts them from the last vertex of the file."""
    data = data.replace(b"\t", b" ")
    if not re.search(rb"^ *f.*[ ]-\d", data, re.MULTILINE):
        return data
    lines, vertices = [], 0
    for line in re.sub(rb"\\\r?\n", b" ", data).splitlines():
        words = line.split()
        if words[:1] == [b"v"]:
            vertices += 1
        elif words[:1] == [b"f"]:
            corners = [int(word.split(b"/")[0]) for word in words[1:]]
            words[1:] = [b"%d" % (vertices + 1 + corner if corner < 0 else corner) for corner in corners]
        lines.append(b" ".join(words))
    return b"\n".join(lines)


def _whole_glb(data: bytes) -> bytes:
    """The bytes of a GLB file without its primitives that have no vertices, at which trimesh fails, and with positions
    in place of sparse corrections to others, which it leaves out."""
    if not data.startswith(b"glTF"):
        raise MeshFileError("is no GLB file: it does not start with 'glTF'. Give a mesh")
    size = int.from_bytes(data[8:12], "little")
    if len(data) < max(size, GLB_JSON.size):
        raise MeshFileError(f"is truncated: its header gives {size:,} bytes, and it has {len(data):,}. {AGAIN}")
    magic, version, _, length, kind = GLB_JSON.unpack_from(data)
    rest = bytearray(data[GLB_JSON.size + length : size])
    tree = json.loads(data[GLB_JSON.size : GLB_JSON.size + length])
    for extension in UNREAD_EXTENSIONS:
        if extension in tree.get("extensionsRequired", ()):
            raise MeshFileError(f"is compressed by {extension}, which is not read. Write it without, or with Draco")
    for mesh in tree.get("meshes", ()):
        mesh["primitives"] = [p for p in mesh.get("primitives", ()) if "POSITION" in p.get("attributes", ())]
        for primitive in mesh["primitives"]:
            if primitive.get("mode") == TRIANGLE_FAN:
                raise MeshFileError("has triangle fans, which are not read. Export it as triangles")
            _correct_positions(tree, rest, primitive["attributes"]["POSITION"])
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    return GLB_JSON.pack(magic, version, GLB_JSON.size + len(text) + len(rest), len(text), kind) + text + bytes(rest)


def _correct_positions(tree: dict[str, Any], chunk: bytearray, index: int) -> None:
    """Store the positions of a sparse accessor at the end of a GLB's binary chunk (with its head of 8 bytes)."""
    accessor = tree["accessors"][index]
    sparse = accessor.pop("sparse", None)
    if sparse is None:
        return

    def rows(part: dict[str, Any], kind: int, columns: int, count: int) -> np.ndarray:
        view = tree["bufferViews"][part["bufferView"]]
        if view.get("byteStride", 4 * columns) != 4 * columns:
            raise MeshFileError("has a sparse accessor over interleaved vertices, which is not read. Export it again")
        start = 8 + view.get("byteOffset", 0) + part.get("byteOffset", 0)
        return np.frombuffer(bytes(chunk), SPARSE_TYPES[kind], count * columns, start).reshape(count, columns)

    count = sparse["count"]
    positions = np.zeros((accessor["count"], 3), "<f4")
    if "bufferView" in accessor:
        positions[:] = rows(accessor, accessor["componentType"], 3, len(positions))
    corrected = rows(sparse["indices"], sparse["indices"]["componentType"], 1, count)[:, 0]
    positions[corrected] = rows(sparse["values"], accessor["componentType"], 3, count)
    accessor |= {"bufferView": len(tree["bufferViews"]), "byteOffset": 0}
    tree["bufferViews"].append({"buffer": 0, "byteOffset": len(chunk) - 8, "byteLength": positions.nbytes})
    chunk += positions.tobytes()
    chunk[:4] = struct.pack("<I", len(chunk) - 8)
    tree["buffers"][0]["byteLength"] = len(chunk) - 8


def _read_ply(data: bytes) -> list["trimesh.Trimesh"]:
    """Meshes of a PLY file: by trimesh, or by plyfile if the polygons of a binary file have several sizes."""
    import trimesh

    if not data.startswith(b"ply"):
        raise MeshFileError("is no PLY file: it does not start with 'ply'. Give a mesh")
    header, _, body = data.partition(b"end_header")
    if b"format ascii" in header:
        rows = sum(map(int, re.findall(rb"^\s*element\s+\S+\s+(\d+)", header, re.MULTILINE)))
        lines = sum(1 for line in body.splitlines()[1:] if line.strip())
        if lines < rows:
            raise MeshFileError(f"is truncated: its header counts {rows:,} rows, and it ends after {lines:,}. {AGAIN}")
    try:
        return meshes_of(trimesh.load_scene(io.BytesIO(data), file_type="ply", process=False))
    except Exception:  # of any type
        return [_read_ply_of_polygons(data)]


def _read_ply_of_polygons(data: bytes) -> "trimesh.Trimesh":
    import plyfile

    try:
        contents = plyfile.PlyData.read(io.BytesIO(data))
    except plyfile.PlyParseError as error:
        early = "early end" in str(error)
        raise MeshFileError(f"is {'truncated' if early else 'damaged'}: {error}. {AGAIN}") from None
    vertices = np.column_stack([np.asarray(contents["vertex"][axis], dtype=np.float64) for axis in "xyz"])
    corners = next((p.name for p in contents["face"].properties if p.name in ("vertex_indices", "vertex_index")), None)
    if corners is None:
        raise MeshFileError("has faces without vertex_indices. Write it as a mesh of triangles")
    return _mesh_of_polygons(vertices, [np.asarray(polygon, dtype=np.int64) for polygon in contents["face"][corners]])


def _read_off(text: str) -> "trimesh.Trimesh":
    """The mesh of an OFF file, whose polygons may have any number of corners."""
    start = OFF_START.match(text)
    if start is None or start[1]:
        wrong = "is a binary OFF file. Write it as text" if start else "is no OFF file: it does not start with 'OFF'"
        raise MeshFileError(wrong)
    rows = [row for line in text[start.end() :].splitlines() if (row := line.split("#")[0].split())]
    counts = [int(number) for number in rows[0][:2]] if rows else []
    if len(counts) < 2:
        raise MeshFileError("has no counts of vertices and faces after OFF")
    rows = rows[1 : 1 + sum(counts)]
    points, polygons = rows[: counts[0]], rows[counts[0] :]
    short = [i for i, polygon in enumerate(polygons) if len(polygon) <= int(polygon[0])]
    if len(rows) < sum(counts) or short == [counts[1] - 1]:
        raise MeshFileError(
            f"is truncated: it counts {counts[0]:,} vertices and {counts[1]:,} faces, and ends after "
            f"{len(rows) - len(short):,} of these lines. {AGAIN}"
        )
    if short:
        raise MeshFileError(f"is damaged: face {short[0]} has fewer corners than its line counts. {AGAIN}")
    vertices = np.array([row[:3] for row in points], dtype=np.float64).reshape(-1, 3)
    return _mesh_of_polygons(vertices, [np.array(row[1 : 1 + int(row[0])], dtype=np.int64) for row in polygons])


def _mesh_of_polygons(vertices: np.ndarray, polygons: list[np.ndarray]) -> "trimesh.Trimesh":
    """A mesh of polygons cut into fans. Those of a plane polygon that is not convex overlap, but their winding numbers
    are those of the polygon."""
    import trimesh

    fans = [np.empty((0, 3), dtype=np.int64)]
    sizes = np.array([len(polygon) for polygon in polygons], dtype=np.int64)
    for size in np.unique(sizes[sizes >= 3]):
        same = np.array([polygons[i] for i in np.flatnonzero(sizes == size)])
        fans += [same[:, [0, corner, corner + 1]] for corner in range(1, size - 1)]
    return trimesh.Trimesh(vertices, np.concatenate(fans), process=False)


def _from_triangle_strips(cloud: "trimesh.PointCloud") -> "trimesh.Trimesh | None":
    """The mesh of a PLY whose faces are triangle strips, which trimesh loads as points; None for other point clouds."""
    import trimesh

    element = cloud.metadata.get("_ply_raw", {}).get("tristrips")
    if element is None:
        return None
    rows = element["data"]["vertex_indices"]
    if rows.dtype.names:  # in a binary file: a length, then the indices
        rows = rows["f1"]
    runs = [run[run >= 0] for row in rows for run in np.split(row, np.flatnonzero(row < 0))]
    faces = trimesh.util.triangle_strips_to_faces([run for run in runs if len(run) >= 3])
    return trimesh.Trimesh(np.asarray(cloud.vertices), faces, process=False)
