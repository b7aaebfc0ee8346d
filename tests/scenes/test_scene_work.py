"""The folder where the steps of a scene keep their results."""

import os

import pytest
from support.capture_layouts import nerfstudio_data

from sinenerf.scenes.scene_work import SceneWork

SETTINGS = {"seed": 0, "capture_size": 1600}


@pytest.fixture
def source(tmp_path):
    (tmp_path / "photographs").mkdir()
    for name in ("a.jpg", "c.jpg", "d.jpg"):
        (tmp_path / "photographs" / name).write_bytes(b"a")
    return tmp_path / "photographs"


def make(work):
    for path in work.finished:
        path.write_text(path.name)


def test_outputs_appear_together_and_the_folder_is_removed(source, tmp_path):
    outputs = tmp_path / "scene.sine", tmp_path / "scene.mp4"
    work = SceneWork(source, outputs, SETTINGS)
    with work.claimed():
        make(work)
        assert not any(path.exists() for path in outputs)
        work.publish()
    assert [path.read_text() for path in outputs] == ["scene.sine", "scene.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs", "scene.mp4", "scene.sine"]


def test_a_later_call_goes_on_only_with_the_same_input_and_settings(source, tmp_path, capsys):
    outputs = (tmp_path / "scene.sine",)

    def found(seed):
        work = SceneWork(source, outputs, SETTINGS | {"seed": seed})
        with work.claimed():
            kept = work.read("scores")
            work.write("scores", [1])
        return kept

    assert found(0) is None and found(0) == [1] and not capsys.readouterr().err
    assert found(1) is None
    assert "it was of other input or other settings" in capsys.readouterr().err
    assert found(1) == [1]
    (source / "b.jpg").write_bytes(b"b")
    assert found(1) is None


def test_masks_count_wherever_a_capture_finds_them(source, tmp_path):
    """Masks beside the photographs were noticed by the capture alone, which refused its own earlier scene."""
    settings = lambda: SceneWork(source, (tmp_path / "a.sine",), SETTINGS).settings  # noqa: E731
    before = settings()
    (source / ".cache").mkdir()
    (source / ".cache" / "index").touch()
    assert settings() == before
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "a.png").touch()
    assert settings() != before


def test_photographs_count_wherever_the_capture_names_them(scene, tmp_path):
    """Of a transforms.json only the file itself counted: a training went on with other photographs."""
    nerfstudio_data(scene, tmp_path)
    settings = lambda: SceneWork(tmp_path / "transforms.json", (tmp_path / "a.sine",), SETTINGS).settings  # noqa: E731
    before = settings()
    assert settings() == before
    os.utime(next((tmp_path / "images").iterdir()), (0, 0))
    assert settings() != before


def test_cameras_stay_when_only_the_settings_of_the_training_change(source, tmp_path):
    def kept(**changes):
        """What there is of the call before, of which this one leaves the same."""
        work = SceneWork(source, (tmp_path / "scene.sine",), SETTINGS | changes)
        with work.claimed():
            names = {path.name for path in work.folder.iterdir()} & {"capture", "checkpoint.pt"}
            for path in (work.capture / "transforms.json", work.folder / "checkpoint.pt"):
                path.parent.mkdir(exist_ok=True)
                path.touch()
        return names

    assert kept() == set() and kept() == {"capture", "checkpoint.pt"}
    assert kept(seed=1) == {"capture"}
    assert kept(capture_size=4800) == set()
    (source / "b.jpg").write_bytes(b"b")
    assert kept(capture_size=4800) == set()


def end(*arguments, **options):
    raise KeyboardInterrupt


def test_a_call_killed_while_it_publishes_goes_on(source, tmp_path, monkeypatch):
    """Its own film was refused on disks with coarse times, and once a film of other frames had been made."""
    outputs = tmp_path / "scene.sine", tmp_path / "scene.mp4"
    work = SceneWork(source, outputs, SETTINGS)
    with monkeypatch.context() as patched, work.claimed(), pytest.raises(KeyboardInterrupt):
        make(work)
        patched.setattr(SceneWork, "discard", end)
        work.publish()
    (tmp_path / "scene.sine").unlink()  # only the film was written
    os.utime(tmp_path / "scene.mp4", (0, 0))  # to a disk that keeps no such fine times
    with SceneWork(source, outputs, SETTINGS).claimed():
        work.finished[1].write_text("other frames")
    again = SceneWork(source, outputs, SETTINGS)
    with again.claimed():
        again.publish()
    assert [path.read_text() for path in outputs] == ["scene.sine", "other frames"] and not again.folder.exists()


