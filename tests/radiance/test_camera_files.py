"""Reading cameras from transforms.json and poses_bounds.npy."""

import json
import math

import numpy as np
import pytest
from PIL import Image
from support.capture_layouts import nerfstudio_data
from support.radiance_fields import a_capture, a_field

from sinenerf.photographs.camera_numbers import PINHOLES
from sinenerf.photographs.reading import read_cameras_of
from sinenerf.radiance.camera_files import read_cameras
from sinenerf.radiance.cameras import Capture
from sinenerf.radiance.evaluate import cameras_of
from sinenerf.radiance.lens_distortion import LensDistortion
from sinenerf.radiance.render import render_views

FRAME = {"transform_matrix": np.eye(4).tolist()}


@pytest.fixture
def read(tmp_path):
    """A function that reads the cameras of a transforms.json with the given frames and keys."""

    def read(*frames, **keys):
        path = tmp_path / "transforms.json"
        path.write_text(json.dumps({**keys, "frames": frames}))
        return read_cameras(path, a_capture())

    return read


@pytest.mark.parametrize("keys", [{}, {"applied_transform": [[0, 1, 0, 5], [1, 0, 0, 0], [0, 0, -1, 2]]}, "colmap"])
@pytest.mark.parametrize("scale", [None, 0.25])
def test_transforms_are_read_as_nerfstudio_reads_them(keys, scale, scene, tmp_path):
    from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig

    nerfstudio_data(scene, tmp_path)
    if keys == "colmap":  # an old ns-process-data, which rotated the axes without recording it
        (tmp_path / "colmap/sparse/0").mkdir(parents=True)
        keys = {}
    path = tmp_path / "transforms.json"
    content = json.loads(path.read_text()) | keys | ({} if scale is None else {"applied_scale": scale})
    path.write_text(json.dumps(content))
    config = NerfstudioDataParserConfig(data=tmp_path, eval_mode="all", load_3D_points=False)
    parsed = config.setup().get_dataparser_outputs("train")
    motion, cameras = parsed.dataparser_transform.double().numpy(), parsed.cameras
    motion[:, 3] /= scale or 1.0  # as `plugin.runs.capture_of_run` does
    capture = Capture(motion, float(parsed.dataparser_scale), a_capture().home, np.ones(3), 1.0)
    ours = read_cameras(path, capture)
    poses = cameras.camera_to_worlds.double().numpy()
    np.testing.assert_allclose(np.stack([camera.pose for camera in ours]), poses, atol=1e-5)
    assert ours[0].fx == pytest.approx(float(cameras.fx[0])) and ours[0].width == 48
    scored = cameras_of(read_cameras_of(tmp_path), capture)
    np.testing.assert_allclose(np.stack([camera.pose for camera in scored]), poses, atol=1e-5)


def test_poses_and_intrinsics_of_a_transforms_json(read):
    capture = a_capture()
    pose = np.eye(4)
    pose[:3, 3] = [1, 2, 3]
    frame = {"transform_matrix": pose.tolist()}
    first, second = read(frame, {**frame, "fl_x": 7.0, "w": 10, "h": 8}, camera_angle_x=1.0)
    np.testing.assert_allclose(first.pose[:, 3], 0.5 * (capture.motion @ [1, 2, 3, 1]))
    np.testing.assert_allclose(first.pose[:, :3], capture.motion[:, :3])
    assert first.fx == pytest.approx(24 / (2 * math.tan(0.5))) and (first.width, first.height) == (24, 18)
    assert (second.fx, second.width, second.cx) == (7.0, 10, 5.0)


def test_an_invalid_transforms_json_is_refused(read, tmp_path):
    path = tmp_path / "transforms.json"
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_cameras(path, a_capture())
    for text in ("{", "[]", "{}", '{"frames": 1}', '{"frames": [1]}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"transforms.json: not a valid transforms.json \("):
            read_cameras(path, a_capture())
    with pytest.raises(ValueError, match="has no frames"):
        read()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"fl_x": 0}, "fl_x is 0, but must be a number from 1e-08 "),
        ({"fl_x": math.nan}, "fl_x is nan"),
        ({"fl_x": -20}, "fl_x is -20"),
        ({"fl_x": None}, "fl_x is None"),
        ({"fl_x": 20, "fl_y": 0}, "fl_y is 0"),
        ({"camera_angle_x": 0}, "camera_angle_x is 0"),
        ({"camera_angle_y": 3.2}, "camera_angle_y is 3.2"),
        ({"cx": math.inf}, "cx is inf"),
        ({"cy": "middle"}, "cy is 'middle'"),
        ({"w": 0}, "w is 0, but must be a number from 1 to 16384"),
        ({"h": 10**400}, "h is 1000"),
        ({"transform_matrix": None}, "transform_matrix is missing, or not 3 x 4"),
        ({"transform_matrix": np.eye(3).tolist()}, "transform_matrix is missing, or not 3 x 4"),
        ({"transform_matrix": (math.inf * np.ones((4, 4))).tolist()}, "transform_matrix has NaN or infinite"),
        ({"transform_matrix": np.zeros((4, 4)).tolist()}, "transform_matrix cannot be inverted"),
        ({"transform_matrix": np.diag([1.0, 1, 0, 1]).tolist()}, "transform_matrix cannot be inverted"),
        ({"camera_model": "EQUIRECTANGULAR"}, "camera_model is EQUIRECTANGULAR, but only SIMPLE_PINHOLE, "),
        ({"camera_model": "EQUIRECTANGULAR"}, r"can be used\. Render the run with ns-render$"),
        ({"w": "24"}, "w is '24', but must be a number"),
        ({"k1": "much"}, "k1 is 'much'"),
        ({"distortion_params": [0.1]}, "distortion_params must be the six numbers k1, k2, k3, k4, p1, p2"),
    ],
)
def test_error_names_the_camera_that_cannot_be_rendered(keys, message, read):
    with pytest.raises(ValueError, match=rf"transforms.json: frame 1: .*{message}") as error:
        read(FRAME, {**FRAME, **keys})
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "keys", [{"applied_scale": 0}, {"applied_transform": np.zeros((3, 4)).tolist()}, {"applied_transform": [1]}]
)
def test_error_names_the_transform_that_cannot_be_inverted(keys, read):
    with pytest.raises(ValueError, match=rf"transforms.json: .*{next(iter(keys))} "):
        read(FRAME, **keys)


