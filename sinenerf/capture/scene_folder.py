"""The last stage: the scene's folder, in which nerfstudio, sinenerf and COLMAP's users find what they look for.

images/...            undistorted photographs
masks/...             undistorted masks, white where a photograph counts, if there are any
transforms.json       nerfstudio's cameras (OpenGL axes, z up), a line of intrinsics for each
sparse_pc.ply         sparse points with colours
colmap/sparse/0/      COLMAP's model of the undistorted photographs, in the same coordinates
sparse/0/             the same files once more, where Gaussian splatting's programs look
"""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.capture.intake import Photograph
from sinenerf.capture.stages import Stages
from sinenerf.capture.workspace import Workspace
from sinenerf.common.reconstruction import opengl_pose, placed_images, sparse_points

if TYPE_CHECKING:
    import pycolmap

CLOUD = "sparse_pc.ply"
"""nerfstudio's name of the sparse points."""


def write_scene(
    model: "pycolmap.Reconstruction", photographs: list[Photograph], workspace: Workspace, stages: Stages
) -> Path:
    """Write the files of a placed model to the work folder. The model becomes that of the undistorted photographs.

    Returns:
        the folder with the files.
    """
    by_name = {photograph.name: photograph for photograph in photographs}
    images, folder = placed_images(model), workspace.empty_result()
    (folder / "images").mkdir()
    masked = any(by_name[image.name].masked for image in images)
    if masked:
        (folder / "masks").mkdir()
    straight = {camera_id: _undistorted(camera) for camera_id, camera in model.cameras.items()}
    with stages.stage("undistorting", len(images), "photographs") as advance:
        for number, image in enumerate(images):
            _write_photograph(image, by_name[image.name], workspace, folder, masked)
            _straighten_points(image, straight[image.camera_id])
            advance(number + 1)
    for camera_id, camera in straight.items():
        old = model.cameras[camera_id]
        old.model, old.params, old.width, old.height = camera.model, camera.params, camera.width, camera.height
    _write_colmap(model, folder)
    _write_cloud(model, folder / CLOUD)
    _write_transforms(images, by_name, folder, masked)
    return folder


def _undistorted(camera: "pycolmap.Camera") -> "pycolmap.Camera":
    """The pinhole camera of undistorted photographs that have no empty margins."""
    import pycolmap

    return pycolmap.undistort_camera(pycolmap.UndistortCameraOptions(), camera)


def _write_photograph(
    image: "pycolmap.Image", photograph: Photograph, workspace: Workspace, folder: Path, masked: bool
) -> None:
    from PIL import Image

    with Image.open(workspace.images / image.name) as picture:
        straight = _undistort(np.asarray(picture.convert("RGB")), image.camera)
    path = folder / "images" / image.name
    Image.fromarray(straight).save(path, quality=95, subsampling=0)  # a PNG ignores both
    if not masked:
        return
    mask = np.full((image.camera.height, image.camera.width), 255, np.uint8)
    if photograph.masked:
        with Image.open(workspace.masks / f"{image.name}.png") as stored:
            mask = np.asarray(stored.convert("L"))
    kept = np.where(_undistort(mask, image.camera) >= 128, 255, 0).astype(np.uint8)
    Image.fromarray(kept).save(folder / "masks" / _mask_name(image.name))


def _undistort(picture: np.ndarray, camera: "pycolmap.Camera") -> np.ndarray:
    import pycolmap

    bitmap = pycolmap.Bitmap.from_array(np.ascontiguousarray(picture))
    straight, _ = pycolmap.undistort_image(pycolmap.UndistortCameraOptions(), bitmap, camera)
    array = straight.to_array()
    return array[..., 0] if picture.ndim == 2 and array.ndim == 3 else array


def _straighten_points(image: "pycolmap.Image", straight: "pycolmap.Camera") -> None:
    """Move a photograph's features to where the undistorted photograph shows them."""
    pixels = np.array([point.xy for point in image.points2D]).reshape(-1, 2)
    if not len(pixels):
        return
    rays = np.asarray(image.camera.cam_from_img(pixels))
    rays = np.column_stack([rays[:, :2], np.ones(len(rays))])
    for point, moved in zip(image.points2D, np.asarray(straight.img_from_cam(rays)), strict=True):
        point.xy = moved


def _write_colmap(model: "pycolmap.Reconstruction", folder: Path) -> None:
    """COLMAP's binary files twice: as links to the same data where the disk can, which take no space."""
    first, second = folder / "colmap" / "sparse" / "0", folder / "sparse" / "0"
    first.mkdir(parents=True)
    second.mkdir(parents=True)
    model.write_binary(first)
    for path in first.iterdir():
        try:
            os.link(path, second / path.name)
        except OSError:
            shutil.copy(path, second / path.name)


def _write_cloud(model: "pycolmap.Reconstruction", path: Path) -> None:
    import trimesh

    points = sparse_points(model).astype(np.float32)
    colours = np.array([point.color for point in model.points3D.values()], np.uint8)
    path.write_bytes(trimesh.PointCloud(points, colours).export(file_type="ply"))


def _write_transforms(
    images: list["pycolmap.Image"], by_name: dict[str, Photograph], folder: Path, masked: bool
) -> None:
    frames = []
    for image in images:
        camera, mask = image.camera, {"mask_path": f"masks/{_mask_name(image.name)}"} if masked else {}
        frame = {"file_path": f"images/{image.name}", **mask, "w": camera.width, "h": camera.height}
        frame |= {"fl_x": camera.focal_length_x, "fl_y": camera.focal_length_y}
        frame |= {"cx": camera.principal_point_x, "cy": camera.principal_point_y}
        matrix = np.vstack([opengl_pose(image), [0.0, 0.0, 0.0, 1.0]])
        frame |= {"transform_matrix": matrix.tolist(), "colmap_im_id": image.image_id}
        frames.append(frame | {"source": by_name[image.name].source})
    # without applied_transform nerfstudio would take the axes to be its own tool's
    identity = np.eye(4)[:3].tolist()
    content = {"camera_model": "PINHOLE", "applied_transform": identity, "ply_file_path": CLOUD, "frames": frames}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / "transforms.json").write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def _mask_name(name: str) -> str:
    return f"{name}.png"
