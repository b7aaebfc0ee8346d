"""COLMAP models: which one is read where a folder has several, and which photographs belong to it."""

import shutil

import pytest
from support.capture_layouts import colmap_data

from sinenerf.photographs.colmap_model import find_model
from sinenerf.photographs.reading import read_photographs


@pytest.fixture
def splatting(scene, tmp_path):
    """The folder that Gaussian splatting's convert.py leaves: photographs as taken, and straightened ones."""
    colmap_data(scene, tmp_path)
    shutil.copytree(tmp_path / "images", tmp_path / "input")
    shutil.copytree(tmp_path / "sparse", tmp_path / "distorted/sparse/0")
    cameras = tmp_path / "distorted/sparse/0/cameras.txt"
    lens = cameras.read_text().replace("PINHOLE", "OPENCV").rstrip()
    cameras.write_text(f"{lens} 0.1 0 0 0\n")
    (tmp_path / "sparse").rename(tmp_path / "0")
    (tmp_path / "sparse").mkdir()
    (tmp_path / "0").rename(tmp_path / "sparse/0")
    return tmp_path


def test_straightened_photographs_go_before_those_as_taken(splatting):
    """The lens of `distorted` was applied to the straightened photographs."""
    read = read_photographs(splatting)
    assert read.source == splatting / "sparse/0" and read.distortion is None
    assert {path.parent.name for path in read.paths} == {"images"}


@pytest.mark.parametrize("opened", [".", "distorted/sparse/0"])
def test_a_distorted_model_is_that_of_the_photographs_as_taken(splatting, opened):
    shutil.rmtree(splatting / "sparse")
    read = read_photographs(splatting / opened)
    assert read.source == splatting / "distorted/sparse/0" and read.distortion[0, 0] == 0.1
    assert {path.parent.name for path in read.paths} == {"input"}


def test_of_models_of_equal_size_that_of_the_first_place_is_read(splatting):
    shutil.copytree(splatting / "sparse/0", splatting / "colmap/sparse/0")
    assert find_model(splatting) == splatting / "sparse/0"
