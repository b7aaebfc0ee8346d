"""Scores of held-out views: the file of a scene, or any other renderer, against photographs; without nerfstudio."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.progress import track

from sinenerf.common.files import check_folder, replacing
from sinenerf.radiance import llff
from sinenerf.radiance.camera_files import read_cameras
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.image_metrics import Image, image_metrics, psnr

PICTURES = {".png", ".jpg", ".jpeg"}
"""Extensions of the file that shows photographs beside renderings."""
BACKGROUNDS = {"white": 1.0, "black": 0.0}
"""Brightness behind a photograph's transparent pixels, by the background of the scene."""

View = TypeVar("View")
"""A camera: ours, or one of nerfstudio's."""


@dataclass(frozen=True)
class Score:
    """One held-out view: how near its rendering comes to its photograph."""

    rendering: Image
    """In [0, 1], on the CPU."""
    photograph: Image
    """Likewise."""
    metrics: dict[str, float]
    """psnr in dB, ssim and, where its weights are on disk, lpips; psnr alone where pixels were left out."""


def score(
    views: Iterable[tuple[View, Image]], render: Callable[[View, int], Image], stride: int = 1
) -> Iterator[Score]:
    """Compare held-out views with their photographs, one after the other.

    Args:
        views: cameras and their whole photographs, in [0, 1].
        render: (camera, stride) to every n-th pixel of the view, across and down.
        stride: n. SSIM and LPIPS need neighbouring pixels, and are computed for 1 only.
    """
    for view, photograph in views:
        with torch.no_grad():
            truth = photograph[::stride, ::stride].cpu()
            image = render(view, stride).cpu().clamp(0, 1)
            metrics = image_metrics(image, truth) if stride == 1 else {"psnr": float(psnr(image, truth))}
        yield Score(image, truth, metrics)


def mean_metrics(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    """Mean of each metric over at least one view."""
    return {name: float(np.mean([values[name] for values in metrics])) for name in metrics[0]}


@dataclass(frozen=True)
class Evaluation:
    """Quality and size of the file of a scene; the metrics are means over the views."""

    psnr: float
    """dB."""
    ssim: float
    lpips: float | None
    """None where VGG's weights are not on disk."""
    views: int
    bytes: int
    """Size of the file."""
    parameters: int


def evaluate(
    field: RadianceField, size: int, capture: Path, hold_every: int = 8, picture: Path | None = None
) -> Evaluation:
    """Compare the file of a scene with photographs of its capture.

    Args:
        size: of the file, in bytes.
        capture: an LLFF folder (or its poses_bounds.npy), of which every n-th view, starting with the first, was held
            out; or a transforms.json, all of whose frames are scored, such as transforms_test.json of a Blender scene.
        hold_every: n.
        picture: file that photograph and rendering are written to side by side, a row for each view: .png, .jpg.

    Raises:
        FileNotFoundError: no such capture, or no folder for the picture.
        ValueError: cameras or photographs cannot be read or do not belong together, or the picture's extension is
            unknown.
    """
    if picture is not None:
        check_folder(picture)
        if picture.suffix.lower() not in PICTURES:
            raise ValueError(f"{picture}: pictures are written as {', '.join(sorted(PICTURES))}")
    scene = capture.parent if capture.suffix == ".npy" else capture
    photographs = list(_frames(field, capture) if scene.suffix == ".json" else _held_out(field, scene, hold_every))
    views = (_with_photograph(path, view, field.config.background) for path, view in photographs)
    metrics, rows = [], []
    scores = score(views, lambda view, _: field.render(view)["rgb"])
    for one in track(scores, total=len(photographs), description="Rendering", transient=True):
        metrics.append(one.metrics)
        if picture is not None:
            row = torch.cat([one.photograph, one.rendering], dim=1)
            rows.append((row * 255).round().to(torch.uint8).numpy())
    if picture is not None:
        _write(rows, picture)
    mean = mean_metrics(metrics)
    return Evaluation(mean["psnr"], mean["ssim"], mean.get("lpips"), len(metrics), size, field.parameters_count)


def _held_out(field: RadianceField, scene: Path, every: int) -> Iterator[tuple[Path, Camera]]:
    """Paths of an LLFF scene's held-out photographs, in the size that the field was trained on, and their views."""
    assert field.capture is not None
    table = scene / "poses_bounds.npy"
    read = llff.read_poses_bounds(table)
    paths = _photographs(scene, field.capture.home.width)
    llff.check_images(paths, read, table)
    views = read_cameras(table, field.capture)
    for index in llff.hold_out(len(paths), every)[1]:
        yield paths[index], views[index]


def _photographs(scene: Path, width: int) -> list[Path]:
    """Paths of the photographs of an LLFF scene that are `width` pixels wide."""
    folders = [folder for folder in sorted(scene.glob("images*")) if llff.list_images(folder)]
    for folder in folders:
        paths = llff.list_images(folder)
        if llff.load_image(paths[0]).width == width:
            return paths
    names = ", ".join(folder.name for folder in folders) or "images*"
    raise llff.SceneError(f"{scene}: no photographs of {width} pixels across, as the field was trained on, in {names}")


def _frames(field: RadianceField, path: Path) -> Iterator[tuple[Path, Camera]]:
    """Paths of the photographs of a transforms.json, and their views. Blender's files omit the extension .png."""
    assert field.capture is not None
    views, content = read_cameras(path, field.capture), json.loads(path.read_text())
    for frame, view in zip(content["frames"], views, strict=True):
        name = frame.get("file_path")
        if not isinstance(name, str):
            raise ValueError(f"{path}: a frame has no file_path, so it has no photograph to compare with")
        photograph = path.parent / name
        yield photograph if photograph.suffix else photograph.with_suffix(".png"), view


def _with_photograph(path: Path, view: Camera, background: str) -> tuple[Camera, Image]:
    """The view in the size of its photograph, and the photograph.

    Raises:
        ValueError: the photograph cannot be read, or has other proportions than the view.
    """
    pixels = torch.from_numpy(np.asarray(llff.load_image(path).convert("RGBA"), dtype=np.float32) / 255)
    photograph = pixels[..., :3] * pixels[..., 3:] + BACKGROUNDS.get(background, 0.0) * (1 - pixels[..., 3:])
    height, width, _ = photograph.shape
    view = view.resized(width / view.width)
    if (view.width, view.height) != (width, height):
        raise ValueError(f"{path}: is {width} x {height} pixels, but its camera has other proportions")
    return view, photograph


def _write(rows: list[np.ndarray], picture: Path) -> None:
    """Write rows of pictures below each other, the narrower ones padded with black."""
    from PIL import Image

    widest = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    with replacing(picture) as partial:
        Image.fromarray(np.concatenate(padded)).save(partial)
