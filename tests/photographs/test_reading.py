"""One capture, read as an LLFF folder, as transforms.json, as Blender's set and as a COLMAP model."""

import numpy as np
import pytest
from PIL import Image
from support.capture_changes import make
from support.capture_corpus import CASES
from support.capture_layouts import blender_data, colmap_data, nerfstudio_data

from sinenerf.photographs.pictures import load_picture
from sinenerf.photographs.posed_photographs import CaptureError, hold_out
from sinenerf.photographs.reading import has_cameras, read_photographs


@pytest.mark.parametrize("layout", [nerfstudio_data, blender_data, colmap_data])
def test_captures_are_told_from_photographs_alone(layout, scene, tmp_path):
    layout(scene, tmp_path)
    assert has_cameras(scene) and has_cameras(scene / "poses_bounds.npy") and has_cameras(tmp_path)
    photographs = tmp_path / "photographs"
    (photographs / "sparse").mkdir(parents=True)  # an empty folder of that name is no model
    assert not has_cameras(photographs) and not has_cameras(tmp_path / "film.mp4")


@pytest.mark.parametrize("layout", [nerfstudio_data, blender_data, colmap_data])
@pytest.mark.parametrize("factor", [None, 2])
def test_every_kind_gives_the_same_cameras(layout, factor, scene, tmp_path):
    layout(scene, tmp_path)
    expected, read = read_photographs(scene), read_photographs(tmp_path, factor=factor)
    views = range(9)
    if layout is blender_data:  # its training and test frames name the same photographs here
        read, views = read.chosen(np.arange(0, 18, 2)), range(9)
        assert read.named_held_out is not None
    scale = 1 / (factor or 1)
    np.testing.assert_allclose(read.camera_to_world, expected.camera_to_world, atol=1e-9)
    for name in ("fx", "fy", "cx", "cy", "width", "height"):
        np.testing.assert_allclose(getattr(read, name), scale * getattr(expected, name), err_msg=name)
    for view in views:
        with Image.open(read.paths[view]) as image:
            assert image.size == read.size(view)


def test_views_are_held_out_by_the_capture_or_by_count(scene, tmp_path):
    train, test = hold_out(read_photographs(scene), 4)
    assert list(test) == [0, 4, 8] and list(train) == [1, 2, 3, 5, 6, 7]
    with pytest.raises(CaptureError, match="2 or more"):
        hold_out(read_photographs(scene), 1)
    blender_data(scene, tmp_path)
    train, test = hold_out(read_photographs(tmp_path), 4)
    assert len(train) == len(test) == 9


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_strange_and_broken_captures(case, scene, tmp_path):
    folder = tmp_path / "capture"
    make(case.kind, scene, folder)
    case.change(folder)
    before = {path for path in folder.rglob("*")}
    if case.refused:
        with pytest.raises(CaptureError) as caught:
            read_photographs(folder / case.opened, **case.options)
        message = str(caught.value)
        assert "\n" not in message
        for word in case.refused:
            assert word in message, message
        assert (folder / "images_2") in before or {path for path in folder.rglob("*")} == before
        return
    expected, read = read_photographs(scene), read_photographs(folder / case.opened, **case.options)
    for word in case.noted:
        assert word in " ".join(read.notes), read.notes
    assert case.noted or len(read.notes) == 1  # the photographs of all cases are tiny, and a note says so
    stems = [path.stem for path in expected.paths]
    views = [stems.index(path.stem) for path in read.paths]
    assert len(views) == case.views
    np.testing.assert_allclose(read.camera_to_world, expected.camera_to_world[views], atol=1e-6)
    across = read.fx / read.width, expected.fx[views] / expected.width[views]
    np.testing.assert_allclose(*across, rtol=1e-6)
    np.testing.assert_allclose(read.cx / read.width, expected.cx[views] / expected.width[views], rtol=1e-6)
    for view, path in enumerate(read.paths):
        image = load_picture(path, read.size(view))
        assert image.size == read.size(view)
        if not case.noted:  # a note tells of other pixels
            truth = load_picture(expected.paths[views[view]], image.size)
            np.testing.assert_allclose(read.tangents[view], expected.tangents[views[view]], rtol=1e-6)
            assert np.abs(np.asarray(image, float) - np.asarray(truth, float)).mean() < 12  # none is turned


def test_the_corpus_has_forty_kinds():
    assert len(CASES) == len({case.name for case in CASES}) >= 40
