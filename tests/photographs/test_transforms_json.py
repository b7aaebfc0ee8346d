"""nerfstudio's transforms.json."""

import json

import pytest
from support.capture_layouts import nerfstudio_data

from sinenerf.photographs.transforms_json import read_transforms


@pytest.mark.parametrize("test", [None, []])
def test_an_empty_list_of_tested_photographs_is_none(test, scene, tmp_path):
    """It hid the photographs that val_filenames holds out."""
    nerfstudio_data(scene, tmp_path)
    path = tmp_path / "transforms.json"
    content = json.loads(path.read_text())
    names = [content["frames"][view]["file_path"] for view in (2, 5)]
    path.write_text(json.dumps({**content, "test_filenames": test, "val_filenames": names}))
    assert read_transforms(path).named_held_out == (2, 5)
