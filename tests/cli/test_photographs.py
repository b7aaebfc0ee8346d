"""sinenerf scene makes a scene of photographs; after a kill the same command goes on."""

import shutil
from dataclasses import replace

import imageio
import pytest
from support.commands import call_sinenerf
from support.kill_loop import kill_and_run_again, saving_often
from support.messy_photographs import fingerprint

import sinenerf

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
pytestmark = pytest.mark.slow


def test_a_scene_a_film_and_a_page_are_made_of_photographs(scene, tmp_path):
    command = ("scene", scene, "--output", tmp_path / "a.sine", "--page", tmp_path / "a.html", "--steps", 40)
    made = call_sinenerf(*command, "--frames", 3, "--bytes", 9000, "--refine-poses")
    assert made.returncode == 0, made.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "a.mp4", "a.sine"]
    field = sinenerf.load(tmp_path / "a.sine")
    assert field.config.layer == "dense" and (tmp_path / "a.sine").stat().st_size <= 9000
    assert len(imageio.mimread(tmp_path / "a.mp4")) == 3
    for words in (
        "training on 7 photographs of 48 x 36 pixels; 2 held out",
        "warp: ndc",
        "poses refined by 0.0",
        "are only 48x36",
    ):
        assert words in made.stderr
    assert "held-out PSNR" in made.stdout and "over 2 views, their exposures not fitted" in made.stdout
    assert f"{tmp_path / 'a.sine'}: {(tmp_path / 'a.sine').stat().st_size:,} bytes" in made.stdout
    again = call_sinenerf(*command)
    assert again.returncode == 1 and "a.sine: already exists and is not overwritten" in again.stderr


def test_the_contact_sheet_of_photographs_without_cameras_is_kept(messy, captured, tmp_path, monkeypatch):
    from sinenerf.capture import pipeline
    from sinenerf.scenes.photographs_to_scene import SceneOptions, photographs_to_scene

    def capture_again(source, scene, options, progress):
        assert options.size == 2000
        shutil.copytree(captured.scene, scene, dirs_exist_ok=True)
        return replace(captured, scene=scene)

    monkeypatch.setattr(pipeline, "capture", capture_again)
    report = photographs_to_scene(messy.folder, tmp_path / "my.rooms.sine", SceneOptions(steps=3, size=1000))
    assert report.written == (tmp_path / "my.rooms.sine", tmp_path / "my.rooms_contact_sheet.jpg")
    assert set(tmp_path.iterdir()) == set(report.written)
    assert report.written[1].read_bytes() == (captured.scene / "contact_sheet.jpg").read_bytes()


def test_too_few_bytes_are_refused_before_the_cameras_are_sought(messy, tmp_path):
    """Sizes between a bit for each parameter and what the training takes were refused only after minutes."""
    from sinenerf.plugin.layer_choice import fewest_bytes, network_for
    from sinenerf.scenes.photographs_to_scene import SceneOptions, photographs_to_scene

    least = fewest_bytes(network_for("auto", 1))
    message = f"bytes is {least - 1}: the smallest network, of 4,589 parameters, takes {least:,} at least. Give that"
    with pytest.raises(ValueError, match=message):
        photographs_to_scene(messy.folder, tmp_path / "a.sine", SceneOptions(bytes=least - 1))
    assert not list(tmp_path.iterdir())


def test_a_film_of_another_length_is_rendered_anew(scene, tmp_path, monkeypatch):
    """After a kill between the film and the end, the film of the first call was kept."""
    from sinenerf.scenes.photographs_to_scene import SceneOptions, SceneWork, photographs_to_scene

    def kill(work):
        raise KeyboardInterrupt

    def make(frames):
        photographs_to_scene(scene, tmp_path / "a.sine", SceneOptions(steps=3, size=40, frames=frames), film)

    film = tmp_path / "a.mp4"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(SceneWork, "publish", kill)
        make(2)
    make(3)
    assert len(imageio.mimread(film)) == 3


def test_the_film_of_a_film_has_another_name(tmp_path, monkeypatch):
    """By default it had that of the source, which was to be removed first."""
    films = []
    monkeypatch.setattr(
        "sinenerf.scenes.photographs_to_scene.photographs_to_scene",
        lambda source, output, options, film, *rest, **more: films.append(film.name),
    )
    (tmp_path / "walk.mp4").touch()
    for name in ("walk.sine", "other.sine"):
        call_sinenerf("scene", tmp_path / "walk.mp4", "--output", tmp_path / name)
    assert films == ["walk_scene.mp4", "other.mp4"]


def test_a_killed_command_goes_on(scene, tmp_path):
    options = ["--output", tmp_path / "a.sine", "--steps", 60, "--frames", 2, "--layer", "sine", "--size", 40]
    command = saving_often("scene", scene, *options, every=0.5)
    before = fingerprint(scene)
    kill_and_run_again(command, tmp_path / ".a.sine.work" / "checkpoint.pt")
    assert fingerprint(scene) == before  # nor are smaller photographs written there
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.sine"]
    assert sinenerf.load(tmp_path / "a.sine").config.layer == "sine"


def test_a_wrong_name_is_refused(scene, tmp_path):
    refused = call_sinenerf("scene", scene, "--output", tmp_path / "a.ply")
    assert refused.returncode == 1 and refused.stderr.endswith("a.ply: is written as .sine. Give such a name\n")
    assert not list(tmp_path.iterdir())
