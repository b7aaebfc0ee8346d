"""Photographs of all kinds become a scene: who is placed and why not, the files, resuming, and what is refused."""

import json

import numpy as np
import pytest
from support.messy_photographs import BAD, NAMES, fingerprint

from sinenerf.capture import pipeline
from sinenerf.capture.options import CaptureError, CaptureOptions
from sinenerf.capture.pose_errors import compare_poses
from sinenerf.capture.report import CaptureReport


@pytest.fixture(scope="module")
def transforms(captured):
    return json.loads((captured.scene / "transforms.json").read_text(encoding="utf-8"))


def test_every_usable_photograph_is_placed(captured):
    assert sorted(captured.placed.values()) == sorted(NAMES.values())


def test_the_others_are_left_out_each_with_its_reason(captured):
    assert {left.source: left.reason for left in captured.left_out} == BAD
    assert captured.total == len(NAMES) + len(BAD)
    assert all(left.detail for left in captured.left_out)


def test_the_cameras_are_the_true_ones(captured, messy, transforms):
    found = np.array([frame["transform_matrix"] for frame in transforms["frames"]])[:, :3]
    known = np.array([messy.pose(frame["source"]) for frame in transforms["frames"]])
    errors = compare_poses(found, known)
    assert errors.largest_rotation < 0.3
    assert errors.largest_position < 0.01


def test_the_photographs_are_only_read(captured, messy):
    assert fingerprint(messy.folder) == messy.fingerprint
    assert list(messy.folder.parent.iterdir()) == [messy.folder]


def test_no_work_folder_is_left(captured):
    assert list(captured.scene.parent.iterdir()) == [captured.scene]


def test_the_same_call_returns_the_same_report_without_work(captured, messy, monkeypatch):
    monkeypatch.setattr(pipeline, "take_in", None)
    again = pipeline.capture(messy.folder, captured.scene, CaptureOptions(features=3000))
    assert again == CaptureReport.read(captured.scene) == captured


@pytest.mark.slow
def test_each_stage_is_resumed_after_an_interruption(captured, messy, tmp_path, monkeypatch):
    """Ctrl-C at the start of each stage in turn: what is done is not done again, and the scene is the same."""
    options, scene = CaptureOptions(features=3000), tmp_path / "scene"
    for stage in ("extract", "match", "map_scene", "write_scene"):
        with monkeypatch.context() as patched:
            patched.setattr(pipeline, stage, _interrupt)
            with pytest.raises(KeyboardInterrupt):
                pipeline.capture(messy.folder, scene, options)
        assert [path.name for path in tmp_path.iterdir()] == [".scene.capture"]
    report = pipeline.capture(messy.folder, scene, options)
    assert report.placed == captured.placed
    assert [path.name for path in tmp_path.iterdir()] == ["scene"]


def _interrupt(*arguments):
    raise KeyboardInterrupt


def test_a_scene_of_other_settings_is_not_overwritten(captured, messy):
    before = fingerprint(captured.scene)
    with pytest.raises(CaptureError, match="other photographs or settings, and is not overwritten"):
        pipeline.capture(messy.folder, captured.scene, CaptureOptions(features=2000))
    assert fingerprint(captured.scene) == before


def test_a_folder_with_other_content_is_not_overwritten(messy, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CaptureError, match="already exists and is not overwritten"):
        pipeline.capture(messy.folder, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_scene_inside_its_input_is_refused(messy):
    for scene in (messy.folder / "scene", messy.folder):
        with pytest.raises(CaptureError, match="lies in"):
            pipeline.capture(messy.folder, scene)
    assert fingerprint(messy.folder) == messy.fingerprint
