"""One capture, read as an LLFF folder, as transforms.json, as Blender's set and as a COLMAP model."""

import numpy as np
import pytest
from PIL import Image
from support.capture_layouts import blender_data, colmap_data, nerfstudio_data

from sinenerf.photographs.posed_photographs import CaptureError, hold_out
from sinenerf.photographs.reading import read_photographs


@pytest.mark.parametrize("layout", [nerfstudio_data, blender_data, colmap_data])
@pytest.mark.parametrize("factor", [None, 2])
def test_every_kind_gives_the_same_cameras(layout, factor, scene, tmp_path):
    layout(scene, tmp_path)
    expected, read = read_photographs(scene), read_photographs(tmp_path, factor=factor)
    views = range(9)
    if layout is blender_data:  # its training and test frames name the same photographs here
        read, views = read.chosen(np.arange(0, 18, 2)), range(9)
        assert read.named_held_out is not None
    scale = 1 / (factor or 1)
    np.testing.assert_allclose(read.camera_to_world, expected.camera_to_world, atol=1e-9)
    for name in ("fx", "fy", "cx", "cy", "width", "height"):
        np.testing.assert_allclose(getattr(read, name), scale * getattr(expected, name), err_msg=name)
    for view in views:
        with Image.open(read.paths[view]) as image:
            assert image.size == read.size(view)


def test_views_are_held_out_by_the_capture_or_by_count(scene, tmp_path):
    train, test = hold_out(read_photographs(scene), 4)
    assert list(test) == [0, 4, 8] and list(train) == [1, 2, 3, 5, 6, 7]
    with pytest.raises(CaptureError, match="2 or more"):
        hold_out(read_photographs(scene), 1)
    blender_data(scene, tmp_path)
    train, test = hold_out(read_photographs(tmp_path), 4)
    assert len(train) == len(test) == 9
