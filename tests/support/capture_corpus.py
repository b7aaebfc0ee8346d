"""Strange and broken captures, each made from a good one by a small change, and what reading it must give.

The good capture exists as an LLFF folder, as nerfstudio's transforms.json and as a COLMAP model. A case changes a copy.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from support.capture_layouts import colmap_data, nerfstudio_data

LAYOUTS = {"llff": None, "transforms": nerfstudio_data, "colmap": colmap_data}


@dataclass(frozen=True)
class Case:
    """A capture, and the outcome: accepted with the right cameras (perhaps with a note), or refused with one line."""

    name: str
    kind: str
    change: Callable[[Path], object]
    refused: tuple[str, ...] = ()
    """Words of the line; nothing for a capture that is accepted."""
    noted: tuple[str, ...] = ()
    """Words of the notes."""
    views: int = 9
    """Number of views that are read."""
    options: dict = field(default_factory=dict)
    """Arguments of `read_photographs`."""
    opened: str = "."
    """What is opened, below the capture's folder."""


CASES: list[Case] = []


def case(kind: str, *refused: str, **options):
    """Add a case whose change is the decorated function."""

    def add(change):
        CASES.append(Case(change.__name__, kind, change, refused, **options))
        return change

    return add


def make(kind: str, scene: Path, target: Path) -> None:
    """Write the good capture, an LLFF folder of nine photographs, as one of its three kinds."""
    if kind == "llff":
        shutil.copytree(scene, target)
        return
    target.mkdir()
    LAYOUTS[kind](scene, target)


def picture(folder: Path, view: int = 4) -> Path:
    return folder / "images" / f"image{view:03d}.png"


def resave(path: Path, change, suffix: str | None = None, **options) -> Path:
    """Write a changed photograph in place of one, perhaps with another suffix."""
    with Image.open(path) as image:
        image.load()
    path.unlink()
    target = path if suffix is None else path.with_suffix(suffix)
    change(image).save(target, **options)
    return target


def edit_table(folder: Path, change) -> None:
    table = np.load(folder / "poses_bounds.npy")
    changed = change(table)
    np.save(folder / "poses_bounds.npy", table if changed is None else changed)


def edit_json(folder: Path, change) -> None:
    path = folder / "transforms.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_frame(folder: Path, change, view: int = 4) -> None:
    edit_json(folder, lambda content: change(content["frames"][view]))


def edit_pose(folder: Path, change, view: int = 4) -> None:
    """Change the 4x4 matrix of a frame."""

    def edit(frame):
        pose = np.array(frame["transform_matrix"])
        changed = change(pose)
        frame["transform_matrix"] = (pose if changed is None else changed).tolist()

    edit_frame(folder, edit, view)


def edit_lines(folder: Path, name: str, change) -> None:
    """Change the lines of a file of a COLMAP text model."""
    path = folder / "sparse" / name
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def scaled_columns(matrix: np.ndarray, factors) -> np.ndarray:
    return matrix @ np.diag([*factors, 1.0])


# pixels


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


# files beside photographs, and files that are missing


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


# paths


def _rename_frames(folder, change):
    edit_json(folder, lambda c: [f.update(file_path=change(f["file_path"])) for f in c["frames"]])


@case("transforms")
def back_slashes(folder):
    _rename_frames(folder, lambda path: path.replace("/", "\\"))


@case("transforms")
def paths_of_windows(folder):
    _rename_frames(folder, lambda path: "C:\\Users\\me\\scene\\" + path.replace("/", "\\"))


@case("transforms")
def absolute_paths_of_another_computer(folder):
    _rename_frames(folder, lambda path: "/home/other/scene/" + path)


@case("transforms")
def suffixes_in_another_case(folder):
    _rename_frames(folder, lambda path: path.replace(".png", ".PNG"))


@case("transforms")
def paths_without_suffix(folder):
    _rename_frames(folder, lambda path: "./" + path.removesuffix(".png"))


@case("transforms")
def jpg_beside_capital_jpg(folder):
    for view in range(9):
        resave(picture(folder, view), lambda image: image, ".JPG" if view % 2 else ".jpg")
    _rename_frames(folder, lambda path: path.replace(".png", ".JPG" if int(path[-5]) % 2 else ".jpg"))


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


# numbers


@case("transforms")
def a_byte_order_mark(folder):
    path = folder / "transforms.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())


@case("transforms")
def a_field_of_view_alone(folder):
    def change(content):
        content["camera_angle_x"] = 2 * np.arctan(content["w"] / (2 * content["fl_x"]))
        for name in ("fl_x", "fl_y", "cx", "cy", "w", "h"):
            del content[name]

    edit_json(folder, change)


@case("transforms")
def a_focal_length_without_size(folder):
    edit_json(folder, lambda content: [content.pop(name) for name in ("fl_y", "cx", "cy", "w", "h")])


@case("transforms")
def a_matrix_of_three_rows(folder):
    edit_frame(folder, lambda frame: frame["transform_matrix"].pop())


