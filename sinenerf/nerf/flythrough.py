"""A short camera path around the middle of a forward-facing capture, and the film seen along it."""

import math
from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from rich.progress import track

from sinenerf.files import replacing


def spiral(cameras: Cameras, frames: int, focus: float, turns: int = 1, reach: float = 0.7) -> Cameras:
    """Cameras (frames,) on an ellipse across the captured positions, looking at a point `focus` before their mean.

    After the spiral of NeRF's published code, with a closed path, so that the film can loop.
    """
    poses = cameras.camera_to_worlds.cpu().double().numpy()
    middle = poses[:, :, 3].mean(0)
    right, up, back = (_unit(poses[:, :, axis].mean(0)) for axis in range(3))
    radii = reach * np.abs((poses[:, :, 3] - middle) @ np.stack([right, up, back], 1)).max(0)
    target = middle - focus * back
    path = []
    for angle in np.linspace(0, 2 * math.pi * turns, frames, endpoint=False):
        offset = radii * [math.cos(angle), math.sin(angle), 0.5 * math.sin(2 * angle)]
        position = middle + offset @ np.stack([right, up, back])
        z = _unit(position - target)
        x = _unit(np.cross(up, z))
        path.append(np.stack([x, np.cross(z, x), z, position], axis=1))
    first = cameras[:1]
    return Cameras(
        torch.from_numpy(np.stack(path)).float(),
        fx=float(first.fx),
        fy=float(first.fy),
        cx=float(first.cx),
        cy=float(first.cy),
        width=int(first.width),
        height=int(first.height),
    )


def film(model, cameras: Cameras, target: Path, fps: int = 24) -> None:
    """Render each camera and write an mp4, through the ffmpeg that imageio brings."""
    import imageio

    with replacing(target) as partial, imageio.get_writer(partial, fps=fps, macro_block_size=None, quality=8) as writer:
        for index in track(range(len(cameras)), description="Fly-through"):
            frame = model.get_outputs_for_camera(cameras[index : index + 1].to(model.device))["rgb"]
            even = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]  # H.264 has no odd sides
            writer.append_data((even.cpu().numpy() * 255).round().astype(np.uint8))


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
