"""What a COLMAP reconstruction says, in this project's terms: photographs with their poses, and points.

Nothing of pycolmap is imported here: who has a reconstruction has done so.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    import pycolmap

TO_OPENGL = np.array([1.0, -1.0, -1.0, 1.0])
"""Signs of a pose's columns: COLMAP's camera axes point right, down and forwards; OpenGL's right, up and backwards."""


def placed_images(model: "pycolmap.Reconstruction") -> list["pycolmap.Image"]:
    """The photographs that have a pose, in the order of their names."""
    return sorted((model.images[i] for i in model.reg_image_ids()), key=lambda image: image.name)


def placed_names(model: "pycolmap.Reconstruction") -> list[str]:
    """The names of all `placed_images`: paths below the photographs' folder."""
    return [image.name for image in placed_images(model)]


def opengl_pose(image: "pycolmap.Image") -> Float[np.ndarray, "3 4"]:
    """The camera-to-world pose of a placed photograph, for OpenGL's camera axes, in the model's coordinates."""
    pose: np.ndarray = image.cam_from_world().inverse().matrix()
    return pose * TO_OPENGL


def opengl_poses(model: "pycolmap.Reconstruction") -> Float[np.ndarray, "views 3 4"]:
    """The poses of all `placed_images`."""
    return np.array([opengl_pose(image) for image in placed_images(model)])


def sparse_points(model: "pycolmap.Reconstruction") -> Float[np.ndarray, "points 3"]:
    """The points that the photographs share, in the model's coordinates."""
    return np.array([point.xyz for point in model.points3D.values()], np.float64).reshape(-1, 3)
