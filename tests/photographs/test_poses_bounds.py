"""LLFF folders."""

import shutil

from PIL import Image

from sinenerf.photographs.poses_bounds import read_llff


def test_masks_beside_the_photographs_are_found(scene, tmp_path):
    shutil.copytree(scene, tmp_path, dirs_exist_ok=True)
    (tmp_path / "masks").mkdir()
    Image.new("L", (48, 36), 255).save(tmp_path / "masks/image004.png")
    masks = read_llff(tmp_path).masks
    assert masks is not None and masks[4] == tmp_path / "masks/image004.png" and masks[0] is None
