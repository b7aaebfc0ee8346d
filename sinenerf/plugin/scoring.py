"""Scores of the held-out views of a nerfstudio pipeline, rendered by its model or by a .sine file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from sinenerf.plugin.edge import silence
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.evaluate import Mask, Score, score
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.image_metrics import Image
from sinenerf.radiance.lens_distortion import LensDistortion

Renderer = Callable[[Any, int], Tensor]
"""(nerfstudio's camera, stride) to every n-th pixel of its view across and down, (height, width, 3) in [0, 1]."""


@silence()
def score_held_out(pipeline: Any, render: Renderer, stride: int = 1) -> list[Score]:
    """Compare every n-th pixel, across and down, of each held-out view with its photograph.

    Args:
        stride: n.
    """
    pipeline.eval()
    return list(score(held_out_views(pipeline), render, stride))


def held_out_views(pipeline: Any) -> Iterator[tuple[Any, Image, Mask | None]]:
    """Cameras, photographs and masks of the held-out views; transparent pixels are blended with the background."""
    for camera, batch in pipeline.datamanager.fixed_indices_eval_dataloader:
        photograph = pipeline.model.renderer_rgb.blend_background(batch["image"].float().cpu())
        yield camera, photograph, batch.get("mask")


def model_renderer(pipeline: Any) -> Renderer:
    """Renders with the pipeline's model."""

    def render(camera: Any, stride: int) -> Tensor:
        rays = camera.generate_rays(camera_indices=0, keep_shape=True)[::stride, ::stride]
        outputs = pipeline.model.get_outputs_for_camera_ray_bundle(rays.to(pipeline.device))
        return outputs["rgb"] if "rgb" in outputs else outputs["rgb_fine"]

    return render


def file_renderer(path: Path) -> Renderer:
    """Renders the scene in a .sine file."""
    field = RadianceField.load(path).on_best_device()

    def render(camera: Any, stride: int) -> Tensor:
        return field.render(camera_of(camera))["rgb"][::stride, ::stride]

    return render


def camera_of(camera: Any) -> Camera:
    """One of nerfstudio's perspective or fisheye cameras as one of ours."""
    from nerfstudio.cameras.cameras import CameraType

    fx, fy, cx, cy = (float(getattr(camera, name)) for name in ("fx", "fy", "cx", "cy"))
    pose = camera.camera_to_worlds.reshape(3, 4).cpu().double().numpy()
    bent = [0.0] * 6 if camera.distortion_params is None else camera.distortion_params.flatten().tolist()
    lens = LensDistortion(*bent, fisheye=int(camera.camera_type) == CameraType.FISHEYE.value)
    return Camera(pose, fx, fy, cx, cy, int(camera.width), int(camera.height), distortion=lens)
