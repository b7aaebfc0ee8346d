"""Captures with files too many or too few, and with paths of other systems."""

import shutil

from PIL import Image
from support.capture_changes import (
    case,
    edit_frame,
    edit_json,
    edit_lines,
    picture,
    rename_frames,
    resave,
)


@case("llff")
def files_that_are_no_photographs(folder):
    for name in ("Thumbs.db", ".DS_Store", "film.mp4", "._image004.png"):
        (folder / "images" / name).write_bytes(b"0")


@case("llff", "10 photographs, but 9 views", "thumbnail.jpg differs")
def a_thumbnail(folder):
    with Image.open(picture(folder)) as image:
        image.resize((8, 6)).save(folder / "images" / "thumbnail.jpg")


@case("llff", "10 photographs, but 9 views", "image009.png differs")
def a_tenth_photograph_of_another_size(folder):
    with Image.open(picture(folder)) as image:
        image.resize((8, 6)).save(folder / "images" / "image009.png")


@case("llff", "8 photographs, but 9 views", "Not counted: Thumbs.db")
def a_photograph_less_than_views(folder):
    picture(folder).unlink()
    (folder / "images" / "Thumbs.db").write_bytes(b"0")


@case("llff", "images: has no photographs", "its subfolder day1 has: move them up")
def photographs_in_a_subfolder(folder):
    (folder / "images").rename(folder / "day1")
    (folder / "images").mkdir()
    (folder / "day1").rename(folder / "images" / "day1")


@case("transforms", noted=("2 of 9 photographs are not there: images/image000.png, images/image004.png",), views=7)
def two_missing_photographs(folder):
    picture(folder, 0).unlink()
    picture(folder, 4).unlink()


@case("transforms", "1 of 9 photographs are not there: images/image004.png. Copy", options={"strict": True})
def a_missing_photograph_with_strict(folder):
    picture(folder).unlink()


@case("transforms", "6 of 9 photographs are not there", "5 are needed at least")
def six_missing_photographs(folder):
    for view in range(6):
        picture(folder, view).unlink()


@case("colmap", noted=("1 of 9 photographs are not there: image004.png",), views=8)
def a_missing_photograph_of_a_model(folder):
    picture(folder).unlink()


@case("colmap", noted=("cameras for 5 of 9 photographs", "without: image005.png"), views=5)
def a_model_of_five_of_nine_photographs(folder):
    edit_lines(folder, "images.txt", lambda lines: lines[:10])


@case("colmap", "cameras for 2 of 9 photographs", "more overlap")
def a_model_of_two_of_nine_photographs(folder):
    edit_lines(folder, "images.txt", lambda lines: lines[:4])


@case("transforms", "cameras for 2 of 9 photographs")
def two_frames_of_nine_photographs(folder):
    edit_json(folder, lambda content: content.__setitem__("frames", content["frames"][:2]))


@case("transforms", "frame 4: its mask masks/a.png is not there")
def a_missing_mask(folder):
    edit_frame(folder, lambda frame: frame.update(mask_path="masks/a.png"))


@case("llff", "has photographs, but no cameras", "sinenerf capture")
def photographs_alone(folder):
    (folder / "poses_bounds.npy").unlink()


@case("transforms")
def back_slashes(folder):
    rename_frames(folder, lambda path: path.replace("/", "\\"))


@case("transforms")
def paths_of_windows(folder):
    rename_frames(folder, lambda path: "C:\\Users\\me\\scene\\" + path.replace("/", "\\"))


@case("transforms")
def absolute_paths_of_another_computer(folder):
    rename_frames(folder, lambda path: "/home/other/scene/" + path)


@case("transforms")
def suffixes_in_another_case(folder):
    rename_frames(folder, lambda path: path.replace(".png", ".PNG"))


@case("transforms")
def paths_without_suffix(folder):
    rename_frames(folder, lambda path: "./" + path.removesuffix(".png"))


@case("transforms")
def jpg_beside_capital_jpg(folder):
    for view in range(9):
        resave(picture(folder, view), lambda image: image, ".JPG" if view % 2 else ".jpg")
    rename_frames(folder, lambda path: path.replace(".png", ".JPG" if int(path[-5]) % 2 else ".jpg"))


@case("transforms", opened="transforms.json")
def the_file_itself(folder):
    pass


@case("colmap", opened="sparse")
def the_models_folder_itself(folder):
    pass


@case("colmap")
def a_model_in_colmap_sparse_0(folder):
    (folder / "colmap").mkdir()
    (folder / "sparse").rename(folder / "colmap" / "sparse")
    target = folder / "colmap" / "sparse" / "0"
    target.mkdir()
    for path in [*target.parent.glob("*.txt")]:
        path.rename(target / path.name)


@case("colmap")
def several_models(folder):
    """The largest is read, not the first."""
    (folder / "sparse").rename(folder / "whole")
    for name in ("0", "1"):
        shutil.copytree(folder / "whole", folder / "sparse" / name)
    lines = (folder / "whole" / "images.txt").read_text().splitlines()
    (folder / "sparse" / "0" / "images.txt").write_text("\n".join(lines[:4]) + "\n")
    shutil.rmtree(folder / "whole")