def test_what_a_kill_leaves_of_a_discarded_folder_is_removed(source, tmp_path, monkeypatch, capsys):
    """It stayed beside the outputs for ever; without them, it was said to be of other settings."""
    outputs = (tmp_path / "scene.sine",)

    def publish(work):
        with work.claimed():
            make(work)
            work.publish()

    def kill_while_discarding():
        work = SceneWork(source, outputs, SETTINGS)
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("sinenerf.common.work_folder.shutil.rmtree", end)
            publish(work)
        assert work.folder.exists() and outputs[0].exists()
        return work.folder

    folder = kill_while_discarding()
    with pytest.raises(FileExistsError, match="already exists and is not overwritten"):
        SceneWork(source, outputs, SETTINGS)
    assert not folder.exists()
    outputs[0].unlink()
    kill_while_discarding()
    outputs[0].unlink()
    publish(SceneWork(source, outputs, SETTINGS))
    assert not capsys.readouterr().err


def test_a_file_that_appears_while_others_are_made_is_not_overwritten(source, tmp_path):
    """Two commands with the same film: the second replaced the first one's."""
    outputs = tmp_path / "scene.sine", tmp_path / "holiday.mp4"
    work = SceneWork(source, outputs, SETTINGS)
    with work.claimed():
        make(work)
        outputs[1].write_text("mine")
        with pytest.raises(FileExistsError, match=r"holiday\.mp4: already exists and is not overwritten"):
            work.publish()
    assert outputs[1].read_text() == "mine" and not outputs[0].exists()
    outputs[1].unlink()
    with SceneWork(source, outputs, SETTINGS).claimed():
        work.publish()
    assert outputs[1].read_text() == "holiday.mp4"


def test_an_end_while_publishing_frees_no_other_name(source, tmp_path):
    """A note that publishing had begun let the next command overwrite any file."""
    (tmp_path / "gone").mkdir()
    work = SceneWork(source, (tmp_path / "scene.sine", tmp_path / "gone" / "film.mp4"), SETTINGS)
    with work.claimed():
        make(work)
        (tmp_path / "gone").rmdir()
        with pytest.raises(FileNotFoundError, match=r"gone does not exist\. Create it first"):
            work.publish()
    for name in ("holiday.mp4", "gone/film.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
        with pytest.raises(FileExistsError, match="already exists and is not overwritten"):
            SceneWork(source, (tmp_path / "scene.sine", tmp_path / name), SETTINGS)


def test_no_half_of_an_output_is_left_at_its_place(source, tmp_path, monkeypatch):
    """On another disk the film was copied straight to its name."""
    outputs = tmp_path / "scene.sine", tmp_path / "scene.mp4"
    work = SceneWork(source, outputs, SETTINGS)

    def half(made, target):
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sinenerf.scenes.scene_work.shutil.copyfile", half)
    with work.claimed():
        make(work)
        with pytest.raises(OSError, match=r"scene\.mp4: the disk is full"):
            work.publish()
    assert not any(path.exists() for path in outputs)
    monkeypatch.undo()
    with SceneWork(source, outputs, SETTINGS).claimed():
        work.publish()
    assert [path.read_text() for path in outputs] == ["scene.sine", "scene.mp4"]


@pytest.mark.parametrize(
    ("place", "output", "message"),
    [
        ("photographs", "taken.sine", "taken.sine: already exists and is not overwritten"),
        ("photographs", "photographs/scene.sine", "lies in .*photographs, which is left as it is"),
        ("photographs", "nowhere/scene.sine", "nowhere does not exist"),
        ("gone", "scene.sine", "gone: no such file or folder"),
    ],
)
def test_bad_places_are_refused_before_anything_is_written(source, tmp_path, place, output, message):
    (tmp_path / "taken.sine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((OSError, ValueError), match=message):
        SceneWork(tmp_path / place, (tmp_path / output,), SETTINGS)
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "taken.sine").read_text() == "mine"
