"""Captures whose photographs have another size, turn or format than their cameras, or are damaged."""

import numpy as np
from PIL import Image
from support.capture_changes import (
    case,
    edit_table,
    picture,
    resave,
)
from support.strange_exif import DAMAGED, TURNED


@case("llff", noted=("several sizes", "1 of 24x18"))
def one_photograph_of_half_the_size(folder):
    resave(picture(folder), lambda image: image.resize((24, 18)))


@case("transforms", noted=("24x18", "48x36", "the cameras are scaled"))
def photographs_of_half_the_size_of_their_cameras(folder):
    for view in range(9):
        resave(picture(folder, view), lambda image: image.resize((24, 18)))


@case("colmap", noted=("24x18", "48x36", "the cameras are scaled"))
def a_model_of_the_photographs_before_they_were_shrunk(folder):
    for view in range(9):
        resave(picture(folder, view), lambda image: image.resize((24, 18)))


@case("llff", noted=("24x18", "the cameras are scaled"), options={"widest": 1100})
def a_table_for_larger_photographs_than_those_in_images(folder):
    edit_table(folder, lambda table: table.__setitem__((slice(None), [4, 9, 14]), 8 * table[:, [4, 9, 14]]))
    for view in range(9):
        resave(picture(folder, view), lambda image: image.resize((24, 18)))


@case("transforms", "image004.png: is 36x36", "48x36", "proportions")
def a_square_photograph_of_an_oblong_camera(folder):
    resave(picture(folder), lambda image: image.resize((36, 36)))


@case("transforms", "is 36x48, but its camera is for 48x36")
def a_photograph_turned_without_exif(folder):
    resave(picture(folder), lambda image: image.rotate(90, expand=True))


@case("transforms")
def a_photograph_that_exif_turns_to_its_camera(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    resave(picture(folder), lambda image: image.rotate(90, expand=True), exif=exif)


@case("transforms")
def a_photograph_that_exif_turns_beside_a_strange_tag(folder):
    resave(picture(folder), lambda image: image.rotate(90, expand=True), exif=TURNED["width"])


@case("transforms", "is 36x48, but its camera is for 48x36")
def a_photograph_turned_with_damaged_exif(folder):
    resave(picture(folder), lambda image: image.rotate(90, expand=True), exif=DAMAGED["short"])


@case("colmap")
def exif_turns_that_colmap_ignored(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    for view in range(9):
        resave(picture(folder, view), lambda image: image, exif=exif)


@case("llff", noted=("1 of 9 photographs converted from CMYK",))
def cmyk(folder):
    resave(picture(folder), lambda image: image.convert("CMYK"), ".jpg", quality=95)


@case("transforms", noted=("converted from P",))
def palette(folder):
    resave(picture(folder), lambda image: image.convert("P"))


@case("llff", noted=("converted from I;16",))
def grey_of_16_bits(folder):
    resave(picture(folder), lambda image: Image.fromarray(257 * np.asarray(image.convert("L"), np.uint16)))


@case("colmap", noted=("converted from LA",))
def grey_with_alpha(folder):
    resave(picture(folder), lambda image: image.convert("LA"))


@case("llff", noted=("converted from 1",))
def black_and_white(folder):
    resave(picture(folder), lambda image: image.convert("1"))


@case("llff", "image004.tif", "floating-point")
def floating_point_pixels(folder):
    resave(picture(folder), lambda image: image.convert("F"), ".tif")


@case("transforms")
def alpha_in_one_photograph(folder):
    resave(picture(folder), lambda image: image.convert("RGBA"))


@case("llff")
def webp(folder):
    for view in range(9):
        resave(picture(folder, view), lambda image: image, ".webp", lossless=True)


@case("llff")
def tif_in_capitals(folder):
    for view in range(9):
        resave(picture(folder, view), lambda image: image, ".TIF")


@case("llff")
def heic(folder):
    import pillow_heif

    pillow_heif.register_heif_opener()
    for view in range(9):
        resave(picture(folder, view), lambda image: image, ".heic")


@case("transforms", "image004.png: cannot be decoded", "Copy the photograph again")
def a_photograph_cut_in_half(folder):
    path = picture(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@case("colmap", "image004.png: cannot be decoded")
def an_empty_photograph(folder):
    picture(folder).write_bytes(b"")


@case("llff", "image004.png: cannot be decoded")
def a_text_named_png(folder):
    picture(folder).write_text("not a photograph")


@case("llff", "image004.png: is a folder, not a photograph")
def a_folder_named_png(folder):
    picture(folder).unlink()
    picture(folder).mkdir()
