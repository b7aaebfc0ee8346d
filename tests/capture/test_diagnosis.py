"""Photographs that make no scene, and what is said about them."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.capture_refusals import OPTIONS, refused
from support.messy_photographs import SETTINGS

from sinenerf.capture.pipeline import capture
from sinenerf.datasets.orbit_cameras import develop, orbit_poses
from sinenerf.datasets.orbit_capture import render_light


def save_pictures(folder, pictures):
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def turned(count, height=None):
    """Photographs from one place in directions 20 degrees apart."""
    first = orbit_poses(SETTINGS)[0]
    for number in range(count):
        c, s = np.cos(np.radians(20 * number)), np.sin(np.radians(20 * number))
        about_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        pose = np.column_stack([about_y @ first[:, :3], first[:, 3]])
        yield develop(render_light(SETTINGS, pose), np.ones(3), number)


def noise_picture(seed, low=0, high=255):
    coarse = np.random.default_rng(seed).integers(low, high, (60, 80, 3), np.uint8)
    return coarse.repeat(5, axis=0).repeat(5, axis=1)


@pytest.mark.slow
def test_a_camera_that_only_turns(tmp_path):
    source = save_pictures(tmp_path / "panorama", turned(7))
    assert refused(source, tmp_path).startswith("the camera was turned but not moved, so that nothing has depth")


def test_photographs_that_do_not_overlap(tmp_path):
    source = save_pictures(tmp_path / "strangers", [noise_picture(seed) for seed in range(5)])
    assert refused(source, tmp_path).startswith("the photographs overlap too little: none of 5 fit together (0 pairs")


def test_darkness(tmp_path):
    source = save_pictures(tmp_path / "night", [noise_picture(seed, 0, 5) for seed in range(4)])
    assert refused(source, tmp_path).startswith("too dark (mean brightness 2 of 255). Photograph in more light")


def test_black_pictures_are_dark_rather_than_the_same(tmp_path):
    source = save_pictures(tmp_path / "black", [np.zeros((60, 80, 3), np.uint8)] * 4)
    assert refused(source, tmp_path).startswith("too dark (mean brightness 0 of 255)")


def test_more_photographs_wanted_than_there_are(tmp_path):
    """All cameras were sought first, and then the photographs were blamed."""
    source = save_pictures(tmp_path / "few", [noise_picture(seed) for seed in range(5)])
    said = refused(source, tmp_path, replace(OPTIONS, min_placed=100))
    assert said == "min_placed is 100, of 5 photographs: give 5 or less"


@pytest.mark.parametrize("method", ["retrieval", "sequential"])
def test_pictures_without_any_feature_have_no_words_to_compare(tmp_path, method):
    """The reason was "need at least one array to concatenate"."""
    source = save_pictures(tmp_path / "black", [np.zeros((60, 80, 3), np.uint8)] * 4)
    options = replace(OPTIONS, matching=method)
    assert refused(source, tmp_path, options).startswith("too dark (mean brightness 0 of 255)")


def test_bare_walls(tmp_path):
    shades = [np.full((300, 400, 3), 90, np.uint8) for _ in range(4)]
    for number, shade in enumerate(shades):
        shade[:, : 60 * (number + 1)] = 180
    source = save_pictures(tmp_path / "walls", shades)
    assert refused(source, tmp_path).startswith("too little detail")


@pytest.mark.slow
def test_of_two_scenes_the_larger_is_made_and_the_other_named(orbit, tmp_path):
    source = tmp_path / "both"
    shutil.copytree(orbit / "images", source)
    first = orbit_poses(SETTINGS)[0]
    for number in range(4):  # the wall behind the camera, which the others do not see
        away = first[:, :3] @ np.diag([-1.0, 1.0, -1.0])
        pose = np.column_stack([away, first[:, 3] + 0.5 * number * away[:, 0]])
        Image.fromarray(develop(render_light(SETTINGS, pose), np.ones(3), number)).save(source / f"wall {number}.png")
    report = capture(source, tmp_path / "scene", OPTIONS)
    assert len(report.placed) == 12
    assert [(left.source, left.reason) for left in report.left_out] == [
        (f"wall {number}.png", "another scene") for number in range(4)
    ]
    assert report.reasons()[0].startswith("left out 4, another scene: wall 0.png, wall 1.png, wall 2.png and 1 more (")
