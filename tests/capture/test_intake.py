"""What the input may be: films, folders that are no capture, the same picture again, and enormous files."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image, ImageFilter
from support.capture_refusals import refused

from sinenerf.capture.intake import take_in
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.pipeline import capture
from sinenerf.capture.stages import Stages
from sinenerf.capture.workspace import Workspace
from sinenerf.common.films import write_film


@pytest.fixture(scope="module")
def pictures(orbit):
    found = []
    for path in sorted((orbit / "images").iterdir()):
        with Image.open(path) as image:
            found.append(image.convert("RGB"))
    return found


@pytest.fixture(scope="module")
def film(pictures, tmp_path_factory):
    """Each photograph between two blurred ones."""
    path = tmp_path_factory.mktemp("films") / "around the table.mp4"
    shown = []
    for picture in pictures:
        blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(3)))
        shown += [blurred, np.asarray(picture), blurred]
    write_film(path, shown, 12)
    return path


@pytest.mark.slow
def test_the_sharpest_picture_of_each_stretch_of_a_film_is_placed(film, tmp_path):
    report = capture(film, tmp_path / "scene", CaptureOptions(frames=12, features=2500, matching="sequential"))
    assert report.matching == "sequential"
    times = [f"around the table.mp4 at {(3 * number + 1) / 12:.2f} s" for number in range(12)]
    assert list(report.placed.values()) == times
    assert next(iter(report.placed)) == "frame_0000.jpg"


def test_a_film_of_one_picture_again_and_again(pictures, tmp_path):
    path = tmp_path / "still.mp4"
    write_film(path, [np.asarray(pictures[0])] * 9, 12)
    message = "the 9 pictures of the film show the same picture 9 times over: move the camera"
    assert refused(path, tmp_path).startswith(message)


def test_a_film_of_darkness(tmp_path):
    path = tmp_path / "night.mp4"
    frames = [np.full((96, 128, 3), 2, np.uint8) for _ in range(12)]
    write_film(path, frames, 12)
    assert refused(path, tmp_path).startswith("too dark (mean brightness 2 of 255)")


def test_a_film_of_two_pictures(pictures, tmp_path):
    path = tmp_path / "short.mp4"
    write_film(path, [np.asarray(pictures[0]), np.asarray(pictures[1])], 12)
    assert refused(path, tmp_path).startswith("2 pictures in this film. Take 20 or more of one scene")


def test_a_film_of_few_pictures(pictures, tmp_path):
    """Even if they fit together: only their number was asked for otherwise."""
    path = tmp_path / "short.mp4"
    write_film(path, [np.asarray(picture) for picture in pictures[:3]], 12)
    assert refused(path, tmp_path) == "only 3 different pictures in this film. Walk sideways for 10 seconds"


def test_a_file_that_is_no_film(tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"not a film" * 100)
    assert refused(path, tmp_path).startswith("cannot be read as a film")


def test_the_same_photograph_under_several_names(orbit, tmp_path):
    source = tmp_path / "copies"
    source.mkdir()
    for number in range(4):
        shutil.copy(orbit / "images/view_000.jpg", source / f"{number}.jpg")
    message = "the 4 photographs show the same picture 4 times over: move the camera sideways"
    assert refused(source, tmp_path).startswith(message)


def test_fewer_than_three_photographs(orbit, tmp_path):
    source = tmp_path / "two"
    source.mkdir()
    for number in range(2):
        shutil.copy(orbit / f"images/view_00{number}.jpg", source)
    assert refused(source, tmp_path).startswith("2 photographs (.heic")
    assert "Take 20 or more of one scene, each from another place; 3 are the least" in refused(source, tmp_path)


def test_a_folder_of_damaged_files_names_the_first(orbit, tmp_path):
    source = tmp_path / "damaged"
    shutil.copytree(orbit / "images", source)
    for path in source.iterdir():
        path.write_bytes(path.read_bytes()[:700])
    message = refused(source, tmp_path)
    assert message.startswith("12 of 12 photographs cannot be used, the first is view_000.jpg (damaged")


def test_stitched_panoramas_are_left_out(pictures, tmp_path):
    source = tmp_path / "stitched"
    source.mkdir()
    for number in range(3):
        pictures[number].resize((520, 200)).save(source / f"{number}.jpg")
    message = refused(source, tmp_path)
    assert message.startswith("3 of 3 photographs cannot be used, the first is 0.jpg (stitched: it has no single place")
    (source / "0.jpg").unlink()
    (source / "1.jpg").unlink()
    assert refused(source, tmp_path).startswith("1 photograph (.heic")


def test_enormous_pictures_are_left_out_unread(orbit, tmp_path):
    source = tmp_path / "enormous"
    source.mkdir()
    for number in range(3):
        shutil.copy(orbit / f"images/view_00{number}.jpg", source)
    Image.new("1", (20_000, 20_000)).save(source / "poster.png")
    (source / "view_000.jpg").unlink()
    assert "poster.png (400 megapixels, at most 300 are read: make it smaller)" in refused(source, tmp_path)


def taken_in(source, workspace):
    """Where the photographs come from that the first stage finds."""
    intake = take_in(source, CaptureOptions(), workspace, Stages(workspace, False))
    return [photograph.source for photograph in intake.photographs]


def test_every_name_of_a_file_is_noted(orbit, tmp_path):
    """One of Latin-1, as in an old archive, ended the capture; one with a line separator was read as two lines."""
    names = [os.fsdecode(b"caf\xe9.jpg"), "line\u2028separator.jpg", "zweite.jpg"]
    (tmp_path / "photographs").mkdir()
    for number, name in enumerate(names):
        shutil.copy(orbit / f"images/view_00{number}.jpg", tmp_path / "photographs" / name)
    workspace = Workspace(tmp_path / "scene", {})
    with workspace.claimed():
        assert taken_in(tmp_path / "photographs", workspace) == names


def test_a_note_that_a_power_cut_has_cut_off_loses_no_other(orbit, tmp_path):
    """The next note was written to the end of the same line, and neither counted."""
    source, workspace = orbit / "images", Workspace(tmp_path / "scene", {})
    with workspace.claimed():
        before = taken_in(source, workspace)
        notes = workspace.folder / "photographs.jsonl"
        for _ in range(2):
            notes.write_bytes(notes.read_bytes()[:-20])
            (workspace.folder / "intake.json").unlink()
            assert taken_in(source, workspace) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "no such file or folder. Give a folder of photographs or a film"),
        ("notes.txt", "is not a film"),
        ("one.jpg", "is one photograph. Give the folder of all of them"),
    ],
)
def test_other_paths_are_refused(name, message, tmp_path):
    from sinenerf.capture.intake import describe_input
    from sinenerf.capture.options import CaptureError

    if name != "absent":
        (tmp_path / name).write_text("")
    with pytest.raises(CaptureError, match=message):
        describe_input(tmp_path / name)
