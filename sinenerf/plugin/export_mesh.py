"""The field of a trained run and the parts of its surface that the training cameras see, for a mesh."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sinenerf.common.progress import track
from sinenerf.factored import built_once
from sinenerf.plugin.runs import capture_of_run, open_run
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.surface import Visible

DEPTH_SLACK = 1.05
"""A point whose distance is at most this many times a view's depth counts as seen by the view."""
DEPTH_WIDTH = 160
"""Pixels across the depth maps that decide what was seen."""


def field_and_visibility(run: Path) -> tuple[RadianceField, Visible]:
    """The field of a run with its capture, and a test of which points in scene coordinates any training camera sees.

    Args:
        run: the folder or config.yml of a `sine-nerf` run.

    Raises:
        FileNotFoundError: the run does not exist.
        ValueError: the run is of another method, or cannot be opened.
    """
    pipeline = open_run(run)
    field = pipeline.model.field
    field.capture = capture_of_run(pipeline)
    return field, lambda points: _seen(pipeline, points)


@torch.no_grad()
def _seen(pipeline, vertices: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
    """Whether any training view sees each scene point: it projects into the image, and not behind its depth."""
    cameras = pipeline.datamanager.train_dataset.cameras.to(pipeline.device)
    points = torch.from_numpy(np.array(vertices)).float()
    seen = torch.zeros(len(points), dtype=torch.bool)
    with built_once(pipeline.model):
        for index in track(range(len(cameras)), "Depth of views"):
            camera = cameras[index : index + 1]
            camera.rescale_output_resolution(min(1.0, DEPTH_WIDTH / float(camera.width[0])))
            depth = pipeline.model.get_outputs_for_camera(camera)["depth"][..., 0].cpu()
            seen |= _in_front(points, camera, depth)
    return seen.numpy()


def _in_front(points: Tensor, camera, depth: Tensor) -> Tensor:
    """(n,) whether points project into one camera's depth map (height, width) and are not behind it."""
    from nerfstudio.cameras.cameras import CameraType

    to_world = camera.camera_to_worlds[0].cpu()
    offset = points - to_world[:, 3]
    x, y, z = (offset @ to_world[:, :3]).unbind(-1)
    ahead, stretch = z < 0, -1 / z
    if int(camera.camera_type[0]) == CameraType.FISHEYE.value:  # the distance from the middle is the angle
        across = torch.hypot(x, y)
        ahead, stretch = torch.ones_like(ahead), torch.atan2(across, -z) / across.clamp(min=1e-12)
    column = (camera.cx[0].cpu() + x * stretch * camera.fx[0].cpu()).floor().long()
    row = (camera.cy[0].cpu() - y * stretch * camera.fy[0].cpu()).floor().long()
    height, width = depth.shape
    inside = ahead & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    shown = depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return inside & (offset.norm(dim=-1) <= DEPTH_SLACK * shown)
