"""GLB files, plain and compressed, as trimesh and three.js read them."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from support.node_packages import needs_node, run_module

from sinenerf.common.glb import GlbMesh, to_glb

READ_GLB = (Path(__file__).parents[1] / "support/read_glb.mjs").read_text()


def ball(kind):
    """A sphere off the origin, lit or with colours."""
    mesh = trimesh.creation.icosphere(3, 0.7)
    positions = (mesh.vertices + np.array([1, 2, 3])).astype(np.float32)
    if kind == "lit":
        return GlbMesh(positions, mesh.faces, normals=mesh.vertex_normals.astype(np.float32))
    colours = np.full((len(positions), 4), 255, np.uint8)
    colours[:, :3] = np.rint(127 * (mesh.vertex_normals + 1))
    return GlbMesh(positions, mesh.faces, colours=colours)


def sorted_rows(*columns):
    """The rows of arrays side by side, in an order that small errors do not change."""
    rows = np.hstack(columns)
    return rows[np.lexsort(np.round(rows[:, :3], 2).T)]


@pytest.mark.parametrize("kind", ["lit", "coloured"])
@pytest.mark.parametrize("compress", [None, "draco"])
def test_trimesh_reads_the_same_mesh(kind, compress, tmp_path):
    mesh, path = ball(kind), tmp_path / "ball.glb"
    path.write_bytes(to_glb(mesh, compress))
    (read,) = trimesh.load(path, process=False).geometry.values()
    step = 1.4 / 2**14
    assert read.is_watertight and len(read.faces) == len(mesh.faces)
    whole = trimesh.Trimesh(mesh.positions, mesh.faces, process=False)
    assert read.volume == pytest.approx(whole.volume, rel=1e-3)
    distances = np.linalg.norm(read.vertices[:, None] - mesh.positions, axis=2)
    assert distances.min(1).max() < step
    if kind == "coloured":
        colours = read.visual.vertex_attributes["color"]
        assert abs(colours.astype(int) - mesh.colours[distances.argmin(1)]).max() <= 0
    else:
        assert abs(read.vertex_normals - mesh.normals[distances.argmin(1)]).max() < 0.05


@pytest.mark.slow
@needs_node
@pytest.mark.parametrize("kind", ["lit", "coloured"])
@pytest.mark.parametrize("compress", [None, "meshopt"])
def test_three_js_reads_the_same_mesh(npm, kind, compress, tmp_path):
    mesh, path = ball(kind), tmp_path / "ball.glb"
    path.write_bytes(to_glb(mesh, compress))
    read = json.loads(run_module(READ_GLB, path))
    positions, faces = np.array(read["positions"]), np.reshape(read["faces"], (-1, 3))
    again = trimesh.Trimesh(positions, faces, process=False)
    assert again.is_watertight and len(faces) == len(mesh.faces)
    assert again.volume == pytest.approx(trimesh.Trimesh(mesh.positions, mesh.faces).volume, rel=1e-4)
    distances = np.linalg.norm(positions[:, None] - mesh.positions, axis=2)
    assert distances.min(1).max() < 1.4 / 2**15
    nearest = distances.argmin(1)
    if kind == "lit":
        assert read["material"] == "MeshStandardMaterial"
        assert abs(np.array(read["normals"]) - mesh.normals[nearest]).max() < 0.01
    else:
        assert read["material"] == "MeshBasicMaterial"
        assert abs(np.array(read["colours"]) * 255 - mesh.colours[nearest]).max() < 1e-3


@pytest.mark.parametrize("compress", [None, "draco"])
def test_a_node_turns_and_scales_and_the_vertices_stay_as_they_are(compress, tmp_path):
    mesh, path = ball("lit"), tmp_path / "ball.glb"
    path.write_bytes(to_glb(mesh, compress, up="z", metres_per_unit=0.01))
    scene = trimesh.load_scene(path, process=False)
    (own,), (shown,) = scene.geometry.values(), scene.dump()
    np.testing.assert_allclose(own.bounds, [mesh.positions.min(0), mesh.positions.max(0)], atol=1e-3)
    x, y, z = own.vertices.T
    np.testing.assert_allclose(shown.vertices, 0.01 * np.stack([x, z, -y], 1), atol=1e-6)


def test_compressed_files_are_smaller():
    mesh = ball("lit")
    plain, draco, meshopt = (len(to_glb(mesh, compress)) for compress in (None, "draco", "meshopt"))
    assert draco < meshopt / 1.5 < plain / 3


def test_meshopt_files_name_what_a_reader_must_know():
    """A reader without the decoder refuses the file, instead of reading the empty buffer."""
    data = to_glb(ball("lit"), "meshopt")
    tree = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert tree["extensionsRequired"] == ["KHR_mesh_quantization", "EXT_meshopt_compression"]
    fallback = tree["buffers"][1]
    assert fallback["extensions"]["EXT_meshopt_compression"]["fallback"] and "uri" not in fallback
