"""Which photographs are compared: all with all, neighbours in time, or those that look alike."""

from dataclasses import replace
from itertools import combinations

import pytest
from support.messy_photographs import SETTINGS

from sinenerf.capture import matching, pipeline
from sinenerf.capture.intake import Intake, Photograph
from sinenerf.capture.matching import BLOCK, PAIRS_AT_ONCE, choose_method, in_blocks, sequential_pairs
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.workspace import Workspace
from sinenerf.datasets.orbit_capture import generate_orbit


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


@pytest.mark.slow
def test_photographs_that_look_alike_are_found_without_a_downloaded_vocabulary(tmp_path, monkeypatch, capfd):
    """All round the room, neighbours share most visual words, so that few pairs are compared."""

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(matching, "ALIKE", 4)
    monkeypatch.setattr(pipeline, "map_scene", stop)
    views = 24
    images = generate_orbit(tmp_path / "orbit", replace(SETTINGS, views=views, turn=360)) / "images"
    capfd.readouterr()
    options = CaptureOptions(features=2000, matching="retrieval")
    with pytest.raises(KeyboardInterrupt):
        pipeline.capture(images, tmp_path / "scene", options)
    settings = {**pipeline.describe_input(images), **options.result_settings(film=False)}
    pairs = Workspace(tmp_path / "scene", settings).read("pairs")
    apart = [int(second[5:8]) - int(first[5:8]) for first, second in pairs]
    assert {step for step in apart if step <= 0} == set()
    assert 2 * views <= len(pairs) < 4 * views
    near = sum(min(step, views - step) <= 3 for step in apart)
    assert near >= 0.5 * len(pairs)  # of all pairs it is 0.26
    shown = capfd.readouterr()
    assert not shown.out and not shown.err  # FAISS, which finds the words, has nothing to warn of
