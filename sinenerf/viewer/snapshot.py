"""`sinenerf snapshot`: pictures and turntables without a browser, display or GPU. Shapes are ray-traced, scenes are
rendered from where they were captured."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float
from rich.progress import track

from sinenerf.common.files import check_folder, replacing
from sinenerf.common.films import FILMS, Picture, open_film
from sinenerf.common.mesh_renderer import Framing, Model
from sinenerf.viewer.api import Answers
from sinenerf.viewer.assets import Item, shared_frame
from sinenerf.viewer.scene_pictures import radiance

PICTURES = (".png", ".jpg", ".jpeg")
PAPER, INK = 255, (43, 42, 40)
FPS = 24


def snapshot(
    answers: Answers,
    output: Path | None,
    turntable: Path | None,
    framing: Framing,
    resolution: int = 256,
    level: float = 0.5,
    frames: int = 72,
) -> list[Path]:
    """Write a picture, a turntable, or both; several files stand side by side. Returns what was written.

    Args:
        answers: what to look at (`sinenerf.viewer.launch.gather`).
        resolution: cells a side of shapes.
        level: occupancy of their surface.
        frames: of the turntable.

    Raises:
        ValueError: an extension that is none of a picture or film, sizes that are not positive, no surface.
        FileNotFoundError: no folder to write into.
    """
    _check(answers, output, turntable, framing, frames)
    sources = [_source(answers, index, framing, resolution, level) for index in range(len(answers.items))]
    captions = [[item.path.name, *item.facts().values()] for item in answers.items]
    written = []
    if output is not None:
        from PIL import Image

        image = _row([source(0.0) for source in sources], captions, framing)
        with replacing(output) as partial:
            Image.fromarray(image).save(partial, quality=90)
        written.append(output)
    if turntable is not None:
        with open_film(turntable, FPS) as add:
            for frame in track(range(frames), description="Turning"):
                add(_row([source(frame / frames) for source in sources], captions, framing))
        written.append(turntable)
    return written


def _check(answers: Answers, output: Path | None, turntable: Path | None, framing: Framing, frames: int) -> None:
    if output is None and turntable is None:
        raise ValueError("nothing to write: give --output picture.png or --turntable film.mp4")
    if answers.results is not None:
        raise ValueError("a folder of results is drawn by: sinenerf plot RESULTS")
    for path, allowed in ((output, PICTURES), (turntable, FILMS)):
        if path is not None:
            if path.suffix.lower() not in allowed:
                raise ValueError(f"{path}: cannot write '{path.suffix}' here. Use one of {', '.join(allowed)}")
            check_folder(path)
    if not (0 < framing.width <= 4096 and 0 < framing.height <= 4096 and frames > 0):
        raise ValueError("width and height run from 1 to 4096, and a turntable has at least one frame")


def _source(
    answers: Answers, index: int, framing: Framing, resolution: int, level: float
) -> Callable[[float], Picture]:
    """From a share of the whole turn to an item's picture."""
    item = answers.items[index].load()
    if item.kind == "scene":
        return _scene(item, framing)
    vertices, faces = answers.shapes.surface(index, resolution, level)
    frame = shared_frame(item, answers.shapes.first)
    upright = frame.to_cube(vertices) @ upright_axes(answers.up).T
    flat = item.kind == "mesh" and len(faces) < 20_000  # a decimated mesh's: smooth shading would hide what was lost
    model = Model(upright, faces, flat)
    return lambda share: model.picture(framing, math.radians(framing.turn) + 2 * math.pi * share)


def _scene(item: Item, framing: Framing) -> Callable[[float], Picture]:
    """A scene along the path around its home view; the picture at rest is the home view itself."""
    from sinenerf.radiance.render import picture

    field = radiance(item)
    assert field.capture is not None
    home = field.capture.home
    scale = min(framing.width / home.width, framing.height / home.height)
    path = field.capture.spiral(360)

    def at(share: float) -> Picture:
        view = home if share == 0 else path[round(share * len(path)) % len(path)]
        return _on_paper(picture(field, view.resized(scale)), framing)

    return at


def upright_axes(up: str) -> Float[np.ndarray, "3 3"]:
    """The shortest rotation that brings an axis, such as -y, to +y; as the page turns it."""
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    if up == "-y":
        return np.diag([-1.0, -1.0, 1.0])  # any half turn is as short: this one is three.js's
    target = np.array([0.0, 1, 0])
    cross, cosine = np.cross(axis, target), float(axis @ target)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def _row(pictures: list[Picture], captions: list[list[str]], framing: Framing) -> Picture:
    """Pictures side by side, their captions below."""
    row = np.concatenate(pictures, axis=1)
    return np.concatenate([row, _captions(captions, framing)], axis=0) if framing.labels else row


def _captions(captions: list[list[str]], framing: Framing) -> Picture:
    from PIL import Image, ImageDraw, ImageFont

    size = max(9, framing.width // 28)
    lines = max(map(len, captions))
    canvas = Image.new("RGB", (framing.width * len(captions), round(1.35 * size * lines) + size), (PAPER,) * 3)
    draw = ImageDraw.Draw(canvas)
    for column, caption in enumerate(captions):
        for line, text in enumerate(caption):
            place = (framing.width * (column + 0.5), size * (0.6 + 1.35 * line))
            draw.text(place, text, INK, ImageFont.load_default(size if line else round(1.15 * size)), anchor="mt")
    return np.asarray(canvas)


def _on_paper(image: Picture, framing: Framing) -> Picture:
    """A picture in the middle of the pane."""
    paper = np.full((framing.height, framing.width, 3), PAPER, np.uint8)
    top, left = (framing.height - image.shape[0]) // 2, (framing.width - image.shape[1]) // 2
    paper[top : top + image.shape[0], left : left + image.shape[1]] = image[: framing.height, : framing.width]
    return paper
