"""The hidden folder of a capture: a full disk, a kill, changed photographs, and places where nothing can be written."""

import errno
import shutil
import sys
from pathlib import Path

import pytest
from support.kill_loop import stop_when

from sinenerf.capture import pipeline, workspace
from sinenerf.capture.intake import describe_input
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.pipeline import capture
from sinenerf.capture.report import CaptureReport
from sinenerf.capture.workspace import Workspace, one_line_when_full

OPTIONS = CaptureOptions(features=2000)


@pytest.fixture
def photographs(orbit, tmp_path):
    return shutil.copytree(orbit / "images", tmp_path / "photographs")


def test_too_little_space_is_said_before_anything_is_written(photographs, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000_000)
    monkeypatch.setattr(workspace.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        OSError, match=r"scene: its disk has 10\.00 MB free, and about 60\.00 MB are needed\. Free some space"
    ):
        capture(photographs, tmp_path / "scene", OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs"]


def test_space_is_asked_for_where_the_work_is_done(tmp_path, monkeypatch):
    """Of a mounted disk only its own space was asked, but all work goes to the folder beside it."""
    work = Workspace(tmp_path / "scene", {})
    free = {work.scene: 10**12, work.folder: 10_000_000}
    monkeypatch.setattr("sinenerf.common.files.free_space", free.get)
    with pytest.raises(OSError, match=r"\.scene\.capture: its disk has 10\.00 MB free"):
        work.check_space(12)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space"), RuntimeError("SQLite: database or disk is full")])
def test_a_disk_that_fills_up_is_one_line_and_keeps_what_is_finished(error, photographs, tmp_path, monkeypatch):
    def fill(*arguments):
        raise error

    monkeypatch.setattr(pipeline, "extract", fill)
    with pytest.raises(
        OSError, match=r"no space left on the disk\. What is finished is kept in \.scene\.capture"
    ) as said:
        capture(photographs, tmp_path / "scene", OPTIONS)
    assert "\n" not in str(said.value)
    assert len(list((tmp_path / ".scene.capture" / "images").iterdir())) == 12
    assert not (tmp_path / "scene").exists()


def test_other_errors_pass_unchanged(tmp_path):
    with pytest.raises(RuntimeError, match="something else"), one_line_when_full(tmp_path):
        raise RuntimeError("something else")


def test_a_missing_folder_is_named_with_its_remedy(photographs, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        capture(photographs, tmp_path / "none" / "scene", OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs"]


def test_a_scene_is_moved_into_an_empty_folder(tmp_path, monkeypatch):
    """`mkdir scene; cd scene; sinenerf capture ../photographs --output .` failed after all its work."""
    (tmp_path / "scene").mkdir()
    monkeypatch.chdir(tmp_path / "scene")
    work = Workspace(Path("."), {})
    with work.claimed():
        (work.empty_result() / "capture.json").touch()
        work.publish()
    assert [path.name for path in tmp_path.rglob("*")] == ["scene", "capture.json"]


@pytest.fixture
def complete(photographs, tmp_path):
    """The work folder of a scene that is about to be published."""
    settings = {**describe_input(photographs), **OPTIONS.result_settings(film=False)}
    work = Workspace(tmp_path / "scene", settings)
    with work.claimed():
        work.write("intake", [])
        (work.empty_result() / "images").mkdir()
        report = CaptureReport(work.scene, {}, [], 1, 1, 0.5, 10.0, "exhaustive", settings=work.settings)
        report.write(work.result)
    return work


def check_the_same_call_completes(work, photographs):
    assert capture(photographs, work.scene, OPTIONS).settings == work.settings
    assert sorted(path.name for path in work.scene.iterdir()) == ["capture.json", "images"]
    assert not work.folder.exists()


def test_a_scene_moved_in_part_is_moved_wholly_by_the_same_call(complete, photographs, monkeypatch):
    """It was refused: the folder, with a part of the scene, already existed."""
    complete.scene.mkdir()

    def move_in_part(folder, target, last):
        (folder / "images").rename(target / "images")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(workspace, "move_folder", move_in_part)
        complete.publish()
    assert [path.name for path in complete.scene.iterdir()] == ["images"]
    check_the_same_call_completes(complete, photographs)


@pytest.mark.parametrize("place", ["absent", "empty"])
def test_a_scene_is_complete_though_its_work_folder_was_not_removed(place, complete, photographs, monkeypatch):
    """The same call ended for ever in "No such file or directory", of the folder that had been moved."""
    if place == "empty":
        complete.scene.mkdir()

    def end(work):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Workspace, "discard", end)
        complete.publish()
    assert complete.folder.exists()
    check_the_same_call_completes(complete, photographs)


def test_an_empty_folder_that_takes_no_file_is_found_before_any_work(tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sinenerf.common.files.TemporaryFile", refuse)
    with pytest.raises(PermissionError, match="no file can be created in"):
        Workspace(tmp_path, {})


def test_results_of_other_photographs_are_discarded(tmp_path):
    first, same, other = (Workspace(tmp_path / "scene", {"files": [name]}) for name in "aab")
    with first.claimed():
        first.write("intake", [1])
    with same.claimed():
        assert same.read("intake") == [1]
    with other.claimed():
        assert other.read("intake") is None and other.images.is_dir()


def test_a_half_written_result_counts_as_none(tmp_path):
    work = Workspace(tmp_path / "scene", {})
    work.folder.mkdir()
    (work.folder / "intake.json").write_text('{"photographs": [')
    assert work.read("intake") is None


@pytest.mark.slow
def test_a_killed_command_goes_on_where_it_was(photographs, tmp_path):
    """kill -9 in the middle of matching: features are not sought again, and nothing else is left."""
    scene = tmp_path / "scene"
    command = [sys.executable, "-m", "sinenerf", "capture", photographs, "--output", scene, "--features", 2000]
    killed = stop_when((tmp_path / ".scene.capture" / "pairs.txt").exists, command)
    assert killed.returncode == -9 and not scene.exists()
    database = (tmp_path / ".scene.capture" / "database.db").stat()
    report = capture(photographs, scene, OPTIONS)
    assert database.st_size > 1_000_000
    assert len(report.placed) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs", "scene"]
