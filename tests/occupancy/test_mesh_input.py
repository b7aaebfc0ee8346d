"""Reading and preparing meshes, broken ones among them: what is refused, and what is repaired."""

import numpy as np
import pytest
import trimesh
from support.mesh_shapes import ball, joined

from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh


def write(path, text):
    path.write_text(text)
    return path


def test_a_good_mesh_stays_as_it_is():
    mesh, report = prepare_mesh(ball())
    assert report.watertight and report.flipped_faces == 0 and report.boundary_edges == 0
    assert mesh.volume == pytest.approx(ball().volume)


@pytest.mark.parametrize("size", [1e-5, 1.0, 1e5])
def test_nothing_depends_on_the_unit(size):
    mesh = ball()
    soup = trimesh.Trimesh(size * mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3),
                           process=False)  # fmt: skip
    mended, report = prepare_mesh(soup)
    assert report.watertight and (len(mended.vertices), len(mended.faces)) == (len(mesh.vertices), len(mesh.faces))
    assert np.array_equal(mended.triangles, soup.triangles)


def test_a_plate_thinner_than_any_point_is_turned_outward():
    plate = trimesh.creation.box((1, 0.8, 0.001))
    turned = trimesh.Trimesh(plate.vertices, plate.faces[:, ::-1], process=False)
    for beside in ([], [trimesh.creation.box((0.3, 0.3, 0.3)).apply_translation([0, 0, 0.5])]):
        mesh, report = prepare_mesh(joined(turned, *beside))
        assert report.flipped_faces == 12
        assert mesh.volume == pytest.approx(sum(part.volume for part in (plate, *beside)))


def test_unmerged_vertices_are_merged(tmp_path):
    ball().export(tmp_path / "ball.stl")
    mesh, report = read_mesh(tmp_path / "ball.stl")
    assert report.watertight and len(mesh.vertices) == len(ball().vertices)


def test_a_scene_of_several_geometries_is_merged(tmp_path):
    trimesh.Scene([ball(), ball(1, (3, 0, 0))]).export(tmp_path / "two.glb")
    mesh, report = read_mesh(tmp_path / "two.glb")
    assert report.geometries == 2 and mesh.body_count == 2
    assert "2 geometries, merged" in str(report)


def test_a_scene_in_memory_is_merged_too():
    scene = trimesh.Scene([ball(), ball()])
    scene.graph.update(next(iter(scene.graph.nodes_geometry)), matrix=np.diag([2.0, 2, 2, 1]))
    mesh, report = prepare_mesh(scene)
    assert report.geometries == 2 and mesh.volume == pytest.approx(9 * ball().volume)
    with pytest.raises(ValueError, match="the mesh: has no faces"):
        prepare_mesh(trimesh.Scene())


def test_what_is_no_mesh_is_refused(unchecked):
    with pytest.raises(TypeError, match=r"the mesh: is a PointCloud\. Give a trimesh"):
        prepare_mesh(trimesh.PointCloud(np.eye(3)))


def test_edges_of_more_than_two_faces_are_reported():
    """No edge is a hole's, and yet it is not watertight: two boxes that share an edge."""
    box = trimesh.creation.box((1, 1, 1))
    _, report = prepare_mesh(joined(box, box.copy().apply_translation([1, 1, 0])))
    assert "not watertight, 0 boundary edges, 1 non-manifold edges" in str(report)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no faces|cannot be read"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "has no faces"),
        ("v 0 0 0\nv 1 0 nan\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 3 4\n", "vertex 1 is NaN"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nf 1 2 3\nf 2 4 3\n", "is flat"),
        ("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "is flat or a point"),
    ],
)
def test_refused_with_the_reason(text, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        read_mesh(write(tmp_path / "mesh.obj", text))
    assert str(tmp_path / "mesh.obj") in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [8, -1])
def test_faces_of_vertices_that_are_not_there(wrong, tmp_path):
    mesh = trimesh.creation.box()
    rows = [*(" ".join(map(str, v)) for v in mesh.vertices), *(f"3 {a} {b} {c}" for a, b, c in mesh.faces[:-1])]
    header = (
        "ply\nformat ascii 1.0\nelement vertex 8\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 12\nproperty list uchar int vertex_indices\nend_header\n"
    )
    path = write(tmp_path / "box.ply", header + "\n".join([*rows, f"3 0 1 {wrong}"]) + "\n")
    with pytest.raises(ValueError, match=r"box.ply: face 11 refers to a missing vertex \(1 in all\)") as error:
        read_mesh(path)
    assert "\n" not in str(error.value)
    faces = np.array([*mesh.faces[:-1], [0, 1, wrong]])
    with pytest.raises(ValueError, match="the mesh: face 11 refers to a missing vertex"):
        prepare_mesh(trimesh.Trimesh(mesh.vertices, faces, process=False))


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.ply: no such file"):
        read_mesh(tmp_path / "nothing.ply")
    with pytest.raises(ValueError, match="is no PLY file"):
        read_mesh(write(tmp_path / "mesh.ply", "this is no mesh"))
    with pytest.raises(ValueError, match="cannot be read as a mesh"):
        read_mesh(write(tmp_path / "mesh.xyzzy", "this is no mesh"))


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_triangle_strips_are_read(text, split, tmp_path):
    """trimesh loads such a PLY as points and says nothing. The strips are in one list, with -1 between, or in many."""
    mesh = trimesh.creation.box((1, 1, 1))
    rows = mesh.faces if split else np.hstack([mesh.faces, np.full((12, 1), -1)]).reshape(1, -1)
    rows = np.hstack([np.full((len(rows), 1), rows.shape[1]), rows]).astype("<i4")
    header = (
        f"ply\nformat {'ascii' if text else 'binary_little_endian'} 1.0\nelement vertex 8\nproperty float x\n"
        f"property float y\nproperty float z\nelement tristrips {len(rows)}\n"
        "property list int int vertex_indices\nend_header\n"
    )
    body = mesh.vertices.astype("<f4").tobytes() + rows.tobytes()
    lines = "".join(" ".join(map(str, row)) + "\n" for row in (*mesh.vertices, *rows))
    (tmp_path / "strips.ply").write_bytes(header.encode() + (lines.encode() if text else body))
    read, report = read_mesh(tmp_path / "strips.ply")
    assert report.watertight and read.volume == pytest.approx(1)
