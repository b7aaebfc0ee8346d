"""Captures with smaller copies of their photographs, and those of public reports of nerfstudio's users."""

import shutil

from PIL import Image
from support.capture_changes import (
    case,
    edit_frame,
    picture,
    rename_frames,
    resave,
)


@case("transforms", "image004.png", "would have the same name", "rename one of them", options={"factor": 2})
def two_photographs_of_one_name_to_shrink(folder):
    resave(picture(folder, 5), lambda image: image).rename(folder / "images" / "image004.jpg")
    edit_frame(folder, lambda frame: frame.update(file_path="images/image004.jpg"), 5)


@case("colmap", options={"factor": 2})
def smaller_pictures_that_an_interrupted_program_left(folder):
    """Those that lack are made."""
    (folder / "images_2").mkdir()
    for view in range(3):
        with Image.open(picture(folder, view)) as image:
            image.resize((24, 18)).save(folder / "images_2" / picture(folder, view).name)


@case("colmap", "images_2/image001.png: this smaller copy", "Remove it", options={"factor": 2})
def a_smaller_picture_cut_in_half(folder):
    (folder / "images_2").mkdir()
    data = picture(folder, 1).read_bytes()
    (folder / "images_2" / "image001.png").write_bytes(data[: len(data) // 2])


@case("llff", "images_2: has 3 photographs, but there are 9", "it is made again", options={"factor": 2})
def too_few_smaller_pictures_of_other_names(folder):
    (folder / "images_2").mkdir()
    for view in range(3):
        shutil.copy(picture(folder, view), folder / "images_2" / f"other{view}.png")


@case("transforms", noted=("several sizes", "1 of 48x24"))
def photographs_of_two_formats_with_their_own_cameras(folder):
    """nerfstudio's issue 1213: 'stack expects each tensor to be equal size'."""
    resave(picture(folder), lambda image: image.crop((0, 0, 48, 24)))
    edit_frame(folder, lambda frame: frame.update(h=24))


@case("colmap", options={"factor": 2})
def smaller_pictures_rounded_otherwise(folder):
    """nerfstudio's issue 3680: images_2 of the Mip-NeRF 360 scenes round half pixels up, 'index out of bounds'."""
    (folder / "images_2").mkdir()
    for view in range(9):
        with Image.open(picture(folder, view)) as image:
            image.resize((25, 18)).save(folder / "images_2" / picture(folder, view).name)


@case("transforms", options={"factor": 2})
def photographs_in_subfolders_to_shrink(folder):
    """nerfstudio's issue 1746: images/rgb/-1.jpg with --downscale-factor ends without a word."""
    (folder / "images").rename(folder / "rgb")
    (folder / "images").mkdir()
    (folder / "rgb").rename(folder / "images" / "rgb")
    rename_frames(folder, lambda path: path.replace("images/", "images/rgb/"))


@case("transforms", "frame 4", "transform_matrix is missing")
def a_frame_without_a_pose(folder):
    """mr2nerf's issue 3: KeyError for a photograph whose pose was not found."""
    edit_frame(folder, lambda frame: frame.pop("transform_matrix"))
