"""Captures whose cameras, frames or models have strange numbers."""

import numpy as np
from support.capture_changes import (
    case,
    edit_frame,
    edit_json,
    edit_lines,
    edit_pose,
    edit_table,
    scaled_columns,
)


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
