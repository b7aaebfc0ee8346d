"""The film of a short camera path around the middle of a capture, in nerfstudio's cameras."""

from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from rich.progress import track

from sinenerf.files import replacing
from sinenerf.nerf.views import View


def cameras_of(views: list[View]) -> Cameras:
    """Views, which all have one lens, as nerfstudio's cameras."""
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
    import imageio

    with replacing(target) as partial, imageio.get_writer(partial, fps=fps, macro_block_size=None, quality=8) as writer:
        for index in track(range(len(cameras)), description="Fly-through"):
            frame = model.get_outputs_for_camera(cameras[index : index + 1].to(model.device))["rgb"]
            even = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]  # H.264 has no odd sides
            writer.append_data((even.cpu().numpy() * 255).round().astype(np.uint8))
