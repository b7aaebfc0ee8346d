"""sinenerf mesh and export-mesh: the meshes of scenes, from files and from nerfstudio's runs."""

import numpy as np
import pytest
import trimesh
from support.commands import call_command, call_sinenerf
from support.radiance_fields import a_field


@pytest.mark.parametrize("command", ["mesh", "export-mesh"])
@pytest.mark.parametrize("frame", ["scene", "capture"])
def test_a_scene_becomes_a_coloured_mesh(command, frame, tmp_path):
    field = a_field()
    field.save(tmp_path / "scene.sine")
    output = tmp_path / "scene.ply"
    options = "--resolution", 12, "--min-faces", 1, "--frame", frame
    done = call_sinenerf(command, tmp_path / "scene.sine", "--output", output, *options)
    mesh = trimesh.load(output, process=False)
    assert done.returncode == 0 and f"{len(mesh.faces):,} faces" in done.stdout, done.stderr
    assert mesh.visual.kind == "vertex"
    vertices = np.array(field.mesh(12, min_faces=1).vertices)
    if frame == "capture":
        motion = field.capture.motion
        vertices = (vertices / field.capture.scale - motion[:, 3]) @ motion[:, :3]
    assert np.allclose(mesh.vertices, vertices, rtol=1e-4, atol=1e-4)


def test_a_scene_becomes_a_textured_mesh(tmp_path):
    a_field().save(tmp_path / "scene.sine")
    options = "--resolution", 24, "--min-faces", 1, "--faces", 300
    sizes = []
    for more in ((), ("--compress", "draco")):
        output = tmp_path / "scene.glb"
        call_sinenerf("mesh", tmp_path / "scene.sine", "--output", output, *options, "--texture", 128, *more)
        (mesh,) = trimesh.load(output, process=False).geometry.values()
        assert 64 < max(mesh.visual.material.baseColorTexture.size) < 256 and 290 < len(mesh.faces) <= 300
        sizes.append(output.stat().st_size)
    assert sizes[1] < sizes[0]
    for name, size, message in (("x.glb", 1, "choose 16 to 8192"), ("x.ply", 64, "only .glb has a texture")):
        done = call_sinenerf("mesh", tmp_path / "scene.sine", "--output", tmp_path / name, "--texture", size)
        assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("compress", ["draco", "meshopt"])
def test_a_scene_becomes_a_small_mesh(compress, tmp_path):
    a_field().save(tmp_path / "scene.sine")
    options = "--resolution", 24, "--min-faces", 1
    sizes = []
    for more in ((), ("--faces", 300, "--compress", compress)):
        call_sinenerf("mesh", tmp_path / "scene.sine", "--output", tmp_path / "scene.glb", *options, *more)
        sizes.append((tmp_path / "scene.glb").stat().st_size)
    assert sizes[1] < sizes[0] / 3
    for more, message in ((("--faces", 3), "at least 4"), (("--compress", compress), "only .glb is compressed")):
        done = call_sinenerf("mesh", tmp_path / "scene.sine", "--output", tmp_path / "scene.ply", *options, *more)
        assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_run_becomes_a_coloured_mesh(trained, tmp_path):
    output = tmp_path / "scene.glb"
    printed = call_command(
        "sinenerf", "export-mesh", trained.parent, "--output", output, "--resolution", 48, "--min-faces", 1
    )
    (mesh,) = trimesh.load(output).geometry.values()
    assert f"{len(mesh.faces):,} faces" in printed
    assert mesh.visual.vertex_attributes["color"][:, :3].std() > 1
    assert (mesh.vertices[:, 2] < 0).all()  # in front of the cameras, y up


@pytest.mark.slow
def test_a_run_without_surface_at_a_level_is_refused_with_a_level_to_try(trained, tmp_path):
    command = ["sinenerf", "export-mesh", trained.parent, "--output", tmp_path / "x.ply", "--resolution", 24]
    refusal = call_command(*command, "--level", 1e9, ok=False)
    line = refusal.strip().splitlines()[-1]
    assert line.startswith("sinenerf: no surface at level") and "Try --level" in line
    level = line.rsplit(" ", 1)[1]
    call_command(*command, "--level", level, "--min-faces", 1)
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--output", "x.fbx"], "cannot write '.fbx'"),
        (["--output", "x.glb", "--box", "1", "0", "0", "0", "1", "1"], "smaller corner first"),
    ],
)
def test_bad_options_for_the_mesh_of_a_run_are_refused(trained, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    refused = call_sinenerf("export-mesh", trained.parent, *arguments)
    assert refused.returncode == 1 and message in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_folder_without_a_run_has_no_mesh(tmp_path):
    pytest.importorskip("nerfstudio", reason="needs nerfstudio")
    refused = call_sinenerf("export-mesh", tmp_path, "--output", tmp_path / "x.glb")
    assert refused.returncode == 1 and refused.stderr.startswith(f"sinenerf: {tmp_path}: not a run")
