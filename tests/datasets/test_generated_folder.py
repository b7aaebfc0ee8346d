"""The folder of a generated scene: what ends in between, and what is there already."""

import pytest

from sinenerf.common.work_folder import WorkFolder
from sinenerf.datasets import generated_folder
from sinenerf.datasets.generated_folder import generate

SETTINGS = {"generator": "test 1", "seed": 0}


def write(work, scene):
    (scene / "a").write_text("a")


def end(*arguments):
    raise KeyboardInterrupt


def check_generated(target, writes=write):
    assert generate(target, SETTINGS, ["a"], writes) == target
    assert sorted(path.name for path in target.iterdir()) == ["a", "scene.json"]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_folders_above_are_made(tmp_path):
    check_generated(tmp_path / "data" / "scene")


@pytest.mark.parametrize("place", ["absent", "empty"])
@pytest.mark.parametrize("ends", ["move_folder", "discard"])
def test_a_call_that_was_ended_at_its_end_goes_on(place, ends, tmp_path, monkeypatch):
    """Nothing is written twice: a scene takes minutes."""
    target = tmp_path / "scene"
    if place == "empty":
        target.mkdir()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(generated_folder if ends == "move_folder" else WorkFolder, ends, end)
        generate(target, SETTINGS, ["a"], write)
    check_generated(target, end)


def test_a_scene_moved_in_part_is_moved_wholly(tmp_path, monkeypatch):
    """It was refused: the folder, with a part of the scene, already existed."""
    target = tmp_path / "scene"
    target.mkdir()

    def move_in_part(folder, target, last):
        (folder / "a").rename(target / "a")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(generated_folder, "move_folder", move_in_part)
        generate(target, SETTINGS, ["a"], write)
    with pytest.raises(ValueError, match="already exists with other content"):
        generate(target, SETTINGS | {"seed": 1}, ["a"], write)
    check_generated(target, end)


def test_what_another_seed_has_begun_is_not_used(tmp_path):
    def begin(work, scene):
        (scene / "other").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "scene", SETTINGS | {"seed": 1}, ["a"], begin)
    check_generated(tmp_path / "scene")