@case("transforms", "frame 4", "transform_matrix is missing")
def a_matrix_of_two_rows(folder):
    edit_frame(folder, lambda frame: frame.update(transform_matrix=frame["transform_matrix"][:2]))


@case("transforms", "frame 4", "orthonormal", "scaled or sheared")
def a_sheared_pose(folder):
    edit_pose(folder, lambda pose: pose.__setitem__((0, 1), pose[0, 1] + 0.3))


@case("transforms", "frame 4", "orthonormal")
def a_scaled_pose(folder):
    edit_pose(folder, lambda pose: scaled_columns(pose, (2, 2, 2)))


@case("transforms", "frame 4", "mirror image")
def a_mirrored_pose(folder):
    edit_pose(folder, lambda pose: scaled_columns(pose, (-1, 1, 1)))


@case("transforms", "frame 4", "NaN or infinite")
def a_pose_with_nan(folder):
    edit_pose(folder, lambda pose: pose.__setitem__((1, 3), np.nan))


@case("transforms", "all cameras are at one place")
def cameras_at_one_place(folder):
    for view in range(9):
        edit_pose(folder, lambda pose: pose.__setitem__((slice(3), 3), 0.0), view)


@case("transforms", "fl_x is -50")
def a_negative_focal_length(folder):
    edit_json(folder, lambda content: content.update(fl_x=-50.0))


@case("transforms", "fl_x is '50'")
def a_textual_focal_length(folder):
    edit_json(folder, lambda content: content.update(fl_x="50"))


@case("transforms", "fl_x is 0")
def a_focal_length_of_zero(folder):
    edit_json(folder, lambda content: content.update(fl_x=0))


@case("transforms", "neither fl_x nor camera_angle_x")
def no_focal_length(folder):
    edit_json(folder, lambda content: [content.pop(name) for name in ("fl_x", "fl_y")])


@case("transforms", "has no frames")
def no_frames(folder):
    edit_json(folder, lambda content: content.update(frames=[]))


@case("transforms", "frame 4: has no file_path")
def no_file_path(folder):
    edit_frame(folder, lambda frame: frame.pop("file_path"))


@case("transforms", "not a valid transforms.json (JSONDecodeError")
def half_a_json(folder):
    path = folder / "transforms.json"
    path.write_text(path.read_text()[:200])


@case("transforms", "not a valid transforms.json (TypeError")
def frames_that_are_a_number(folder):
    edit_json(folder, lambda content: content.update(frames=3))


@case("transforms", "camera_model is EQUIRECTANGULAR", "Undistort")
def a_panorama(folder):
    edit_json(folder, lambda content: content.update(camera_model="EQUIRECTANGULAR"))


@case("transforms", "test_filenames names photographs that no frame has")
def a_split_of_other_photographs(folder):
    edit_json(folder, lambda content: content.update(train_filenames=[], test_filenames=["images/other.png"]))


@case("llff", "view 3: its rotation is a mirror image")
def a_mirrored_table(folder):
    edit_table(folder, lambda table: table.__setitem__((3, slice(0, 15, 5)), -table[3, 0:15:5]))


@case("llff", "poses_bounds.npy: not a readable .npy")
def a_pickled_table(folder):
    np.save(folder / "poses_bounds.npy", np.array([{}], dtype=object), allow_pickle=True)


@case("llff", "view 5", "near 100")
def near_beyond_far(folder):
    edit_table(folder, lambda table: table.__setitem__((5, 15), 100.0))


@case("colmap", "FULL_OPENCV", "Undistort the photographs")
def a_camera_that_only_colmap_knows(folder):
    line = "1 FULL_OPENCV 48 36 43 43 24 18 0 0 0 0 0 0 0 0"
    edit_lines(folder, "cameras.txt", lambda lines: [line])


@case("colmap", "sparse: not a readable COLMAP model")
def a_damaged_model(folder):
    for name in ("cameras", "images", "points3D"):
        (folder / "sparse" / f"{name}.txt").unlink()
        (folder / "sparse" / f"{name}.bin").write_bytes(b"\x05\0\0\0\0\0\0\0" + b"\xff" * 40)


@case("colmap", "image004.png: focal length is -50")
def a_negative_focal_length_in_a_model(folder):
    edit_lines(folder, "cameras.txt", lambda lines: ["1 PINHOLE 48 36 43 43 24 18", "2 PINHOLE 48 36 -50 43 24 18"])
    edit_lines(
        folder,
        "images.txt",
        lambda lines: [line.replace(" 1 image004", " 2 image004") for line in lines],
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


# after public reports of nerfstudio's users


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
    _rename_frames(folder, lambda path: path.replace("images/", "images/rgb/"))


@case("transforms", "frame 4", "transform_matrix is missing")
def a_frame_without_a_pose(folder):
    """mr2nerf's issue 3: KeyError for a photograph whose pose was not found."""
    edit_frame(folder, lambda frame: frame.pop("transform_matrix"))
