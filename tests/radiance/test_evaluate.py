"""Scenes against photographs: held-out views of an LLFF folder, and those of a transforms.json."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from support.capture_layouts import colmap_data, nerfstudio_data, opengl_poses
from support.golden_files import GOLDEN
from support.no_float64 import NoFloat64
from support.radiance_fields import a_capture, a_field

from sinenerf.cli.sine_files import evaluate as command
from sinenerf.factored import factored_layers
from sinenerf.photographs.reading import read_photographs
from sinenerf.radiance.evaluate import cameras_of, evaluate
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.render import picture, render_views
from sinenerf.radiance.split import Split
from sinenerf.radiance.warps import Box, Contraction
from sinenerf.sine_file import load


@pytest.fixture
def field():
    return a_field(background="white")


@pytest.fixture
def frames(field, tmp_path):
    """A transforms.json of views whose photographs are the field's own pictures, one of them transparent."""
    motion, scale = field.capture.motion, field.capture.scale
    frames = []
    for view in field.capture.spiral(3):
        pose = view.pose.copy()
        pose[:, 3] = pose[:, 3] / scale - motion[:, 3]
        pose = np.vstack([motion[:, :3].T @ pose, [0, 0, 0, 1]])
        image = Image.fromarray(picture(field, view))
        if not frames:
            image.putalpha(128)
        image.save(tmp_path / f"{view.name}.png")
        frames.append({"file_path": f"./{view.name}", "transform_matrix": pose.tolist()})
    path = tmp_path / "transforms_test.json"
    home = field.capture.home
    path.write_text(json.dumps({"fl_x": home.fx, "fl_y": home.fy, "frames": frames}))
    return path


def test_a_field_shows_its_own_pictures(field, frames, tmp_path):
    content = json.loads(frames.read_text())
    result = evaluate(field, 123, frames, all_views=True, picture=tmp_path / "rows.png")
    assert (result.views, result.bytes) == (3, 123)
    assert result.names == ["00000.png", "00001.png", "00002.png"]
    with Image.open(tmp_path / "rows.png") as image:
        pixels = np.asarray(image, dtype=int)
        assert image.size == (2 * 24, 3 * 18)
    assert abs(pixels[18:, :24] - pixels[18:, 24:]).max() <= 1

    frames.write_text(json.dumps({**content, "frames": content["frames"][1:]}))
    result = evaluate(field, 1, frames, all_views=True)
    assert result.psnr > 45 and result.ssim > 0.999


def test_transparent_pixels_show_the_background(field, frames, tmp_path):
    shown = np.asarray(Image.open(tmp_path / "00000.png").convert("RGB")) / 255
    wanted = -10 * np.log10(np.mean(((1 - shown) * 127 / 255) ** 2))  # half of it is the white behind
    field.capture = replace(field.capture, split=Split.of([Path("00001"), Path("00002")], [Path("00000")]))
    assert evaluate(field, 1, frames).psnr == pytest.approx(wanted, abs=0.2)


@pytest.fixture
def capture(scene, tmp_path):
    """A copy, beside whose photographs smaller ones are written."""
    return shutil.copytree(scene, tmp_path / "capture")


def test_masked_pixels_do_not_count(field, frames, tmp_path):
    """What a mask leaves out may show anything; a fault in the rest is averaged over the rest alone."""
    path = tmp_path / "00001.png"
    true = np.asarray(Image.open(path).convert("RGB"))
    mask, spoilt = np.zeros(true.shape[:2], np.uint8), 255 - true
    mask[:, :8] = 255
    spoilt[:, :8] = true[:, :8]
    Image.fromarray(spoilt).save(path)
    content = json.loads(frames.read_text())
    content["frames"] = [frame for frame in content["frames"] if frame["file_path"] != "./00000"]
    frames.write_text(json.dumps(content))
    unmasked = evaluate(field, 123, frames, all_views=True).psnr
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "00001.png")
    assert evaluate(field, 123, frames, all_views=True).psnr > 50 > unmasked
    spoilt[:, :4] = true[:, :4] // 2
    Image.fromarray(spoilt).save(path)
    error = (true[:, :8] - spoilt[:, :8].astype(float)) / 255
    first = evaluate(field, 123, frames, hold_every=2)
    assert first.names == ["00001.png"] and first.psnr == pytest.approx(-10 * np.log10((error**2).mean()), abs=0.2)


