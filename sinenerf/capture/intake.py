"""The first stage: upright photographs of at most the wanted size, and their masks, in the work folder.

The input is only read. Each finished photograph is noted at once, so that a later call goes on after it.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sinenerf.capture.film_frames import read_frames, sharpest_frames, sharpness
from sinenerf.capture.masks import find_masks, read_mask
from sinenerf.capture.options import CaptureError, CaptureOptions
from sinenerf.capture.photograph_files import (
    FILMS,
    PHOTOGRAPHS,
    UnreadableError,
    camera_name,
    find_photographs,
    focal_in_pixels,
    free_name,
    open_upright,
)
from sinenerf.capture.report import DARK, LeftOut
from sinenerf.capture.stages import Stages
from sinenerf.capture.workspace import Workspace
from sinenerf.common.files import replacing, stamp

if TYPE_CHECKING:
    from PIL import Image

SHORT = 10
"""Different pictures that a film must have."""
THUMBNAIL = 48
"""Side of the pictures that are compared to find duplicates, in pixels."""
SAME = 0.02
"""Two pictures are the same if their thumbnails differ by less than this share of their contrast."""


@dataclass(frozen=True)
class Photograph:
    """A photograph in the work folder."""

    name: str
    """File name in `images`."""
    source: str
    """Path below the input folder, or time in the film."""
    camera: str
    """Photographs with the same name share their intrinsics."""
    focal: float | None
    """Focal length in pixels by EXIF data, if known."""
    width: int
    height: int
    sharpness: float
    """Energy of the finest detail as a share of the contrast."""
    brightness: float
    """Mean grey value, 0 to 255."""
    masked: bool
    """Whether a mask leaves out a part of it."""


@dataclass(frozen=True)
class Intake:
    """What was found in the input."""

    photographs: list[Photograph]
    """In the order of their names, or of time."""
    left_out: list[LeftOut]
    film: bool
    """Whether they are the pictures of a film."""


def describe_input(source: Path) -> dict[str, Any]:
    """The input with its masks by paths, sizes and times of change, to recognise it again.

    Raises:
        CaptureError: it does not exist, is of another kind, has fewer than 3 photographs, or masks of none of them.
    """
    if not source.exists():
        raise CaptureError(f"{source}: no such file or folder. Give a folder of photographs or a film")
    if source.is_dir():
        files = find_photographs(source)
        if len(files) < 3:
            raise CaptureError(_too_few(source, len(files)))
        files += find_masks(source, files).values()
    elif source.suffix.lower() in FILMS:
        files = [source]
    elif source.suffix.lower() in PHOTOGRAPHS:
        raise CaptureError(f"{source}: is one photograph. Give the folder of all of them, 3 or more of one scene")
    else:
        raise CaptureError(f"{source}: is not a film ({' '.join(sorted(FILMS))}) or a folder of photographs")
    base = source if source.is_dir() else source.parent
    return {"input": str(source.resolve()), "files": [[os.path.relpath(path, base), *stamp(path)] for path in files]}


def take_in(source: Path, options: CaptureOptions, workspace: Workspace, stages: Stages) -> Intake:
    """Copy photographs, or a film's sharpest pictures, to the work folder.

    Raises:
        CaptureError: fewer than 3 different photographs can be read.
        OSError: too little space on the disk.
    """
    film = not source.is_dir()
    kept = workspace.read("intake")
    if kept is None:
        left_out = (
            _from_film(source, options, workspace, stages) if film else _from_folder(source, options, workspace, stages)
        )
        unique, duplicates = _without_duplicates(workspace, noted(workspace))
        kept = {"photographs": [asdict(p) for p in unique], "left_out": [asdict(x) for x in left_out + duplicates]}
        workspace.write("intake", kept)
    intake = Intake([Photograph(**p) for p in kept["photographs"]], [LeftOut(**x) for x in kept["left_out"]], film)
    _check_enough(source, intake, min(SHORT, options.frames) if film else 3)
    return intake


def _from_folder(source: Path, options: CaptureOptions, workspace: Workspace, stages: Stages) -> list[LeftOut]:
    """Copy the photographs that are not there yet. Returns those that cannot be read."""
    files = find_photographs(source)
    masks = find_masks(source, files)
    workspace.check_space(len(files))
    done = {photograph.source: photograph for photograph in noted(workspace)}
    taken = {photograph.name.casefold() for photograph in done.values()}
    left_out = []
    with stages.stage("photographs", len(files), "read", len(done)) as advance:
        for number, path in enumerate(files):
            name = path.relative_to(source).as_posix()
            if name not in done:
                try:
                    picture = open_upright(path, options.size)
                    mask = read_mask(picture, masks.get(path), path)
                except UnreadableError as error:
                    left_out.append(LeftOut(name, error.reason, str(error)))
                    continue
                suffix = ".png" if path.suffix.lower() == ".png" else ".jpg"
                _keep(workspace, picture, mask, free_name(name, taken, suffix), name)
            advance(number + 1)
    return left_out


def _from_film(source: Path, options: CaptureOptions, workspace: Workspace, stages: Stages) -> list[LeftOut]:
    """Copy the sharpest pictures of a film."""
    workspace.check_space(options.frames)
    with stages.stage("film", options.frames, "stretches") as advance:
        frames = sharpest_frames(source, options.frames, advance)
        (workspace.folder / "photographs.jsonl").unlink(missing_ok=True)
        for number, (frame, picture) in enumerate(zip(frames, read_frames(source, frames), strict=True)):
            picture.thumbnail((options.size, options.size))
            _keep(workspace, picture, None, f"frame_{number:04d}.jpg", f"{source.name} at {frame.seconds:.2f} s")
    return []


def _keep(workspace: Workspace, picture: "Image.Image", mask: "Image.Image | None", name: str, source: str) -> None:
    """Write a photograph and its mask to the work folder, then note it."""
    rgb, path = picture.convert("RGB"), workspace.images / name
    with replacing(path) as partial:
        rgb.save(partial, quality=95, subsampling=0)  # a PNG ignores both
    if mask is not None:
        with replacing(workspace.masks / f"{name}.png") as partial:
            mask.save(partial)
    grey = np.asarray(rgb.convert("L"))
    note = Photograph(
        name=name,
        source=source,
        camera=camera_name(picture),
        focal=focal_in_pixels(picture),
        width=picture.width,
        height=picture.height,
        sharpness=sharpness(grey) / max(float(grey.var()), 1.0),
        brightness=float(grey.mean()),
        masked=mask is not None,
    )
    with (workspace.folder / "photographs.jsonl").open("a", encoding="utf-8") as notes:
        notes.write("\n" + json.dumps(asdict(note)))  # the line before may have been cut off


def noted(workspace: Workspace) -> list[Photograph]:
    """The photographs noted so far; a line that a kill has cut off does not count."""
    notes, photographs = workspace.folder / "photographs.jsonl", []
    for line in notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else ():
        with suppress(ValueError):
            photographs.append(Photograph(**json.loads(line)))
    return photographs


def _without_duplicates(workspace: Workspace, photographs: list[Photograph]) -> tuple[list[Photograph], list[LeftOut]]:
    """The photographs without those that show the same picture as an earlier one."""
    from PIL import Image

    unique: list[Photograph] = []
    seen = np.zeros((0, THUMBNAIL**2), np.float32)
    duplicates = []
    for photograph in photographs:
        with Image.open(workspace.images / photograph.name) as image:
            small = image.convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnail = np.asarray(small, np.float32).ravel()
        difference = np.abs(seen - thumbnail).mean(1) / max(float(thumbnail.std()), 1.0)
        if len(unique) and photograph.brightness >= DARK and difference.min() < SAME:
            same = unique[int(difference.argmin())].source
            duplicates.append(LeftOut(photograph.source, "duplicate", f"the same picture as {same}"))
            continue
        unique.append(photograph)
        seen = np.vstack([seen, thumbnail])
    return unique, duplicates


def _check_enough(source: Path, intake: Intake, fewest: int) -> None:
    count = len(intake.photographs)
    if count >= 3:
        if count < fewest:
            raise CaptureError(f"{source}: only {count} different pictures in this film. Walk sideways for 10 seconds")
        return
    duplicates = [x for x in intake.left_out if x.reason == "duplicate"]
    if duplicates:
        shown = "pictures of the film" if intake.film else "photographs"
        total = count + len(intake.left_out)
        raise CaptureError(
            f"{source}: the {total} {shown} show the same picture {len(duplicates) + 1} times over: move the camera "
            "sideways from each to the next, by about a tenth of the distance"
        )
    if intake.left_out:
        first = intake.left_out[0]
        raise CaptureError(
            f"{source}: {len(intake.left_out)} of {count + len(intake.left_out)} photographs cannot be used, the first "
            f"is {first.source} ({first.detail}). 3 or more are needed"
        )
    raise CaptureError(_too_few(source, count))


def _too_few(source: Path, count: int) -> str:
    kinds = " ".join(sorted(PHOTOGRAPHS))
    plural = "" if count == 1 else "s"
    what = f"picture{plural} in this film" if source.is_file() else f"photograph{plural} ({kinds}) in this folder"
    return f"{source}: {count} {what}. Take 20 or more of one scene, each from another place; 3 are the least"
