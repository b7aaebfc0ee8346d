"""`sinenerf render`: pictures or a film of the scene in a .sine file, without nerfstudio."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from sinenerf.common.files import check_folder, replacing
from sinenerf.common.films import FILMS, write_film
from sinenerf.common.progress import track
from sinenerf.radiance.camera_files import read_cameras
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.field import RadianceField

Output = Literal["rgb", "depth", "accumulation", "normals"]
FULL = 0.5
"""Accumulation from which a pixel counts for the range of depths that is shown."""


def render_views(
    field: RadianceField,
    output: Path,
    cameras: Path | None,
    frames: int,
    scale: float,
    what: Output = "rgb",
    fps: int = 24,
    progress: bool = False,
) -> list[Path]:
    """Render a radiance field from given cameras, or along a path around its home view.

    Args:
        field: of a .sine file.
        output: a folder for one PNG a view, named as `read_cameras` names it or by its number, or a film: .mp4, .gif.
        cameras: transforms.json or poses_bounds.npy of the capture; None for the path.
        frames: pictures on the path.
        scale: size of the pictures as a multiple of the photographs' size.
        progress: show a bar with the time left.

    Returns:
        the files written.

    Raises:
        FileNotFoundError: the camera file, or the folder for the film, does not exist.
        ValueError: the cameras cannot be rendered, or scale or frames is not positive.
    """
    if not (scale > 0 and frames > 0):
        raise ValueError(f"scale is {scale} and frames {frames}: both must be positive")
    assert field.capture is not None
    views = field.capture.spiral(frames) if cameras is None else read_cameras(cameras, field.capture)
    views = [view.resized(scale) for view in views]
    field = field.on_best_device()
    shown = track(views, "Rendering", show=progress)
    if output.suffix.lower() in FILMS:
        check_folder(output)
        with compiled_rendering(field):
            write_film(output, (picture(field, view, what) for view in shown), fps)
        return [output]
    if output.is_file():
        raise FileExistsError(f"{output}: is a file. Films are written as {' or '.join(FILMS)}, pictures to a folder")
    output.mkdir(parents=True, exist_ok=True)
    return [_picture(field, view, output / f"{view.name}.png", what) for view in shown]


@contextmanager
def compiled_rendering(field: RadianceField) -> Iterator[None]:
    """Within the block, a field on the CPU is rendered by compiled passes where they serve, in half of torch's time.

    For films: the first call on a machine compiles for some seconds.
    """
    from sinenerf.common.matrix_kernels import kernels_alone
    from sinenerf.radiance.compiled_networks import CompiledNetworks

    field.compiled = CompiledNetworks((field.coarse, field.fine), field.config, rendering=True)
    on_cpu = next(field.parameters()).device.type == "cpu"
    try:
        with kernels_alone() if field.compiled.possible and on_cpu else nullcontext():
            yield
    finally:
        field.compiled = None


def picture(
    field: RadianceField, view: Camera, what: Output = "rgb", check: Callable[[], None] = lambda: None
) -> UInt8[np.ndarray, "height width 3"]:
    """One output of a view as a picture; depth is shown as inverse depth over the range of what the view shows, dark
    where it shows nothing, and normals as colours.

    `check` is called a few times a second; what it raises ends the rendering.
    """
    outputs = field.render(view, what == "normals", check)
    return (_shown(outputs, what).expand(-1, -1, 3).numpy() * 255).round().astype(np.uint8)


def _shown(outputs: dict[str, Tensor], what: Output) -> Tensor:
    if what == "normals":
        return (1 + outputs["normals"]) / 2
    if what == "depth":
        return _nearness(outputs["depth"], outputs["accumulation"])
    return outputs[what].clamp(0, 1)


def _nearness(depth: Tensor, accumulation: Tensor) -> Tensor:
    """Inverse depth in [0, 1] over the range of the pixels that are not empty: the depth of others says nothing."""
    nearness, full = 1 / depth.clamp(min=1e-6), accumulation >= FULL
    if not full.any():
        return torch.zeros_like(depth)
    low, high = nearness[full].aminmax()
    return (accumulation * (nearness - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)


def _picture(field: RadianceField, view: Camera, path: Path, what: Output) -> Path:
    from PIL import Image

    image = picture(field, view, what)
    with replacing(path) as partial:
        Image.fromarray(image).save(partial)
    return path
