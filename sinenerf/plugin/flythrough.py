"""The film of a short camera path around the middle of a capture, in nerfstudio's cameras."""

from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from rich.progress import track

from sinenerf.common.films import open_film
from sinenerf.radiance.cameras import Camera


def cameras_of(views: list[Camera]) -> Cameras:
    """PosedViews, which all have one lens, as nerfstudio's cameras."""
    first = views[0]
    return Cameras(
        torch.from_numpy(np.stack([view.pose for view in views])).float(),
        fx=first.fx,
        fy=first.fy,
        cx=first.cx,
        cy=first.cy,
        width=first.width,
        height=first.height,
    )


def film(model, cameras: Cameras, target: Path, fps: int = 24) -> None:
    """Render each camera and write an mp4, through the ffmpeg that imageio brings."""
    with open_film(target, fps) as add:
        for index in track(range(len(cameras)), description="Fly-through"):
            frame = model.get_outputs_for_camera(cameras[index : index + 1].to(model.device))["rgb"]
            add((frame.cpu().numpy() * 255).round().astype(np.uint8))
