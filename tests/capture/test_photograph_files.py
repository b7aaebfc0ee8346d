"""Reading photographs: formats, orientation, names, and what EXIF data says."""

import numpy as np
import pytest
from PIL import Image
from support.strange_exif import DAMAGED, TURNED

from sinenerf.capture.photograph_files import (
    camera_name,
    find_photographs,
    focal_in_pixels,
    free_name,
    natural_key,
    open_upright,
)


def test_numbers_in_names_are_sorted_by_value():
    names = ["IMG 10.jpg", "IMG 9.jpg", "b/1.jpg", "img 1.jpg", "2.jpg", "été.jpg"]
    assert sorted(names, key=natural_key) == ["2.jpg", "b/1.jpg", "img 1.jpg", "IMG 9.jpg", "IMG 10.jpg", "été.jpg"]


def test_hidden_files_and_masks_are_no_photographs(messy):
    found = [path.relative_to(messy.folder).as_posix() for path in find_photographs(messy.folder)]
    assert "first day/IMG 2.JPG" in found and "phone.heic" in found
    assert not [name for name in found if "masks" in name or "hidden" in name or name.endswith(".txt")]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(tmp_path, orientation):
    upright = Image.new("RGB", (40, 60))
    upright.paste((255, 0, 0), (0, 0, 20, 30))  # top left
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(open_upright(tmp_path / "a.png", 100)), np.asarray(upright))


@pytest.mark.parametrize("block", DAMAGED.values(), ids=DAMAGED)
def test_a_photograph_with_damaged_exif_data_is_read(tmp_path, block):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=block)
    picture = open_upright(tmp_path / "a.jpg", 100)
    assert picture.size == (30, 20) and camera_name(picture) == "30x20" and focal_in_pixels(picture) is None


@pytest.mark.parametrize("block", TURNED.values(), ids=TURNED)
def test_a_photograph_with_a_strange_tag_is_turned_upright(tmp_path, block):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=block)
    assert open_upright(tmp_path / "a.jpg", 100).size == (20, 30)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "F"])
def test_every_pixel_format_becomes_eight_bit_colour(tmp_path, mode):
    suffix = ".tif" if mode in ("CMYK", "F", "I;16") else ".png"
    grey = Image.new("L", (30, 20), 200)
    image = Image.fromarray(np.full((20, 30), 200 * 257, np.uint16)) if mode == "I;16" else grey.convert(mode)
    image.save(tmp_path / f"a{suffix}")
    read = open_upright(tmp_path / f"a{suffix}", 100)
    assert read.mode == ("RGBA" if mode in ("LA", "RGBA") else "RGB")
    assert np.asarray(read)[10, 15, 0] in ((255,) if mode == "1" else range(196, 204))


def test_large_pictures_are_shrunk_and_small_ones_kept(tmp_path):
    Image.new("RGB", (900, 450)).save(tmp_path / "a.jpg")
    assert open_upright(tmp_path / "a.jpg", 300).size == (300, 150)
    assert open_upright(tmp_path / "a.jpg", 2000).size == (900, 450)


def test_focal_length_and_camera_by_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0110] = "telephone"
    exif.get_ifd(0x8769)[0xA405] = 27
    Image.new("RGB", (3600, 2400)).save(tmp_path / "a.jpg", exif=exif)
    picture = open_upright(tmp_path / "a.jpg", 1800)
    assert focal_in_pixels(picture) == pytest.approx(1800 * 27 / 36, rel=1e-3)
    assert camera_name(picture) == "telephone 27 1800x1200"
    Image.new("RGB", (36, 24)).save(tmp_path / "b.png")
    assert focal_in_pixels(open_upright(tmp_path / "b.png", 100)) is None


def test_backslashes_and_zeros_at_the_end_of_a_cameras_name_are_kept(tmp_path):
    """They were cut off, and NUL was not: the photographs of a D7 and a D700 shared their intrinsics."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "NIKON\0 ", "D700"
    Image.new("RGB", (36, 24)).save(tmp_path / "a.jpg", exif=exif)
    assert camera_name(open_upright(tmp_path / "a.jpg", 100)) == "NIKON D700 36x24"


def test_names_are_plain_and_different():
    taken: set[str] = set()
    sources = ["a b/größe 1.JPG", "a b/grosse 1.jpg", "A b/GROSSE 1.png", "写真.jpg", "絵.jpg"]
    names = [free_name(source, taken, ".jpg") for source in sources]
    assert names == ["a_b-groe_1.jpg", "a_b-grosse_1.jpg", "A_b-GROSSE_1_2.jpg", "photograph.jpg", "photograph_2.jpg"]


def test_names_of_deep_folders_are_short_enough_for_a_file():
    taken: set[str] = set()
    names = [free_name(f"{'a' * 120}/{'b' * 120}/{number}.jpg", taken, ".jpg") for number in range(3)]
    assert names[2].endswith("bb-2.jpg") and max(map(len, names)) <= 160
