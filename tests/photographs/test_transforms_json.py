"""nerfstudio's transforms.json."""

import json

import numpy as np
import pytest
from PIL import Image
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


def test_a_mask_is_of_the_photograph_at_its_own_place(tmp_path):
    """images/extra/0.jpg had the mask of images/0.jpg."""
    frames = []
    for number, name in enumerate(("images/0.jpg", "images/1.jpg", "images/extra/0.jpg", "images/extra/1.jpg")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(tmp_path / name)
        pose = np.eye(4)
        pose[0, 3] = number
        frames.append({"file_path": name, "transform_matrix": pose.tolist()})
    (tmp_path / "transforms.json").write_text(json.dumps({"fl_x": 8, "w": 8, "h": 6, "frames": frames}))
    for mask in ("0.png", "extra/1.png"):
        (tmp_path / "masks" / mask).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 6), 255).save(tmp_path / "masks" / mask)
    read = read_transforms(tmp_path / "transforms.json")
    found = {
        name: mask and mask.relative_to(tmp_path).as_posix() for name, mask in zip(read.names, read.masks, strict=True)
    }
    assert found == {
        "images/0.jpg": "masks/0.png",
        "images/1.jpg": None,
        "images/extra/0.jpg": None,
        "images/extra/1.jpg": "masks/extra/1.png",
    }
