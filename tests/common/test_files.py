"""What a written file takes the place of, and what it does not."""

import errno
import os
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from sinenerf.common import files
from sinenerf.common.files import SMALLEST_SPACE, DiskFull, check_folder, check_space, move_folder, replacing


def write(path, text="new"):
    with replacing(path) as partial:
        partial.write_text(text)


def test_a_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target.bin", tmp_path / "link.sine"
    link.symlink_to(target)
    with replacing(link) as partial:
        assert partial.parent == target.parent and partial.suffix == link.suffix
        partial.write_text("first")
    assert link.is_symlink() and target.read_text() == "first"
    write(link)
    assert link.is_symlink() and target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target] and sorted(tmp_path.iterdir()) == [link, target.parent]
    link.unlink()
    link.symlink_to(tmp_path / "nowhere" / "target.bin")
    with pytest.raises(FileNotFoundError, match=r"link.sine: the folder .*nowhere does not exist"):
        check_folder(link)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are Unix's")
def test_what_is_no_regular_file_stays(tmp_path):
    pipe, link = tmp_path / "pipe.sine", tmp_path / "link.sine"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(FileExistsError, match=f"{path.name}: is a device or a pipe"):
            check_folder(path)
        with pytest.raises(FileExistsError):
            write(path)
    assert pipe.is_fifo() and link.is_symlink()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        check_folder(tmp_path)


def test_a_folder_that_takes_no_file_is_found_before_any_work(tmp_path, monkeypatch):
    def temporary_file(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr("sinenerf.common.files.TemporaryFile", temporary_file)
    said = f"{tmp_path}/x.sine: no file can be created in {tmp_path} .Permission denied.. Give another folder"
    with pytest.raises(PermissionError, match=said):
        check_folder(tmp_path / "x.sine")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_permissions_are_those_of_the_file_that_is_replaced(tmp_path):
    private, new = tmp_path / "private", tmp_path / "new"
    private.touch()
    private.chmod(0o600)
    before = os.umask(0o027)
    try:
        write(private)
        write(new)
    finally:
        os.umask(before)
    assert private.read_text() == "new"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (private, new)] == [0o600, 0o640]


def test_what_fails_changes_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), replacing(path) as partial:
        partial.write_text("half")
        raise OSError("the disk is full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.fixture
def full_disk(monkeypatch):
    """A disk on which nothing is free; what is written to it fails as on a real one where the test says so."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))


def test_a_full_disk_is_met_before_the_work(tmp_path, full_disk):
    with pytest.raises(DiskFull, match=r"x.sine: its disk has 0 bytes free, and about 4.19 MB are needed. Free some"):
        check_folder(tmp_path / "x.sine")


def test_the_space_is_that_of_the_nearest_folder_that_exists(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    check_space(tmp_path / "runs" / "new", min(free, SMALLEST_SPACE))
    with pytest.raises(DiskFull, match="runs/new: its disk has "):
        check_space(tmp_path / "runs" / "new", 2 * free + SMALLEST_SPACE)


def test_a_small_file_is_written_on_a_disk_that_is_nearly_full(tmp_path, full_disk):
    write(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == "new"


def disk_is_full(partial):
    partial.write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def torch_on_a_full_disk(partial):
    torch.save({"x": torch.zeros(9)}, "/dev/full")


@pytest.mark.parametrize("writes", [disk_is_full, torch_on_a_full_disk])
def test_a_disk_that_fills_while_writing_is_named(writes, tmp_path, full_disk):
    target = tmp_path / "x.sine"
    target.write_text("old")
    message = r"^[^\n]*x.sine: the disk is full \(0 bytes free\). Free some[^\n]*$"
    with pytest.raises(DiskFull, match=message), replacing(target) as partial:
        writes(partial)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_other_errors_of_writing_stay_as_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="diverged"), replacing(tmp_path / "x.sine"):
        raise RuntimeError("diverged")


@pytest.mark.parametrize("place", ["absent", "empty", "current", "link"])
def test_a_complete_folder_is_moved_to_its_place(place, tmp_path, monkeypatch):
    """The current folder and a link cannot be replaced: the command failed after all its work."""
    made, target = tmp_path / "made", tmp_path / "target"
    (made / "images").mkdir(parents=True)
    (made / "report.json").touch()
    if place != "absent":
        target.mkdir()
    if place == "current":
        monkeypatch.chdir(target)
    (tmp_path / "link").symlink_to(target)
    move_folder(made, {"current": Path("."), "link": tmp_path / "link"}.get(place, target), "report.json")
    assert sorted(path.name for path in target.iterdir()) == ["images", "report.json"] and not made.exists()


def test_the_file_by_which_a_folder_is_known_is_moved_last(tmp_path, monkeypatch):
    made, target, moved = tmp_path / "made", tmp_path / "target", []
    for folder in (made, target):
        folder.mkdir()
    for name in ("a", "report.json", "z"):
        (made / name).touch()
    monkeypatch.setattr(files, "_rename_or_copy", lambda path, place: moved.append(path.name))
    move_folder(made, target, "report.json")
    assert len(moved) == 3 and moved[-1] == "report.json"


@pytest.fixture
def other_disk(tmp_path, monkeypatch):
    """A complete folder, and an empty one on what looks like another disk."""
    made, target, replace = tmp_path / "made", tmp_path / "target", os.replace
    target.mkdir()
    for name in ("a/1", "a/2", "b/1", "report.json"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)

    def rename(path, place):
        if made in path.parents:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(path, place)

    monkeypatch.setattr(os, "replace", rename)
    return made, target


def move_until(ends, made, target, monkeypatch):
    """A move that is ended in the middle of copying, or of removing, what has the name `ends`."""
    copytree, copy2, rmtree = shutil.copytree, shutil.copy2, shutil.rmtree

    def copy_folder(path, place):
        copytree(path, place, ignore=lambda folder, names: names[1:] if path.name == ends else [])
        end_at(path)

    def copy_file(path, place):
        copy2(path, place)
        if path.name == ends:
            place.write_text("half")
        end_at(path)

    def remove(path, **options):
        if path.name == ends:
            (path / "a" / "1").unlink()
            end_at(path)
        rmtree(path, **options)

    def end_at(path):
        if path.name == ends:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "copytree", copy_folder)
        patch.setattr(shutil, "copy2", copy_file)
        patch.setattr(shutil, "rmtree", remove)
        move_folder(made, target, "report.json")


def check_moved(made, target):
    """All is in the target, whole, and nothing else."""
    found = {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {name: name for name in ("a/1", "a/2", "b/1", "report.json")} and not made.exists()


@pytest.mark.parametrize("ends", ["a", "b", "report.json", "made"])
def test_a_move_to_another_disk_goes_on_after_an_interruption(ends, other_disk, monkeypatch):
    """What had been copied in part was in the way of the same command."""
    made, target = other_disk
    move_until(ends, made, target, monkeypatch)
    assert not (target / ends).exists()
    move_folder(made, target, "report.json")
    check_moved(made, target)


def test_what_is_cleared_away_of_half_a_folder_is_moved_again(other_disk, monkeypatch):
    """Each original was removed when it had been copied, so that the folder was completed without it."""
    made, target = other_disk
    move_until("report.json", made, target, monkeypatch)
    shutil.rmtree(target)
    target.mkdir()
    move_folder(made, target, "report.json")
    check_moved(made, target)


def test_a_folder_that_is_being_removed_is_not_taken_for_complete(other_disk, monkeypatch):
    made, target = other_disk
    move_until("made", made, target, monkeypatch)
    assert (target / "report.json").is_file() and not (made / "report.json").exists()
