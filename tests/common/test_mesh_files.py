"""Meshes are written completely or not at all, and look the same in other programs."""

import os

import numpy as np
import pytest
import trimesh

from sinenerf.common.mesh_files import FORMATS, save_mesh


def ball():
    """A sphere with random opaque colours."""
    mesh = trimesh.creation.icosphere(2)
    colours = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4), dtype=np.uint8)
    colours[:, 3] = 255
    mesh.visual.vertex_colors = colours
    return mesh


@pytest.mark.parametrize("suffix", [*FORMATS, ".GLB"])
def test_a_saved_mesh_loads_again(suffix, tmp_path):
    coloured = ball()
    path = tmp_path / f"mesh{suffix}"
    save_mesh(coloured, path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    loaded = trimesh.load(path, force="mesh", process=False)
    assert loaded.volume == pytest.approx(coloured.volume, rel=1e-4)
    assert np.allclose(loaded.triangles, coloured.triangles, atol=1e-6)
    if suffix in (".ply", ".obj"):
        assert (loaded.visual.vertex_colors == coloured.visual.vertex_colors).all()


@pytest.mark.parametrize(("size", "place"), [(20.0, 4.6e6), (1e-5, 0.0)])
def test_small_and_far_meshes_keep_their_shape(size, place, tmp_path):
    mesh = trimesh.creation.icosphere(3, size / 2)
    mesh.apply_translation([place] * 3)
    for suffix in FORMATS:
        path = tmp_path / f"mesh{suffix}"
        if place and suffix in (".glb", ".ply", ".stl"):
            with pytest.raises(ValueError, match=r"is 20 long .* steps of 0.5. Write .obj or .off") as caught:
                save_mesh(mesh, path)
            assert str(path) in str(caught.value) and "\n" not in str(caught.value) and not path.exists()
            continue
        save_mesh(mesh, path)
        loaded = trimesh.load(path, force="mesh", process=False)
        assert np.allclose(loaded.triangles, mesh.triangles, rtol=0, atol=1e-7 * size)


@pytest.mark.parametrize("name", ["mesh.xyz", "mesh"])
def test_an_unknown_extension_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.glb, \.ply, \.obj, \.stl, \.off"):
        save_mesh(ball(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", [(trimesh.Trimesh, "export"), (os, "replace")])
def test_a_failed_write_leaves_the_old_file(target, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    path = tmp_path / "mesh.ply"
    path.write_bytes(b"old")
    monkeypatch.setattr(*target, fail)
    with pytest.raises(OSError, match="disk full"):
        save_mesh(ball(), path)
    assert [p.name for p in tmp_path.iterdir()] == ["mesh.ply"]
    assert path.read_bytes() == b"old"


def test_glb_shows_the_colours_as_they_are(tmp_path):
    """Vertex colours of glTF are linear. The material is unlit, since photographs already contain the light."""
    mesh = ball()
    mesh.visual.vertex_colors[:] = [188, 0, 255, 255]  # sRGB 188 is half the linear intensity
    save_mesh(mesh, tmp_path / "ball.glb")
    (loaded,) = trimesh.load(tmp_path / "ball.glb", process=False).geometry.values()
    assert (loaded.visual.vertex_attributes["color"] == [128, 0, 255, 255]).all()
    assert b"KHR_materials_unlit" in (tmp_path / "ball.glb").read_bytes()