def test_pinholes_are_nerfstudios_perspective_models(read):
    from nerfstudio.cameras.cameras import CAMERA_MODEL_TO_TYPE, CameraType

    perspective = {name for name, kind in CAMERA_MODEL_TO_TYPE.items() if kind == CameraType.PERSPECTIVE}
    assert set(PINHOLES) == perspective
    assert len(read(*({**FRAME, "camera_model": model} for model in PINHOLES))) == len(PINHOLES)


@pytest.mark.parametrize(
    ("keys", "focal"),
    [
        ({"fl_y": 30}, (30, 30)),
        ({"fl_x": 31}, (31, 31)),
        ({"camera_angle_y": 1.0}, (9 / math.tan(0.5), 9 / math.tan(0.5))),
        ({"camera_angle_x": 1.0, "camera_angle_y": 0.5}, (12 / math.tan(0.5), 9 / math.tan(0.25))),
        ({"fl_x": 30, "camera_angle_x": 1.0}, (30, 30)),
        ({}, (20, 21)),
        ({"w": 48, "h": 36}, (40, 42)),
    ],
)
def test_focal_lengths(keys, focal, read):
    (camera,) = read(FRAME, **keys)
    assert (camera.fx, camera.fy) == pytest.approx(focal)


def test_focal_lengths_in_pixels_are_those_of_the_photograph(read, tmp_path):
    """Without w and h they were taken for pixels of the training photographs, which are often smaller."""
    Image.new("RGB", (48, 36)).save(tmp_path / "a.png")
    for frame, keys, size in (
        ({**FRAME, "file_path": "a"}, {"fl_x": 40}, (48, 36, 40)),
        ({**FRAME, "file_path": "a"}, {"fl_x": 40, "w": 24, "h": 18}, (24, 18, 40)),
        ({**FRAME, "file_path": "a"}, {}, (24, 18, 20)),
        ({**FRAME, "file_path": "b"}, {"fl_x": 40}, (24, 18, 40)),
    ):
        (camera,) = read(frame, **keys)
        assert (camera.width, camera.height, camera.fx) == size


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("images/IMG_2.jpg", "./test/r_0"), ["IMG_2", "r_0"]),
        (("a/1.png", "b/1.png"), ["00000", "00001"]),
        (("a.png", "A.jpg"), ["00000", "00001"]),  # the same file if the file system ignores case
        (("a.png", None), ["00000", "00001"]),
        (("a.png", ""), ["00000", "00001"]),
    ],
)
def test_images_are_named_after_photographs(paths, names, tmp_path):
    path = tmp_path / "transforms.json"
    frames = [{**FRAME, "file_path": name} for name in paths]
    path.write_text(json.dumps({"w": 4, "h": 3, "frames": frames}))
    images = render_views(a_field(), tmp_path / "out", path, 1, 1.0)
    assert [image.stem for image in images] == names and all(image.parent == tmp_path / "out" for image in images)


@pytest.mark.parametrize(
    ("keys", "lens"),
    [
        ({}, LensDistortion()),
        ({"k1": 0.1, "p2": -0.2}, LensDistortion(k1=0.1, p2=-0.2)),
        ({"distortion_params": [1, 2, 3, 4, 5, 6]}, LensDistortion(1, 2, 3, 4, 5, 6)),
        ({"camera_model": "OPENCV_FISHEYE", "k4": 0.3}, LensDistortion(k4=0.3, fisheye=True)),
        ({"is_fisheye": True}, LensDistortion(fisheye=True)),
    ],
)
def test_lens_distortion_is_read(keys, lens, read):
    (camera,) = read({**FRAME, **keys})
    assert camera.distortion == camera.resized(2).distortion == lens
