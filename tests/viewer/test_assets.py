"""Files to view: what they are, and the frames they are displayed in."""

import shutil

import pytest
import trimesh
from support.golden_files import GOLDEN

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


@pytest.mark.parametrize(
    ("name", "message"),
    [("adapters/rounded.sine", "holds an adapter, which needs its model"), ("scenes/split.sine", "holds a scene now")],
)
def test_a_shape_that_is_replaced_by_something_else_is_named(name, message, tmp_path):
    path = tmp_path / "view.sine"
    shutil.copy(GOLDEN / "sine.sine", path)
    asset = Asset.identify(path).load()
    shutil.copy(GOLDEN / name, path)
    with pytest.raises(ValueError, match=f"view.sine: {message}"):
        asset.refresh().load()


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="no files to view"):
        identify_assets([])
