"""Broken meshes: what is refused, what is mended, and which way is out."""

import numpy as np
import pytest
import trimesh

from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh
from sinenerf.occupancy.orientation import orient
from sinenerf.occupancy.solid import Placement, Solid


def ball(radius=1.0, centre=(0, 0, 0)):
    mesh = trimesh.creation.icosphere(3, radius)
    mesh.apply_translation(centre)
    return mesh


def joined(*meshes):
    return trimesh.util.concatenate(meshes)


def kept(mesh, keep):
    """The faces whose centre's z is so."""
    mesh.update_faces(keep(mesh.triangles_center[:, 2]))
    return mesh


def turned(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces[:, ::-1], process=False)


def inside(mesh, *points):
    mesh, _ = prepare_mesh(mesh)
    placement = Placement.of(mesh)
    return Solid(mesh, placement).contains(placement.to_cube(np.array(points, dtype=float))).tolist()


def write(path, text):
    path.write_text(text)
    return path


def test_a_good_mesh_stays_as_it_is():
    mesh, report = prepare_mesh(ball())
    assert report.watertight and report.flipped_faces == 0 and report.boundary_edges == 0
    assert mesh.volume == pytest.approx(ball().volume)


def test_faces_that_disagree_are_turned():
    mesh = ball()
    faces = np.array(mesh.faces)
    wrong = np.random.default_rng(0).permutation(len(faces))[: len(faces) // 3]
    faces[wrong] = faces[wrong, ::-1]
    mended, report = prepare_mesh(trimesh.Trimesh(mesh.vertices, faces, process=False))
    assert report.watertight and report.flipped_faces == len(wrong)
    assert mended.volume == pytest.approx(mesh.volume)


def test_a_mesh_inside_out_is_turned():
    mesh = ball()
    mesh.invert()
    assert inside(mesh, (0, 0, 0), (1.04, 0, 0)) == [True, False]


def test_a_cavity_stays_a_cavity_and_a_second_body_a_body():
    hollow, other = ball(0.5), ball(1, (3, 0, 0))
    hollow.invert()
    other.invert()
    assert inside(joined(ball(), hollow, other), (0, 0, 0), (0.75, 0, 0), (3, 0, 0), (1.5, 0, 0)) == [
        False,
        True,
        True,
        False,
    ]


def test_a_hollow_body_inside_out_keeps_its_cavity():
    """All of it is turned: also a body in the cavity, though not one that only overlaps."""
    inverted = ball(0.6), ball()
    for mesh in inverted:
        mesh.invert()
    hollow = joined(ball(), inverted[0], ball(0.2))
    for mesh in (hollow, turned(hollow)):
        assert inside(mesh, (0, 0, 0), (0.4, 0, 0), (0.8, 0, 0), (1.03, 0, 0)) == [True, False, True, False]
    overlapping = joined(inverted[1], ball(0.7, (1, 0, 0)))
    assert inside(overlapping, (-0.5, 0, 0), (0.6, 0, 0), (1.5, 0, 0)) == [True, True, True]


def test_a_holed_mesh_inside_out_is_turned():
    mesh = turned(kept(ball(), lambda z: z < 0.9))
    assert inside(mesh, (0, 0, 0), (0, 0, 0.5), (1.04, 0, 0)) == [True, True, False]
    assert prepare_mesh(mesh)[1].flipped_faces == len(mesh.faces)
    assert orient(np.array(mesh.vertices), np.array(mesh.faces[:, ::-1]))[1] == 0


def test_open_shells_each_face_outward():
    above, below = kept(ball(), lambda z: z > 0.05), kept(ball(), lambda z: z < -0.05)
    for shells in ((above, below), (above, turned(below)), (turned(above), below), (turned(above), turned(below))):
        assert inside(joined(*shells), (0, 0, 0.7), (0, 0, -0.7), (0, 0, 1.04)) == [True, True, False]


def test_a_holed_hollow_body_inside_out_keeps_its_cavity():
    """Its wall cannot be seen from outside, or hardly, and is turned with what is around it."""
    for wall in (ball(0.5), kept(ball(0.5), lambda z: z < 0.45)):
        hollow = joined(kept(ball(), lambda z: z < 0.9), turned(wall))
        for mesh in (hollow, turned(hollow)):
            assert inside(mesh, (0, 0, 0), (0.7, 0, 0), (0, 0, -0.7)) == [False, True, True]


def test_a_sheet_stays_as_it_is():
    sheet = kept(trimesh.creation.box((2, 2, 2)).subdivide().subdivide(), lambda z: z > 0.99)
    sheet.vertices += np.random.default_rng(0).normal(0, 0.02, sheet.vertices.shape)
    for mesh in (sheet, turned(sheet)):
        assert prepare_mesh(mesh)[1].flipped_faces == 0


@pytest.mark.parametrize("size", [1e-5, 1.0, 1e5])
def test_nothing_depends_on_the_unit(size):
    mesh = ball()
    soup = trimesh.Trimesh(size * mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3),
                           process=False)  # fmt: skip
    mended, report = prepare_mesh(soup)
    assert report.watertight and (len(mended.vertices), len(mended.faces)) == (len(mesh.vertices), len(mesh.faces))
    assert np.array_equal(mended.triangles, soup.triangles)


def test_a_hole_and_a_self_intersection_do_no_harm():
    opened, report = prepare_mesh(kept(ball(), lambda z: z < 0.9))
    assert not report.watertight and report.boundary_edges > 0
    placement = Placement.of(opened)
    solid = Solid(opened, placement)
    assert solid.contains(placement.to_cube(np.array([[0, 0, 0], [0, 0, 0.5], [1.2, 0, 0]]))).tolist() == [
        True,
        True,
        False,
    ]
    assert 0 < solid.ambiguous_fraction < 0.2
    assert inside(joined(ball(), ball(1, (1, 0, 0))), (0.5, 0, 0), (0, 0, 0), (-1.5, 0, 0)) == [True, True, False]


def test_orientation_of_loose_triangles_is_left_alone():
    mesh = ball()
    soup = trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)
    _, flipped = orient(np.array(soup.vertices), np.array(soup.faces))
    assert flipped == 0


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


def test_placement_goes_there_and_back():
    mesh = ball(7, (10, -20, 30))
    placement = Placement.of(mesh)
    cube = placement.to_cube(mesh.vertices)
    assert abs(cube).max() == pytest.approx(0.95)
    np.testing.assert_allclose(placement.from_cube(cube), mesh.vertices, atol=1e-12)


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


def test_no_volume_is_refused():
    sheet = trimesh.creation.box((1, 1, 1))
    sheet.update_faces([0])
    sheet = trimesh.Trimesh(sheet.vertices + np.arange(24).reshape(8, 3) * 1e-3, sheet.faces)
    mesh, _ = prepare_mesh(sheet)
    with pytest.raises(ValueError, match="encloses no volume"):
        _ = Solid(mesh, Placement.of(mesh)).ambiguous_fraction


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.ply: no such file"):
        read_mesh(tmp_path / "nothing.ply")
    with pytest.raises(ValueError, match="cannot be read as a mesh"):
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