def test_held_out_views_are_those_that_the_file_remembers(field, capture):
    names = sorted(path for path in (capture / "images").iterdir())
    for held_out in ([0, 8], [0, 3, 6], [1, 2, 4]):
        trained = [name for index, name in enumerate(names) if index not in held_out]
        split = Split.of(trained, [names[index] for index in held_out])
        field.capture = replace(field.capture, split=split)
        if split.rule == "named":
            message = r"3 views were held out that the capture named.* --all, or .*--hold-every"
            with pytest.raises(ValueError, match=message):
                evaluate(field, 1, capture, scale=0.7)
            continue
        result = evaluate(field, 1, capture, scale=0.7)
        assert result.names == [f"images/{names[index].name}" for index in held_out]
        assert f"scoring {len(held_out)} of 9 views, those held out: {split}" in result.notes
        assert not any("not the names" in note for note in result.notes)
    assert evaluate(field, 1, capture / "poses_bounds.npy", hold_every=4, scale=0.7).views == 3
    assert evaluate(field, 1, capture, all_views=True, scale=0.7).views == 9


def test_views_of_other_names_are_scored_with_a_warning(field, capture):
    field.capture = replace(field.capture, split=Split("every", 8, 1))
    result = evaluate(field, 1, capture, scale=0.7)
    assert result.views == 2
    assert any("not the names of the views held out of the training" in note for note in result.notes)


def test_without_held_out_views_the_choice_is_the_users(field, capture):
    for split, message in (
        (None, "does not say which views were held out"),
        (Split("none", 0, 0), "no view was held out"),
    ):
        field.capture = replace(field.capture, split=split)
        with pytest.raises(ValueError, match=f"{message}.* --all, or every N-th one with --hold-every N"):
            evaluate(field, 1, capture)


def test_smaller_pictures_are_scored_on_demand(field, frames, tmp_path):
    whole = evaluate(field, 1, frames, all_views=True)
    small = evaluate(field, 1, frames, all_views=True, scale=0.75, picture=tmp_path / "rows.png")
    assert abs(small.psnr - whole.psnr) < 8
    with Image.open(tmp_path / "rows.png") as image:
        assert image.size == (2 * 18, 3 * 14)
    with pytest.raises(ValueError, match=r"scale is 0\.5: pictures of 12x9 pixels are too small to score"):
        evaluate(field, 1, frames, all_views=True, scale=0.5)
    with pytest.raises(ValueError, match="scale is 2: it must be above 0 and at most 1"):
        evaluate(field, 1, frames, all_views=True, scale=2)


@pytest.mark.parametrize("layout", [nerfstudio_data, colmap_data])
def test_cameras_of_other_layouts_are_those_of_nerfstudio(layout, scene, tmp_path):
    """Every kind of capture that training takes, in the coordinates of its scene."""
    layout(scene, tmp_path)
    photographs = read_photographs(tmp_path)
    motion = np.array([[0.0, -1, 0, 0.5], [1, 0, 0, -1], [0, 0, 1, 2]])
    capture = replace(a_capture(), motion=motion, scale=0.5)
    poses, (height, width, focal) = opengl_poses(scene)
    for camera, pose in zip(cameras_of(photographs, capture), poses, strict=True):
        np.testing.assert_allclose(camera.pose, capture.to_scene(pose[None, :3])[0], atol=1e-6)
        assert (camera.fx, camera.width, camera.height) == (pytest.approx(focal), width, height)


