"""Picture files that Pillow refuses, or reads with an error."""

import pytest
from PIL import Image
from support.strange_exif import DAMAGED, TURNED

from sinenerf.common import picture_files
from sinenerf.common.picture_files import ORIENTATION, TooManyPixelsError, open_picture, read_exif


@pytest.mark.parametrize("block", DAMAGED.values(), ids=DAMAGED)
def test_damaged_exif_data_count_as_none(block, tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=block)
    with open_picture(tmp_path / "a.jpg") as image:
        assert read_exif(image) == {}


@pytest.mark.parametrize("block", TURNED.values(), ids=TURNED)
def test_the_orientation_is_read_beside_a_strange_tag(block, tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=block)
    with open_picture(tmp_path / "a.jpg") as image:
        assert read_exif(image)[ORIENTATION] == 6


def test_tags_of_the_photograph_are_among_those_of_the_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0110] = "telephone"
    exif.get_ifd(0x8769)[0xA405] = 27
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg", exif=exif)
    with open_picture(tmp_path / "a.jpg") as image:
        tags = read_exif(image)
    assert tags[0x0110] == "telephone" and tags[0xA405] == 27


def test_a_picture_beyond_the_limit_is_refused_and_pillows_own_limit_stays(tmp_path, monkeypatch):
    Image.new("1", (2000, 1000)).save(tmp_path / "a.png")
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(picture_files, "LARGEST", 2_000_000)
    with open_picture(tmp_path / "a.png") as image:
        assert image.size == (2000, 1000)
    monkeypatch.setattr(picture_files, "LARGEST", 1_000_000)
    message = "2 megapixels, at most 1 are read: make it smaller"
    with pytest.raises(TooManyPixelsError, match=message), open_picture(tmp_path / "a.png"):
        pass
    assert before == Image.MAX_IMAGE_PIXELS
