"""Broken and strange meshes as files, each with its outcome: accepted with the labels of a known solid, accepted with a
warning, or refused by one line with the words that name the fault."""

import struct
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from support.mesh_files import (
    bare_glb,
    binary_stl,
    compressed_glb,
    notched_prism,
    obj_text,
    off_text,
    ply_with_rows,
    polygon_ply,
    prism,
    stl_with_count,
    with_empty_primitive,
    write_glb,
)
from support.mesh_shapes import (
    ball,
    box,
    joined,
    kept,
    klein_bottle,
    moebius_strip,
    some_turned,
    soup,
    terrain,
    turned,
    voxel_ball,
    with_faces,
)

Contains = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A file and its outcome: exactly one of `solid`, `warning` and `refusal`, or `solid` with words of the report."""

    suffix: str
    content: Callable[[], trimesh.Trimesh | trimesh.Scene | bytes]
    solid: Contains | None = None
    """Whether points (n, 3) are inside; points within 2 % of the surface of a curved solid are not compared."""
    report: str = ""
    """Words of the report on the mesh."""
    warning: bool = False
    refusal: str = ""
    """Words of the one line."""

    def write(self, folder: Path) -> Path:
        path = folder / f"mesh{self.suffix}"
        content = self.content()
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.export(path)
        return path


def balls(*parts) -> Contains:
    """Union of balls (radius, centre)."""
    return lambda x: np.any([np.linalg.norm(x - np.array(c), axis=1) < r for r, c in parts], axis=0)


def boxes(*parts) -> Contains:
    """Union of boxes (low, high)."""
    return lambda x: np.any([((x > np.array(low)) & (x < np.array(high))).all(1) for low, high in parts], axis=0)


def without(outer: Contains, inner: Contains) -> Contains:
    return lambda x: outer(x) & ~inner(x)


def voxels(x: np.ndarray) -> np.ndarray:
    filled = voxel_ball()[1]
    cell = np.rint(x).astype(int)
    known = ((cell >= 0) & (cell < 8)).all(1)
    return known & filled[tuple(cell.clip(0, 7).T)]


UNIT, BALL = boxes(((-0.5,) * 3, (0.5,) * 3)), balls((1, (0, 0, 0)))
HOLLOW = without(BALL, balls((0.5, (0, 0, 0))))
LEFT, RIGHT, FAR = ((0, 0, 0), (1, 1, 1)), ((1, 0, 0), (2, 1, 1)), ((2, 2, 2), (3, 3, 3))
SECOND_NOTATION = obj_text(box(*FAR), face="{0}/1/1", relative=True)
UTM, BESIDE = (453210, 5412345, 310), (453212, 5412345, 310)
PLATE, POST = ((-1, -1, -0.2), (1, 1, 0)), ((-0.5, -0.5, 0), (0.5, 0.5, 1))


def cube():
    return trimesh.creation.box()


def text_of(mesh, kind):
    return mesh.export(file_type=kind, **({"encoding": "ascii"} if kind == "ply" else {}))


def halved(data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return data[: len(data) // 2]


CASES = {
    # orientation and copies: right as they are, or made right
    "a ball": Case(".ply", ball, BALL, "; watertight"),
    "inside out": Case(".obj", lambda: turned(ball()), BALL, "1,280 faces flipped"),
    "two fifths of the faces turned": Case(".ply", lambda: some_turned(ball()), BALL, "512 faces flipped"),
    "three fifths of the faces turned": Case(".ply", lambda: some_turned(ball(), 0.6), BALL, "768 faces flipped"),
    "a voxel model": Case(".ply", lambda: voxel_ball()[0], voxels),
    "two cubes that share a face": Case(".ply", lambda: joined(box(*LEFT), box(*RIGHT)), boxes(LEFT, RIGHT)),
    "one of them inside out": Case(".ply", lambda: joined(box(*LEFT), turned(box(*RIGHT))), boxes(LEFT, RIGHT)),
    "two cubes that share an edge": Case(
        ".obj", lambda: joined(box(*LEFT), box((1, 1, 0), (2, 2, 1))), boxes(LEFT, ((1, 1, 0), (2, 2, 1)))
    ),
    "two cubes that share a corner": Case(
        ".obj", lambda: joined(box(*LEFT), box((1, 1, 1), (2, 2, 2))), boxes(LEFT, ((1, 1, 1), (2, 2, 2)))
    ),
    "a cube with a face twice": Case(".ply", lambda: with_faces(cube(), cube().faces[:2]), UNIT, "2 duplicate faces"),
    "a cube with a face twice and turned": Case(
        ".ply", lambda: with_faces(cube(), cube().faces[:2, ::-1]), UNIT, "2 duplicate faces"
    ),
    "every face twice": Case(".ply", lambda: with_faces(ball(), ball().faces), BALL, "; watertight"),
    "double-sided": Case(".ply", lambda: with_faces(ball(), ball().faces[:, ::-1]), BALL, "; watertight"),
    "a ball in a ball": Case(".ply", lambda: joined(ball(), ball(0.5)), BALL),
    "a ball in a ball, both inside out": Case(".ply", lambda: turned(joined(ball(), ball(0.5))), BALL),
    "a hollow ball": Case(".ply", lambda: joined(ball(), turned(ball(0.5))), HOLLOW),
    "a hollow ball inside out": Case(".ply", lambda: turned(joined(ball(), turned(ball(0.5)))), HOLLOW),
    "parts that touch": Case(".stl", lambda: joined(box(*PLATE), box(*POST).subdivide()), boxes(PLATE, POST)),
    "parts that touch, one inside out": Case(
        ".stl", lambda: joined(box(*PLATE), turned(box(*POST).subdivide())), boxes(PLATE, POST)
    ),
    "balls that overlap": Case(
        ".ply", lambda: joined(ball(), ball(1, (1, 0, 0))), balls((1, (0, 0, 0)), (1, (1, 0, 0)))
    ),
    "a soup of triangles": Case(".ply", lambda: soup(ball()), BALL, "; watertight"),
    "a small hole": Case(".ply", lambda: kept(ball(), lambda z: z < 0.95), BALL, "boundary edges"),
    "a small hole, inside out": Case(".ply", lambda: turned(kept(ball(), lambda z: z < 0.95)), BALL),
    "faces without area": Case(".ply", lambda: with_faces(ball(), [[0, 0, 1], [2, 2, 2]]), BALL, "1,280 faces;"),
    "vertices without faces": Case(
        ".ply", lambda: trimesh.Trimesh([*ball().vertices, [9, 9, 9]], ball().faces, process=False), BALL, "642 vert"
    ),
    "far from the origin": Case(".obj", lambda: ball(1, (1e5, 0, 0)), balls((1, (1e5, 0, 0))), "; watertight"),
    "far from the origin, one of two inside out": Case(
        ".obj",
        lambda: joined(ball(0.5, UTM), turned(ball(0.5, BESIDE))),
        balls((0.5, UTM), (0.5, BESIDE)),
        "1,280 faces flipped",
    ),
    # formats
    "a binary PLY of triangles and quads": Case(".ply", lambda: polygon_ply(*prism(4)), boxes(((0, 0, 0), (1, 1, 1)))),
    "the same, big endian": Case(".ply", lambda: polygon_ply(*prism(4), order=">"), boxes(((0, 0, 0), (1, 1, 1)))),
    "a binary PLY of hexagons": Case(".ply", lambda: polygon_ply(*prism(6)), report="20 faces; watertight"),
    "an OFF of hexagons": Case(".off", lambda: off_text(*prism(6)), report="20 faces; watertight"),
    "an OFF as in ModelNet": Case(
        ".off", lambda: off_text(*prism(6)).replace(b"OFF\n", b"OFF"), report="20 faces; watertight"
    ),
    "an OFF with a face that lacks a corner": Case(
        ".off",
        lambda: (
            off_text(cube().vertices, [*cube().faces[:5].tolist(), [0, 1]])
            .replace(b"\n2 0 1", b"\n3 0 1\n3 1 2 3")
            .replace(b"8 6 0", b"8 7 0")
        ),
        refusal="is damaged: face 5 has fewer corners",
    ),
    "an STL in capitals": Case(".STL", lambda: binary_stl(ball()), BALL),
    "a binary STL that starts with solid": Case(".stl", lambda: b"solid" + binary_stl(ball())[5:], BALL),
    "an STL without its count": Case(".stl", lambda: stl_with_count(ball(), 0), BALL),
    "an STL with a tail": Case(".stl", lambda: binary_stl(ball()) + b"\0" * 20, BALL),
    "a GLB with Draco": Case(".glb", lambda: compressed_glb(ball(), "KHR_draco_mesh_compression"), BALL),
    "a GLB with a primitive without vertices": Case(".glb", lambda: with_empty_primitive(ball()), BALL),
    "a GLB of two turned parts": Case(
        ".glb", lambda: trimesh.Scene([ball(), turned(ball(1, (3, 0, 0)))]), balls((1, (0, 0, 0)), (1, (3, 0, 0)))
    ),
    "a PLY named as an OBJ": Case(".obj", lambda: ball().export(file_type="ply"), BALL),
    "an OBJ with negative indices": Case(
        ".obj",
        lambda: (
            b"".join(b"v %g %g %g\n" % tuple(v) for v in cube().vertices)
            + b"".join(b"f %d %d %d\n" % tuple(f - 8) for f in cube().faces)
        ),
        UNIT,
    ),
    "an OBJ with a byte order mark": Case(".obj", lambda: BOM_UTF8 + obj_text(cube()), UNIT, "8 vertices"),
    "an OFF with a byte order mark": Case(
        ".off", lambda: BOM_UTF8 + off_text(*prism(6)), report="20 faces; watertight"
    ),
    "a text STL with a byte order mark": Case(".stl", lambda: BOM_UTF8 + text_of(ball(), "stl_ascii").encode(), BALL),
    "a text PLY with a byte order mark": Case(".ply", lambda: BOM_UTF8 + text_of(ball(), "ply"), BALL),
    "a binary STL whose header starts with one": Case(".stl", lambda: BOM_UTF8 + binary_stl(ball())[3:], BALL),
    # after reports in public trackers
    "indices that count back between parts": Case(  # mikedh/trimesh#2364
        ".obj", lambda: obj_text(box(*LEFT), box(*FAR), relative=True), boxes(LEFT, FAR), "24 faces; watertight"
    ),
    "a name that looks like a face": Case(  # mikedh/trimesh#1829
        ".obj", lambda: b"g An f Three Other Thing\n" + obj_text(cube()), UNIT
    ),
    "indices of textures that are not there": Case(  # mikedh/trimesh#1079
        ".obj", lambda: b"vn 0 0 1\n" + obj_text(cube(), face="{0}/1/1"), UNIT
    ),
    "faces in two notations": Case(  # mikedh/trimesh#71
        ".obj", lambda: b"vt 0 0\nvn 0 0 1\n" + obj_text(box(*LEFT)) + SECOND_NOTATION, boxes(LEFT, FAR)
    ),
    "tabs between the words": Case(".obj", lambda: obj_text(cube()).replace(b" ", b"\t"), UNIT),
    "a GLB without indices": Case(".glb", lambda: bare_glb(cube(), indexed=False), UNIT),  # mikedh/trimesh#2218
    "a GLB with a sparse accessor": Case(  # KhronosGroup/glTF-Sample-Models#99
        ".glb", lambda: bare_glb(cube(), corrected=[0, 7]), UNIT
    ),
    "a PLY whose lists have counts of 16 bits": Case(  # cnr-isti-vclab/meshlab#290
        ".ply",
        lambda: ply_with_rows(
            cube(),
            ["list ushort uint vertex_indices", "list uchar float texcoord"],
            lambda face: struct.pack("<H3IB6f", 3, *face, 6, *[0] * 6),
        ),
        UNIT,
    ),
    "a PLY with colours and texture of faces": Case(  # PyMesh/PyMesh#13
        ".ply",
        lambda: ply_with_rows(
            cube(),
            [
                "list uint8 int32 vertex_indices",
                "list uint8 float32 texcoord",
                "uint8 red",
                "uint8 green",
                "uint8 blue",
            ],
            lambda face: struct.pack("<B3iB6f3B", 3, *face, 6, *[0] * 9),
        ),
        UNIT,
    ),
    "a PLY with polygons that are not convex": Case(  # isl-org/Open3D#4517
        ".ply", lambda: polygon_ply(*notched_prism()), boxes(((0, 0, 0), (2, 1, 1)), ((0, 0, 0), (1, 2, 1)))
    ),
    "a NaN that no face uses": Case(  # mikedh/trimesh#37
        ".ply", lambda: trimesh.Trimesh([*ball().vertices, [np.nan] * 3], ball().faces, process=False), BALL
    ),
    "an STL whose header is not UTF-8": Case(  # mikedh/trimesh#1676
        ".stl", lambda: "COLOR=ццу".encode("cp1251").ljust(80, b"\xff") + binary_stl(ball())[80:], BALL
    ),
    "a PLY with a tail": Case(".ply", lambda: ball().export(file_type="ply") + b"\n\n", BALL),  # mikedh/trimesh#1911
    # solids in name only
    "a Moebius strip": Case(".ply", moebius_strip, warning=True),
    "an open terrain": Case(".ply", terrain, warning=True),
    "a Klein bottle": Case(".ply", klein_bottle, report="; not watertight"),
    # refused
    "a binary STL cut in half": Case(".stl", lambda: halved(binary_stl(ball())), refusal="truncated: its header"),
    "a text STL cut in half": Case(".stl", lambda: halved(text_of(ball(), "stl_ascii")), refusal="is truncated"),
    "a binary PLY cut in half": Case(".ply", lambda: halved(ball().export(file_type="ply")), refusal="is truncated"),
    "a text PLY cut in half": Case(".ply", lambda: halved(text_of(ball(), "ply")), refusal="is truncated"),
    "an OFF cut in half": Case(".off", lambda: halved(text_of(ball(), "off")), refusal="is truncated"),
    "a GLB cut in half": Case(".glb", lambda: halved(ball().export(file_type="glb")), refusal="is truncated"),
    "an STL of more triangles": Case(".stl", lambda: stl_with_count(ball(), 700), refusal="counts 700 triangles, but"),
    "an STL of fewer triangles": Case(".stl", lambda: stl_with_count(ball(), 2000), refusal="ends after 1,280"),
    "a GLB with meshopt": Case(
        ".glb", lambda: compressed_glb(ball(), "EXT_meshopt_compression"), refusal="compressed by EXT_meshopt"
    ),
    "a GLB of triangle fans": Case(".glb", lambda: bare_glb(cube(), mode=6), refusal="has triangle fans, which are"),
    "an empty scene": Case(".glb", lambda: write_glb({"asset": {"version": "2.0"}}, b""), refusal="has no faces"),
    "an empty STL": Case(".stl", lambda: b"solid Empty\nendsolid Empty", refusal="has no faces"),
    "an empty file": Case(".obj", lambda: b"", refusal="has no faces"),
    "points": Case(".ply", lambda: trimesh.PointCloud(np.eye(3)).export(file_type="ply"), refusal="has no faces"),
    "a flat sheet": Case(".obj", lambda: kept(cube(), lambda z: z > 0.4), refusal="is flat"),
    "a vertex that is not a number": Case(
        ".obj", lambda: b"v 0 0 0\nv 1 0 nan\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\n", refusal="vertex 1 is NaN"
    ),
    "a picture": Case(".ply", lambda: b"\x89PNG\r\n", refusal="is no PLY file"),
    "an unknown suffix": Case(".xyzzy", lambda: b"solid", refusal="cannot be read as a mesh"),
    "a single triangle in space": Case(
        ".obj", lambda: b"v 0 0 0\nv 1 0 1\nv 0 1 2\nf 1 2 3\n", refusal="encloses no volume"
    ),
}