def test_bad_input(field, frames, tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder"):
        evaluate(field, 1, frames, picture=tmp_path / "no" / "x.png")
    with pytest.raises(ValueError, match=r"cannot write '.mp4'. Use one of .png, .jpg, .jpeg"):
        evaluate(field, 1, frames, picture=tmp_path / "x.mp4")
    with pytest.raises(ValueError, match="give --all or --hold-every, not both"):
        evaluate(field, 1, frames, all_views=True, hold_every=4)
    with pytest.raises(ValueError, match="no such folder"):
        evaluate(field, 1, tmp_path / "nowhere")
    content = json.loads(frames.read_text())
    frames.write_text(json.dumps({**content, "w": 40, "h": 10}))
    with pytest.raises(ValueError, match="the proportions must agree"):
        evaluate(field, 1, frames)


def test_a_distorted_lens_changes_the_view(field, frames, tmp_path):
    content = json.loads(frames.read_text())
    straight = evaluate(field, 1, frames, all_views=True).psnr
    frames.write_text(json.dumps({**content, "k1": 0.3}))
    assert evaluate(field, 1, frames, all_views=True).psnr < straight


def test_scenes_are_rendered_on_the_gpu(field, frames, tmp_path, monkeypatch):
    """A move to float64 stands for one to a GPU: each W that is kept moves along."""
    path, kept = tmp_path / "scene.sine", []
    field.save(path)
    render = RadianceField.render

    def watched(self, *arguments):
        kept.append({layer.weight.dtype for layer in factored_layers(self) if layer._kept})
        return render(field, *arguments)

    monkeypatch.setattr(RadianceField, "render", watched)
    monkeypatch.setattr("sinenerf.radiance.field.best_device", lambda: torch.float64)
    command(path, frames, all=True)
    render_views(load(path), tmp_path / "views", None, 1, 1.0)
    assert kept == 4 * [{torch.float64}]


def test_rendering_needs_no_float64(field):
    """Which Apple's GPUs do not have."""
    for warp in (field.warp, Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6)), Contraction((0.1, 0.2, 0.3), 1.5)):
        origins, directions = field.capture.home.rays()
        with NoFloat64():
            RadianceField(field.config, warp).render_rays(origins, directions, normals=True)


def test_command(field, frames, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no weights"))
    field.save(tmp_path / "scene.sine")
    command(tmp_path / "scene.sine", frames, all=True)
    printed = capsys.readouterr()
    assert "dB over 3 views: 00000.png, 00001.png, 00002.png" in printed.out
    assert "sinenerf: LPIPS is left out: for it, put vgg16-397923af.pth" in printed.err
    command(tmp_path / "scene.sine", frames, all=True, json=True)
    assert json.loads(capsys.readouterr().out)["parameters"] == field.parameters_count


def test_what_is_scored_is_said_before_the_scoring(field, capture, capsys, monkeypatch):
    """A wrong capture was noticed after minutes, or never, if the scoring was ended."""

    def end(*arguments):
        raise KeyboardInterrupt

    field.capture = replace(field.capture, split=Split("every", 8, 1))
    monkeypatch.setattr(RadianceField, "render", end)
    for progress in (False, True):
        with pytest.raises(KeyboardInterrupt):
            evaluate(field, 1, capture, scale=0.7, progress=progress)
        said = capsys.readouterr().err
        assert ("scoring 2 of 9 views" in said, "scores may be of training views" in said) == (progress, progress)


def test_the_library_prints_only_if_asked_to(field, frames, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sinenerf.common.progress.EVERY", -1.0)
    for progress in (False, True):
        evaluate(field, 1, frames, all_views=True, progress=progress)
        render_views(field, tmp_path / "views", None, 2, 1.0, progress=progress)
        said = capsys.readouterr()
        assert said.out == "" and ("scoring" in said.err, "rendering" in said.err) == (progress, progress)
        assert progress or not said.err


def test_a_scene_is_not_compared_with_a_mesh_nor_a_shape_with_photographs(field, scene, tmp_path):
    field.save(tmp_path / "scene.sine")
    with pytest.raises(ValueError, match=r"scene.sine: holds a scene, and .*x.ply is a mesh. Give the folder"):
        command(tmp_path / "scene.sine", tmp_path / "x.ply")
    for truth in (scene, scene / "poses_bounds.npy", tmp_path / "transforms.json"):
        with pytest.raises(ValueError, match=r"sine.sine: holds a shape, and .* is no mesh. Give the mesh"):
            command(GOLDEN / "sine.sine", truth)
