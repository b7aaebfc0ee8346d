"""Scores of held-out views: the file of a scene, or any other renderer, against photographs; without nerfstudio."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from sinenerf.common.checks import check_positive
from sinenerf.common.console import say
from sinenerf.common.files import check_output, replacing
from sinenerf.common.progress import track
from sinenerf.photographs.pictures import load_mask, load_picture
from sinenerf.photographs.posed_photographs import FISHEYE, PosedPhotographs
from sinenerf.photographs.reading import read_photographs
from sinenerf.radiance.cameras import Camera, Capture
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.image_metrics import Image, lpips_notes, perceptual_metrics, psnr
from sinenerf.radiance.lens_distortion import LensDistortion

PICTURES = (".png", ".jpg", ".jpeg")
"""Extensions of the file that shows photographs beside renderings."""
BACKGROUNDS = {"white": 1.0, "black": 0.0}
"""Brightness behind a photograph's transparent pixels, by the background of the scene."""

SMALLEST = 11
"""Pixels in width and height of a picture that is scored: those of SSIM's window."""

Mask = Bool[Tensor, "height width 1"]
"""True where a photograph counts."""
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
    views: Iterable[tuple[View, Image, Mask | None]], render: Callable[[View, int], Image], stride: int = 1
) -> Iterator[Score]:
    """Compare held-out views with their photographs, one after the other.

    Args:
        views: cameras, their whole photographs, in [0, 1], and where these count; None for everywhere.
        render: (camera, stride) to every n-th pixel of the view, across and down.
        stride: n. SSIM and LPIPS need neighbouring pixels, and are computed for 1 only.
    """
    for view, photograph, mask in views:
        with torch.no_grad():
            truth = photograph[::stride, ::stride].cpu()
            image = render(view, stride).cpu().clamp(0, 1)
            counts = None if mask is None else mask[::stride, ::stride].cpu()
            metrics = masked_metrics(image, truth, counts, whole=stride == 1)
        yield Score(image, truth, metrics)


def masked_metrics(image: Image, truth: Image, counts: Mask | None, whole: bool) -> dict[str, float]:
    """PSNR of the pixels that count; SSIM and LPIPS as if the others were right.

    Args:
        counts: None for all pixels.
        whole: no pixels were left out between those given; otherwise there are no SSIM and LPIPS.
    """
    shown = image if counts is None else torch.where(counts, image, truth)
    kept = slice(None) if counts is None else counts[..., 0]
    metrics = {"psnr": float(psnr(image[kept], truth[kept]))}
    return metrics | perceptual_metrics(shown, truth) if whole else metrics


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
    names: list[str]
    """Photographs of the views, as the capture names them."""
    bytes: int
    """Size of the file."""
    parameters: int
    notes: list[str]
    """What a reader of the scores should know, in a line each: which views they are of, and what is left out."""


def evaluate(
    field: RadianceField,
    size: int,
    capture: Path,
    hold_every: int | None = None,
    all_views: bool = False,
    scale: float = 1.0,
    picture: Path | None = None,
    progress: bool = False,
) -> Evaluation:
    """Compare the file of a scene with photographs of its capture, by default with those held out of its training.

    Args:
        size: of the file, in bytes.
        capture: of any kind that can be trained on: an LLFF folder, a transforms.json or its folder, a COLMAP model.
        hold_every: score every n-th view, starting with the first, whatever the file says.
        all_views: score all views, those trained on too.
        scale: score pictures of this share of the width and height that the field was trained on.
        picture: file that photograph and rendering are written to side by side, a row for each view: .png, .jpg.
        progress: print the notes, then show a bar with the time left.

    Raises:
        FileNotFoundError: no folder for the picture.
        ValueError: the capture cannot be used, it is not known which of its views were held out, or the picture's
            extension is unknown.
    """
    if picture is not None:
        check_output(picture, *PICTURES)
    assert field.capture is not None
    if not 0 < scale <= 1:
        raise ValueError(f"scale is {scale}: it must be above 0 and at most 1")
    photographs = read_photographs(capture, widest=field.capture.home.width)
    chosen, choice = scored_views(field, photographs, hold_every, all_views)
    notes = [*photographs.notes, *choice, *lpips_notes()]
    if progress:  # before the scoring, which may take minutes: a wrong capture is noticed at once
        for note in notes:
            say(note)
    cameras = cameras_of(photographs, field.capture)
    views = (_with_photograph(photographs, index, cameras[index], scale, field.config.background) for index in chosen)
    metrics, rows = [], []
    scores = score(views, lambda view, _: field.render(view)["rgb"])
    for one in track(scores, "Scoring", len(chosen), show=progress):
        metrics.append(one.metrics)
        if picture is not None:
            row = torch.cat([one.photograph, one.rendering], dim=1)
            rows.append((row * 255).round().to(torch.uint8).numpy())
    if picture is not None:
        _write(rows, picture)
    mean = mean_metrics(metrics)
    return Evaluation(
        psnr=mean["psnr"],
        ssim=mean["ssim"],
        lpips=mean.get("lpips"),
        views=len(metrics),
        names=[photographs.names[index] for index in chosen],
        bytes=size,
        parameters=field.parameters_count,
        notes=notes,
    )


