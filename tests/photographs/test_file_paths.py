"""Names of photographs below their capture, and the masks that belong to them."""

from pathlib import Path

import numpy as np
import pytest

from sinenerf.photographs.file_paths import find_masks, name_below
from sinenerf.photographs.posed_photographs import CaptureError, PosedPhotographs


def masks_of(root, photographs, masks, folder=None):
    """The mask found for each photograph, below the capture's folder; the files are empty."""
    for name in (*photographs, *(f"masks/{mask}" for mask in masks)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    paths = tuple(root / name for name in photographs)
    names = tuple(name_below(root, path) for path in paths)
    poses, numbers = np.tile(np.eye(3, 4), (len(paths), 1, 1)), [np.ones(len(paths))] * 6
    capture = PosedPhotographs(root / "transforms.json", root, "transforms", paths, names, poses, *numbers)
    found = find_masks(capture, folder).masks or [None] * len(paths)
    return [mask and mask.relative_to(root / "masks").as_posix() for mask in found]


@pytest.mark.parametrize("typed", ["capture", "{tmp}/capture"])
def test_photographs_behind_a_link_have_their_masks_however_the_capture_is_typed(typed, tmp_path, monkeypatch):
    """Of a relative path the name began with the capture's own: masks/capture/images/a.png was looked for."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "capture").mkdir()
    (tmp_path / "capture/images").symlink_to(tmp_path / "disk")
    monkeypatch.chdir(tmp_path)
    root = Path(typed.format(tmp=tmp_path))
    assert name_below(root, root / "images/a.jpg") == name_below(root, tmp_path / "capture/images/a.jpg")
    assert name_below(root, root / "images/a.jpg") == "images/a.jpg"
    assert masks_of(root, ["images/a.jpg", "images/b.jpg"], ["a.png"]) == ["a.png", None]
    assert masks_of(root, ["../disk/a.jpg", "images/../b.jpg"], ["a.png"]) == ["a.png", None]


def test_photographs_of_one_name_in_two_folders_have_the_masks_at_their_places(tmp_path):
    """masks/0.png was that of both, and masks/cam1/0.png was not looked for."""
    rig = ["cam0/0.png", "cam1/0.png", "cam1/1.png"]
    assert masks_of(tmp_path, rig, ["0.png", "1.png", "cam1/0.png"]) == [None, "cam1/0.png", "1.png"]
    assert masks_of(tmp_path, ["images/0.png", "images/0.png"], ["0.png"]) == ["0.png", "0.png"]  # in two frames


def test_the_same_holds_of_photographs_elsewhere(tmp_path):
    """masks/0.png was that of both."""
    rig = ["../x/cam0/0.png", "../x/cam1/0.png", "../x/cam1/1.png"]
    assert masks_of(tmp_path / "capture", rig, ["0.png", "1.png", "cam1/0.png"]) == [None, "cam1/0.png", "1.png"]


def test_another_photographs_place_has_none_of_the_masks_of_this_one(tmp_path):
    """The second was given the mask of the first."""
    assert masks_of(tmp_path, ["a/0.png", "images/a/0.png"], ["a/0.png"]) == ["a/0.png", None]


def test_a_folder_without_masks_is_refused_with_names_that_would_be_found(tmp_path):
    """0.png was asked for, which is there and is that of neither."""
    with pytest.raises(CaptureError, match=r"cam0/0\.jpg would have cam0/0\.png or cam0/0\.jpg\.png$"):
        masks_of(tmp_path, ["cam0/0.jpg", "cam1/0.jpg"], ["0.png"], tmp_path / "masks")
    with pytest.raises(CaptureError, match=r"images/1\.jpg would have 1\.png or 1\.jpg\.png$"):
        masks_of(tmp_path, ["images/1.jpg"], [], tmp_path / "masks")
