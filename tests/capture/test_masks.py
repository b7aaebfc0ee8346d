"""Masks of photographs: where they are looked for, by which names, and of what size."""

import shutil

import numpy as np
import pytest
from PIL import Image

from sinenerf.capture.intake import describe_input
from sinenerf.capture.masks import find_masks, read_mask
from sinenerf.capture.options import CaptureError
from sinenerf.capture.photograph_files import UnreadableError, find_photographs
from sinenerf.common import picture_files


@pytest.fixture
def source(tmp_path):
    """A folder of three photographs."""
    for name in ("a.jpg", "day/b.JPG", "c.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20)).save(path)
    return tmp_path / "images"


def save_mask(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (30, 20)).save(path)
    return path.resolve()


def found(source):
    masks = find_masks(source, find_photographs(source))
    return {path.relative_to(source).as_posix(): mask for path, mask in masks.items()}


@pytest.mark.parametrize(
    ("mask", "photograph"),
    [
        ("images/masks/a.png", "a.jpg"),
        ("masks/a.jpg.png", "a.jpg"),
        ("Masks/a.PNG", "a.jpg"),
        ("masks/A.jpg", "a.jpg"),
        ("masks/day/b.png", "day/b.JPG"),
        ("images/MASKS/Day/B.jpg.png", "day/b.JPG"),
    ],
)
def test_masks_are_found_in_the_input_or_beside_it_in_any_case(source, tmp_path, mask, photograph):
    path = save_mask(tmp_path / mask)
    assert found(source) == {photograph: path}


def test_masks_beside_the_current_folder_are_found(source, tmp_path, monkeypatch):
    """`sinenerf capture .`: its parent was taken to be itself."""
    path = save_mask(tmp_path / "masks/a.png")
    monkeypatch.chdir(source)
    assert found(source.relative_to(source)) == {"a.jpg": path}


def test_a_mask_in_the_input_goes_before_one_beside_it_and_the_same_case_before_another(source, tmp_path):
    save_mask(tmp_path / "masks/a.png")
    inside = save_mask(source / "masks/a.png")
    save_mask(source / "masks/C.png")
    same = save_mask(source / "masks/c.png")
    assert found(source) == {"a.jpg": inside, "c.png": same}


def test_masks_of_other_photographs_beside_the_input_are_no_error(source, tmp_path):
    save_mask(tmp_path / "masks/carnival.png")
    assert not found(source)


def test_masks_of_no_photograph_are_refused(source):
    save_mask(source / "masks/a_mask.png")
    message = "no photograph has the name of a mask, such as .*masks/a_mask.png. For a.jpg it is masks/a.png"
    with pytest.raises(CaptureError, match=message):
        describe_input(source)


def test_a_mask_that_is_added_or_corrected_is_another_input(source):
    """The report of the scene without it was returned."""
    before = describe_input(source)
    save_mask(source / "masks/a.png")
    added = describe_input(source)
    Image.new("L", (60, 40)).save(source / "masks/a.png")
    assert before != added != describe_input(source)
    shutil.rmtree(source / "masks")
    assert describe_input(source) == before


def test_a_mask_may_be_as_large_as_a_photograph(source, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow refuses what has twice as many
    path, picture = save_mask(source / "masks/a.png"), Image.new("RGB", (30, 20))
    mask = read_mask(picture, path, source / "a.jpg")
    assert mask is not None and not np.asarray(mask).any()
    monkeypatch.setattr(picture_files, "LARGEST", 500)
    with pytest.raises(UnreadableError, match=r"its mask a\.png has 0 megapixels, at most 0 are read"):
        read_mask(picture, path, source / "a.jpg")
