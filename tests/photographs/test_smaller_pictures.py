"""Photographs in another size than they have on disk: as they are read, or from `images_N`."""

import shutil

import numpy as np
import pytest
from PIL import Image
from support.capture_changes import make, resave

from sinenerf.photographs.pictures import load_picture, resized
from sinenerf.photographs.reading import read_photographs

KINDS = ("llff", "transforms", "colmap")


@pytest.fixture(params=KINDS)
def capture(request, scene, tmp_path):
    """Nine photographs of 48 x 36 pixels."""
    make(request.param, scene, tmp_path / "capture")
    return tmp_path / "capture"


def shrunk_copies(capture, factor, suffix=".png", count=9):
    """images_N as another program leaves it."""
    folder = capture / f"images_{factor}"
    shutil.copytree(capture / "images", folder)
    for number, path in enumerate(sorted(folder.iterdir())):
        if number < count:
            resave(path, lambda image: image.resize((48 // factor, 36 // factor)), suffix)
        else:
            path.unlink()
    return folder


@pytest.mark.parametrize(
    ("widest", "size"), [(47, (47, 35)), (40, (40, 30)), (23, (23, 17)), (48, (48, 36)), (99, (48, 36))]
)
def test_photographs_are_as_wide_as_is_asked_and_nothing_is_written(capture, widest, size):
    before = sorted(capture.rglob("*"))
    whole, read = read_photographs(capture), read_photographs(capture, widest=widest)
    assert sorted(capture.rglob("*")) == before
    assert {read.size(view) for view in range(9)} == {size} and read.paths == whole.paths
    np.testing.assert_allclose(read.fx, whole.fx * size[0] / 48)
    np.testing.assert_allclose(read.cy, whole.cy * size[1] / 36)
    assert load_picture(read.paths[0], read.size(0)).size == size
    assert any(f"are shrunk to {size[0]}x{size[1]}" in note for note in read.notes) == (widest < 48)


@pytest.mark.parametrize(
    ("widest", "folder", "size"), [(25, "images_2", (24, 18)), (20, "images_2", (20, 15)), (47, "images", (47, 35))]
)
def test_existing_copies_are_used_if_they_suit(capture, widest, folder, size):
    shrunk_copies(capture, 2)
    shrunk_copies(capture, 4)
    read = read_photographs(capture, widest=widest)
    assert read.size(4) == size and {path.parent.name for path in read.paths} == {folder}


@pytest.mark.parametrize("kind", ["transforms", "colmap"])
def test_copies_that_lack_some_are_neither_used_nor_completed(kind, scene, tmp_path):
    make(kind, scene, tmp_path / "capture")
    folder = shrunk_copies(tmp_path / "capture", 2, count=5)
    read = read_photographs(tmp_path / "capture", widest=24)
    assert read.size(4) == (24, 18) and {path.parent.name for path in read.paths} == {"images"}
    assert len(list(folder.iterdir())) == 5


def test_copies_have_the_names_of_their_photographs(scene, tmp_path):
    """As ns-process-data and the scenes of mip-NeRF 360 have them: images_2/a.jpg of images/a.jpg."""
    make("colmap", scene, tmp_path / "capture")
    model = tmp_path / "capture" / "sparse" / "images.txt"
    model.write_text(model.read_text().replace(".png", ".jpg"))
    for path in sorted((tmp_path / "capture" / "images").iterdir()):
        resave(path, lambda image: image.convert("RGB"), ".jpg")
    folder = shrunk_copies(tmp_path / "capture", 2, ".jpg")
    before = sorted(folder.iterdir())
    assert list(read_photographs(tmp_path / "capture", factor=2).paths) == before == sorted(folder.iterdir())


def test_pictures_are_not_shifted_by_shrinking():
    """A ramp of brightness stays one, whatever the ratio of the sizes."""
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 200), (10, 1)).round().astype(np.uint8))
    for width in (100, 101, 133, 199):
        columns = np.asarray(resized(ramp, (width, 10)), float)[5]
        expected = ((np.arange(width) + 0.5) * 200 / width - 0.5) * 255 / 199
        assert np.abs(columns - expected)[2:-2].max() < 1.1
