"""Files to view: what they are, and the frames they are displayed in."""

import pytest
import trimesh

from sinenerf.common.mesh_compression import draco
from sinenerf.viewer.assets import Asset, display_frame, identify_assets


def test_files_of_one_shape_share_a_frame_and_others_do_not(shape, tmp_path):
    moved = trimesh.load(shape[1])
    moved.vertices *= 1.01
    moved.export(tmp_path / "rounded.ply")
    moved.vertices += 20
    moved.export(tmp_path / "elsewhere.ply")
    reference = Asset.identify(shape[0])
    assert display_frame(Asset.identify(tmp_path / "rounded.ply"), reference) == reference.placement
    elsewhere = Asset.identify(tmp_path / "elsewhere.ply")
    assert display_frame(elsewhere, reference) == elsewhere.placement


def test_a_draco_mesh_is_viewed(shape, tmp_path):
    path = tmp_path / "torus.drc"
    torus = trimesh.load(shape[1])
    path.write_bytes(draco(torus, 10))
    assert len(Asset.identify(path).load().mesh.faces) == len(torus.faces)
    path.write_bytes(b"no draco at all")
    with pytest.raises(ValueError, match="cannot be read as a Draco mesh"):
        Asset.identify(path).load()


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="no files to view"):
        identify_assets([])
