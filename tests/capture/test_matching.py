"""Which photographs are compared: all with all, neighbours in time, or those that look alike."""

from itertools import combinations

import numpy as np
import pytest

from sinenerf.capture import matching
from sinenerf.capture.intake import Intake, Photograph
from sinenerf.capture.matching import BLOCK, PAIRS_AT_ONCE, choose_method, in_blocks, sequential_pairs
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.stages import quiet_colmap
from sinenerf.capture.workspace import Workspace


@pytest.mark.parametrize(
    ("count", "film", "method"),
    [(60, False, "exhaustive"), (61, False, "retrieval"), (60, True, "exhaustive"), (61, True, "sequential")],
)
def test_the_method_suits_number_and_kind(count, film, method):
    photograph = Photograph("a.jpg", "a.jpg", "camera", None, 300, 200, 0.1, 100.0, False)
    intake = Intake([photograph] * count, [], film)
    assert choose_method(intake, CaptureOptions()) == method
    assert choose_method(intake, CaptureOptions(matching="retrieval")) == "retrieval"


def test_pictures_of_a_film_are_compared_closely_and_then_in_doubling_steps():
    names = [f"{number:03d}" for number in range(100)]
    steps = [int(second) - int(first) for first, second in sequential_pairs(names) if first == "000"]
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64]
    assert all(first < second for first, second in sequential_pairs(names))


def test_pairs_compared_together_are_of_few_photographs():
    names = [f"{number:03d}" for number in range(50)]
    pairs = set(combinations(names, 2))
    ordered = in_blocks(pairs, names)
    assert set(ordered) == pairs and len(ordered) == len(pairs)
    most = max(
        len({name for pair in ordered[start : start + PAIRS_AT_ONCE] for name in pair})
        for start in range(0, len(ordered), PAIRS_AT_ONCE)
    )
    assert most <= 4 * BLOCK
    lexicographic = {name for pair in sorted(pairs)[:PAIRS_AT_ONCE] for name in pair}
    assert len(lexicographic) == 50


def test_photographs_that_look_alike_are_found_without_a_downloaded_vocabulary(tmp_path, monkeypatch, capfd):
    """All round a room, neighbours share most features, and with them visual words, so that few pairs are compared."""
    views = 24
    names = [f"{view:03d}.jpg" for view in range(views)]
    workspace = Workspace(tmp_path / "scene", {})
    monkeypatch.setattr(matching, "ALIKE", 4)
    monkeypatch.setattr(matching, "WORDS", 200)
    quiet_colmap()
    with workspace.claimed():
        write_descriptors(workspace.database, names)
        capfd.readouterr()
        pairs = matching._pairs(names, "retrieval", CaptureOptions(), workspace)
    apart = [int(second[:3]) - int(first[:3]) for first, second in pairs]
    assert min(apart) > 0
    assert 2 * views <= len(pairs) < 4 * views
    near = sum(min(step, views - step) <= 3 for step in apart)
    assert near >= 0.8 * len(pairs)  # of all pairs it is 0.26
    shown = capfd.readouterr()
    assert not shown.out and not shown.err  # FAISS, which finds the words, has nothing to warn of


def write_descriptors(database, names, landmarks=40, seen=4):
    """Photographs on a ring, each of the landmarks of its own place and of the next three, with noise."""
    import pycolmap

    random = np.random.default_rng(0)
    places = random.integers(0, 120, (len(names), landmarks, 128))
    with pycolmap.Database.open(database) as opened:
        camera = pycolmap.Camera.create_from_model_name(1, "SIMPLE_RADIAL", 200.0, 240, 426)
        camera_id = opened.write_camera(camera)
        for view, name in enumerate(names):
            image_id = opened.write_image(pycolmap.Image(name=name, camera_id=camera_id))
            sharp = places[np.arange(view, view + seen) % len(names)].reshape(-1, 128)
            data = np.clip(sharp + random.integers(-3, 4, sharp.shape), 0, 255).astype(np.uint8)
            points = np.column_stack([random.uniform(0, 240, len(data)), random.uniform(0, 426, len(data))])
            opened.write_keypoints(image_id, np.column_stack([points, np.ones_like(points)]).astype(np.float32))
            sift = pycolmap.FeatureExtractorType.SIFT
            opened.write_descriptors(image_id, pycolmap.FeatureDescriptors(data=data, type=sift))
