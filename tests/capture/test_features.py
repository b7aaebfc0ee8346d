"""Which photographs are searched for features together, and how."""

import pytest

from sinenerf.capture import features
from sinenerf.capture.intake import Photograph
from sinenerf.capture.options import CaptureOptions
from sinenerf.capture.stages import Stages
from sinenerf.capture.workspace import Workspace


@pytest.mark.parametrize("threads", [1, 8])
def test_features_do_not_depend_on_the_photographs_beside(threads, tmp_path, monkeypatch):
    """A small photograph that shared a batch with a large one was not searched at twice its size."""
    sizes = {"a": 700, "b": 1600, "c": 700, "d": 1600, "e": 901}
    photographs = [Photograph(name, name, "", None, size, 600, 1.0, 99.0, False) for name, size in sizes.items()]
    workspace, searched = Workspace(tmp_path / "scene", {}), {}
    monkeypatch.setattr(features, "_database_has", lambda *arguments: True)
    monkeypatch.setattr(features, "_without_features", lambda *arguments: photographs)
    monkeypatch.setattr(
        "pycolmap.extract_features",
        lambda *places, image_names, extraction_options, **others: searched.update(
            dict.fromkeys(image_names, extraction_options.sift.first_octave)
        ),
    )
    with workspace.claimed():
        features.extract(photographs, CaptureOptions(threads=threads), workspace, Stages(workspace, False))
    assert searched == {"a": -1, "b": 0, "c": -1, "d": 0, "e": 0}
