"""Scenes against photographs: held-out views of an LLFF folder, and those of a transforms.json."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from support.no_float64 import NoFloat64
from support.radiance_fields import a_field

from sinenerf.cli.sine_files import evaluate as command
from sinenerf.factored import factored_layers
from sinenerf.radiance.evaluate import evaluate
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.llff import find_images
from sinenerf.radiance.render import picture, render_views
from sinenerf.radiance.warps import Box, Contraction
from sinenerf.sine_file import load


@pytest.fixture
def field():
    return a_field(background="white")


@pytest.fixture
def frames(field, tmp_path):
    """A transforms.json of views whose photographs are the field's own pictures, at twice its size, one transparent."""
    motion, scale = field.capture.motion, field.capture.scale
    frames = []
    for view in field.capture.spiral(3):
        pose = view.pose.copy()
        pose[:, 3] = pose[:, 3] / scale - motion[:, 3]
        pose = np.vstack([motion[:, :3].T @ pose, [0, 0, 0, 1]])
        image = Image.fromarray(picture(field, view.resized(2)))
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
    (half, *whole) = content["frames"]
    frames.write_text(json.dumps({**content, "frames": whole}))
    result = evaluate(field, 123, frames, picture=tmp_path / "rows.png")
    assert result.psnr > 45 and result.ssim > 0.999 and (result.views, result.bytes) == (2, 123)
    with Image.open(tmp_path / "rows.png") as image:
        pixels = np.asarray(image, dtype=int)
        assert image.size == (4 * 24, 4 * 18)
    assert abs(pixels[:, :48] - pixels[:, 48:]).max() <= 1

    frames.write_text(json.dumps({**content, "frames": [half]}))
    shown = np.asarray(Image.open(tmp_path / "00000.png").convert("RGB")) / 255
    wanted = -10 * np.log10(np.mean(((1 - shown) * 127 / 255) ** 2))  # half of it is the white behind
    assert evaluate(field, 1, frames).psnr == pytest.approx(wanted, abs=0.2)


def test_held_out_views_are_those_of_the_protocol(field, scene, tmp_path):
    scene = shutil.copytree(scene, tmp_path / "scene")
    with pytest.raises(ValueError, match=r"no photographs of 24 pixels across, .* in images"):
        evaluate(field, 1, scene)
    find_images(scene, 2)
    assert evaluate(field, 1, scene).views == 2
    assert evaluate(field, 1, scene / "poses_bounds.npy", hold_every=3).views == 3


def test_bad_input(field, frames, scene, tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder"):
        evaluate(field, 1, frames, picture=tmp_path / "no" / "x.png")
    with pytest.raises(ValueError, match="pictures are written as"):
        evaluate(field, 1, frames, picture=tmp_path / "x.mp4")
    with pytest.raises(FileNotFoundError, match="no such file"):
        evaluate(field, 1, tmp_path / "none.json")
    with pytest.raises(ValueError, match="no such file"):
        evaluate(field, 1, tmp_path / "nowhere")
    content = json.loads(frames.read_text())
    frames.write_text(json.dumps({**content, "frames": [{"transform_matrix": np.eye(4).tolist()}]}))
    with pytest.raises(ValueError, match="has no file_path"):
        evaluate(field, 1, frames)
    frames.write_text(json.dumps({**content, "w": 40, "h": 10}))
    with pytest.raises(ValueError, match="other proportions"):
        evaluate(field, 1, frames)
    broken = shutil.copytree(scene, tmp_path / "broken")
    find_images(broken, 2)
    shutil.rmtree(broken / "images")
    next((broken / "images_2").iterdir()).unlink()
    with pytest.raises(ValueError, match="8 photographs, but 9 views"):
        evaluate(field, 1, broken)


def test_pictures_of_two_widths_and_a_distorted_lens(field, frames, tmp_path, capsys):
    content = json.loads(frames.read_text())
    with Image.open(tmp_path / "00001.png") as image:
        image.resize((24, 18)).save(tmp_path / "00001.png")
    frames.write_text(json.dumps({**content, "k1": 0.1}))
    evaluate(field, 1, frames, picture=tmp_path / "rows.png")
    assert "lens distortion, which is ignored" in capsys.readouterr().err
    with Image.open(tmp_path / "rows.png") as image:
        assert image.size == (96, 36 + 18 + 36)


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
    command(path, frames)
    render_views(load(path), tmp_path / "views", None, 1, 1.0)
    assert kept == 4 * [{torch.float64}]


def test_rendering_needs_no_float64(field):
    """Which Apple's GPUs do not have."""
    for warp in (field.warp, Box((0.1, 0.2, 0.3), (1.0, 0.8, 0.6)), Contraction((0.1, 0.2, 0.3), 1.5)):
        origins, directions = field.capture.home.rays()
        with NoFloat64():
            RadianceField(field.config, warp).render_rays(origins, directions, normals=True)


def test_command(field, frames, tmp_path, capsys):
    field.save(tmp_path / "scene.sine")
    command(tmp_path / "scene.sine", frames)
    assert "dB over 3 views" in capsys.readouterr().out
    command(tmp_path / "scene.sine", frames, json=True)
    assert json.loads(capsys.readouterr().out)["parameters"] == field.parameters_count
