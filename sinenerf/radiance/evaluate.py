"""Scoring of held-out views: a scene's file, or any renderer, against photographs; without nerfstudio."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from sinenerf.common.files import check_folder, replacing
from sinenerf.radiance import llff
from sinenerf.radiance.camera_files import read_cameras
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.image_metrics import image_metrics

PICTURES = {".png", ".jpg", ".jpeg"}
BEHIND = {"white": 1.0, "black": 0.0}
"""What a photograph with transparent pixels is laid upon."""


@dataclass(frozen=True)
class Evaluation:
    """Quality and size of a scene's file; means over the views."""

    psnr: float
    """dB."""
    ssim: float
    lpips: float | None
    """None where VGG's weights are not on disk."""
    views: int
    bytes: int
    """Of the file."""
    parameters: int


def evaluate(
    field: RadianceField, size: int, capture: Path, hold_every: int = 8, picture: Path | None = None
) -> Evaluation:
    """Compare a scene's file with photographs of its capture.

    Args:
        size: of the file, in bytes.
        capture: LLFF folder (or its poses_bounds.npy), of which every n-th view, from the first on, was held out; or a
            transforms.json, all of whose frames count: transforms_test.json of a Blender scene.
        hold_every: n.
        picture: write truth and rendering side by side there, a row a view: .png, .jpg.

    Raises:
        FileNotFoundError: no such capture, or no folder for the picture.
        ValueError: cameras or photographs that cannot be read, or do not belong together; a picture of another kind.
    """
    if picture is not None:
        check_folder(picture)
        if picture.suffix.lower() not in PICTURES:
            raise ValueError(f"{picture}: pictures are written as {', '.join(sorted(PICTURES))}")
    scene = capture.parent if capture.suffix == ".npy" else capture
    photographs = _frames(field, capture) if scene.suffix == ".json" else _held_out(field, scene, hold_every)
    metrics, rows = [], []
    for path, view in track(list(photographs), description="Rendering", transient=True):
        truth = _read(path, field.config.background)
        image = field.render(view.resized(truth.shape[1] / view.width))["rgb"].clamp(0, 1)
        if image.shape != truth.shape:
            raise ValueError(f"{path}: of {truth.shape[1]} x {truth.shape[0]}, where its camera has other proportions")
        metrics.append(image_metrics(image, truth))
        if picture is not None:
            rows.append((torch.cat([truth, image], dim=1) * 255).round().to(torch.uint8).numpy())
    if picture is not None:
        _write(rows, picture)
    mean = {name: float(np.mean([m[name] for m in metrics])) for name in metrics[0]}
    return Evaluation(mean["psnr"], mean["ssim"], mean.get("lpips"), len(metrics), size, field.parameters_count)


def _held_out(field: RadianceField, scene: Path, every: int) -> Iterator[tuple[Path, Camera]]:
    """Held-out photographs of an LLFF scene, in the size that the field was trained on, and their views."""
    assert field.capture is not None
    table = scene / "poses_bounds.npy"
    read = llff.read_poses_bounds(table)
    paths = _photographs(scene, field.capture.home.width)
    llff.check_images(paths, read, table)
    views = read_cameras(table, field.capture)
    for index in llff.hold_out(len(paths), every)[1]:
        yield paths[index], views[index]


def _photographs(scene: Path, width: int) -> list[Path]:
    """The photographs of an LLFF scene that are so many pixels wide."""
    folders = [folder for folder in sorted(scene.glob("images*")) if llff.list_images(folder)]
    for folder in folders:
        paths = llff.list_images(folder)
        if llff.load_image(paths[0]).width == width:
            return paths
    names = ", ".join(folder.name for folder in folders) or "images*"
    raise llff.SceneError(f"{scene}: no photographs of {width} pixels across, as the field was trained on, in {names}")


def _frames(field: RadianceField, path: Path) -> Iterator[tuple[Path, Camera]]:
    """Photographs of a transforms.json and their views. Blender's leave out the extension .png."""
    assert field.capture is not None
    views, content = read_cameras(path, field.capture), json.loads(path.read_text())
    for frame, view in zip(content["frames"], views, strict=True):
        name = frame.get("file_path")
        if not isinstance(name, str):
            raise ValueError(f"{path}: a frame has no file_path, so that there is no photograph to compare with")
        photograph = path.parent / name
        yield photograph if photograph.suffix else photograph.with_suffix(".png"), view


def _read(path: Path, background: str) -> Float[Tensor, "height width 3"]:
    pixels = torch.from_numpy(np.asarray(llff.load_image(path).convert("RGBA"), dtype=np.float32) / 255)
    return pixels[..., :3] * pixels[..., 3:] + BEHIND.get(background, 0.0) * (1 - pixels[..., 3:])


def _write(rows: list[np.ndarray], picture: Path) -> None:
    from PIL import Image

    widest = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    with replacing(picture) as partial:
        Image.fromarray(np.concatenate(padded)).save(partial)
