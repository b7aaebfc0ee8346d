"""The field of a trained run and the parts of its surface that the training cameras see, for a mesh."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sinenerf.common.progress import track
from sinenerf.factored import built_once
from sinenerf.plugin.runs import capture_of_run, open_run
from sinenerf.plugin.scoring import camera_of
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.surface import Visible

DEPTH_SLACK = 1.05
"""A point whose distance is at most this many times a view's depth counts as seen by the view."""
DEPTH_WIDTH = 160
"""Pixels across the depth maps that decide what was seen."""


def field_and_views(run: Path, progress: bool = False) -> tuple[RadianceField, list[Camera], Visible]:
    """The field of a run with its capture, its training cameras, and a test of which points in scene coordinates any of
    them sees.

    Args:
        run: the folder or config.yml of a `sine-nerf` run.
        progress: show how far that test is.

    Raises:
        FileNotFoundError: the run does not exist.
        ValueError: the run is of another method, or cannot be opened.
    """
    pipeline = open_run(run)
    field = pipeline.model.field
    field.capture = capture_of_run(pipeline)
    cameras = pipeline.datamanager.train_dataset.cameras
    views = [camera_of(cameras[index : index + 1]) for index in range(len(cameras))]
    return field, views, lambda points: _seen(pipeline, points, progress)


@torch.no_grad()
def _seen(pipeline, vertices: Float[np.ndarray, "n 3"], progress: bool) -> Bool[np.ndarray, " n"]:
    """Whether any training view sees each scene point: it projects into the image, and not behind its depth."""
    cameras = pipeline.datamanager.train_dataset.cameras.to(pipeline.device)
    points = torch.from_numpy(np.array(vertices)).float()
    seen = torch.zeros(len(points), dtype=torch.bool)
    with built_once(pipeline.model):
        for index in track(range(len(cameras)), "Depth of views", show=progress):
            camera = cameras[index : index + 1]
            camera.rescale_output_resolution(min(1.0, DEPTH_WIDTH / float(camera.width[0])))
            depth = pipeline.model.get_outputs_for_camera(camera)["depth"][..., 0].cpu()
            seen |= _in_front(points, camera, depth)
    return seen.numpy()


def _in_front(points: Tensor, camera, depth: Tensor) -> Tensor:
    """(n,) whether points project into one camera's depth map (height, width) and are not behind it."""
    view = camera_of(camera)
    offset = points.double().numpy() - view.pose[:, 3]
    distance = np.linalg.norm(offset, axis=1)
    local = offset @ view.pose[:, :3]
    _, rays = view.rays()
    widest = float((rays.double().numpy() @ -view.pose[:, 2]).min())  # cosine: no pixel looks farther off the axis
    within = np.flatnonzero(-local[:, 2] >= (widest - 1e-6) * distance)
    x, y = view.distortion.pixels(local[within])
    column, row = np.floor(view.cx + x * view.fx), np.floor(view.cy + y * view.fy)
    inside = (column >= 0) & (column < view.width) & (row >= 0) & (row < view.height)
    within, column, row = within[inside], column[inside].astype(int), row[inside].astype(int)
    seen = np.zeros(len(points), dtype=bool)
    seen[within] = distance[within] <= DEPTH_SLACK * depth.numpy()[row, column]
    return torch.from_numpy(seen)
