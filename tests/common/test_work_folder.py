"""The hidden folder of a long command: what it keeps, and that two commands never work in it at once."""

import shutil
import subprocess
import sys

import pytest
from support.commands import ENVIRONMENT

from sinenerf.common.work_folder import WorkFolder


def test_what_was_kept_is_found_again(tmp_path):
    work = WorkFolder(tmp_path / "scene", "work", {"seed": 0})
    with work.claimed() as others:
        assert work.folder == tmp_path / ".scene.work" and not others
        work.write("sizes", {"name": "ä", "size": [1, 2]})
    again = WorkFolder(tmp_path / "scene", "work", {"seed": 0})
    with again.claimed() as others:
        assert again.read("sizes") == {"name": "ä", "size": [1, 2]} and not others
        (again.folder / "sizes.json").write_text("{")
        assert again.read("sizes") is None
        again.discard()
        again.discard()
    assert list(tmp_path.iterdir()) == []


def test_results_of_other_settings_are_discarded(tmp_path):
    with WorkFolder(tmp_path / "scene", "work", {"seed": 0}).claimed() as others:
        (tmp_path / ".scene.work" / "part").mkdir()
        (tmp_path / ".scene.work" / "part" / "result").touch()
        assert not others
    with WorkFolder(tmp_path / "scene", "work", {"seed": (1, 2)}).claimed() as others:
        assert others and not (tmp_path / ".scene.work" / "part").exists()
        assert WorkFolder(tmp_path / "scene", "work", {"seed": [1, 2]}).resumes()


def test_what_a_kill_leaves_of_a_discarded_folder_is_not_used(tmp_path, monkeypatch):
    """The next run went on with what had not been removed yet."""

    def end(folder, **options):
        raise KeyboardInterrupt

    work = WorkFolder(tmp_path / "scene", "work", {})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), work.claimed():
        work.write("sizes", [1])
        patch.setattr(shutil, "rmtree", end)
        work.discard()
    with work.claimed() as others:
        assert not others and work.read("sizes") is None


def test_a_folder_without_results_is_removed(tmp_path):
    with pytest.raises(ValueError, match="useless"), WorkFolder(tmp_path / "scene", "work", {}).claimed():
        (tmp_path / ".scene.work" / "part").mkdir()
        raise ValueError("useless")
    assert list(tmp_path.iterdir()) == []


def test_a_second_command_is_refused_and_harms_nothing(tmp_path):
    with WorkFolder(tmp_path / "scene", "work", {"seed": 0}).claimed():
        (tmp_path / ".scene.work" / "part").touch()
        for seed in (0, 1):
            message = "^[^\n]*scene: another command is making it now. Wait[^\n]*$"
            with pytest.raises(BlockingIOError, match=message), WorkFolder(tmp_path / "scene", "work", seed).claimed():
                pass
    with WorkFolder(tmp_path / "scene", "work", {"seed": 0}).claimed():
        assert (tmp_path / ".scene.work" / "part").is_file()


def test_another_process_holds_the_folder_until_it_is_killed(tmp_path):
    code = "import sys; from pathlib import Path; from sinenerf.common.work_folder import WorkFolder\n"
    code += "with WorkFolder(Path(sys.argv[1]), 'work', {}).claimed(): print('in', flush=True); sys.stdin.read()"
    work = WorkFolder(tmp_path / "scene", "work", {})
    command = [sys.executable, "-c", code, work.output]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) as process:
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(BlockingIOError), work.claimed():
            pass
        process.kill()
    with work.claimed():
        work.discard()