def scored_views(
    field: RadianceField, photographs: PosedPhotographs, hold_every: int | None, all_views: bool
) -> tuple[list[int], list[str]]:
    """Indices of the views that `evaluate` scores, and what a reader of the scores should know of the choice.

    Raises:
        ValueError: it is not known which views were held out, or none was; or both arguments are given.
    """
    count, source = len(photographs), photographs.source
    if all_views and hold_every is not None:
        raise ValueError("give --all or --hold-every, not both")
    if all_views:
        return list(range(count)), []
    if hold_every is not None:
        check_positive("--hold-every", hold_every)
        return list(range(0, count, hold_every)), []
    split = None if field.capture is None else field.capture.split
    advice = "Score all views with --all, or every N-th one with --hold-every N"
    if split is None:
        raise ValueError(f"{source}: the scene's file does not say which views were held out. {advice}")
    names = [Path(name) for name in photographs.names]
    try:
        chosen = split.held_out(names, photographs.named_held_out)
    except ValueError as error:
        raise ValueError(f"{source}: {error}. {advice}") from None
    if not chosen:
        raise ValueError(f"{source}: no view was held out of the training. {advice}")
    notes = [f"scoring {len(chosen)} of {count} views, those held out: {split}"]
    if not split.names_are(names[index] for index in chosen):
        reason = "these are not the names of the views held out of the training"
        notes.append(f"{source}: {reason}: scores may be of training views")
    return chosen, notes


def cameras_of(photographs: PosedPhotographs, capture: Capture) -> list[Camera]:
    """The cameras of a capture in the coordinates of the scene that was trained on it."""
    poses = capture.to_scene(photographs.camera_to_world)
    lenses = photographs.fx, photographs.fy, photographs.cx, photographs.cy
    bent = np.zeros((len(photographs), 6)) if photographs.distortion is None else photographs.distortion
    cameras = []
    for index, pose in enumerate(poses):
        fx, fy, cx, cy = (float(values[index]) for values in lenses)
        lens = LensDistortion(*bent[index].tolist(), fisheye=photographs.model == FISHEYE)
        name = Path(photographs.names[index]).stem
        cameras.append(Camera(pose, fx, fy, cx, cy, *photographs.size(index), name, lens))
    return cameras


def _with_photograph(
    photographs: PosedPhotographs, index: int, view: Camera, scale: float, background: str
) -> tuple[Camera, Image, Mask | None]:
    """The view in the size that is scored, its photograph in that size, and where that counts."""
    view = view.resized(scale)
    if min(view.width, view.height) < SMALLEST:
        raise ValueError(
            f"scale is {scale}: pictures of {view.width}x{view.height} pixels are too small to score: at least "
            f"{SMALLEST} are needed in width and height"
        )
    image = load_picture(photographs.paths[index], (view.width, view.height), transparent=True)
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255)
    blended = pixels[..., :3] * pixels[..., 3:] + BACKGROUNDS.get(background, 0.0) * (1 - pixels[..., 3:])
    path = None if photographs.masks is None else photographs.masks[index]
    mask = None if path is None else torch.from_numpy(load_mask(path, (view.width, view.height)))[..., None]
    return view, blended, mask


def _write(rows: list[np.ndarray], picture: Path) -> None:
    """Write rows of pictures below each other, the narrower ones padded with black."""
    from PIL import Image

    widest = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
    with replacing(picture) as partial:
        Image.fromarray(np.concatenate(padded)).save(partial)
