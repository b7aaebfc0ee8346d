"""`sinenerf snapshot`: pictures and turntables without a browser, display or GPU. Shapes are ray-traced on the CPU by
open3d, scenes are rendered from where they were captured."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from rich.progress import track

from sinenerf.files import check_folder, replacing
from sinenerf.films import FILMS, Picture, open_film
from sinenerf.viewer.answers import Answers
from sinenerf.viewer.items import Item, shared_frame
from sinenerf.viewer.scenes import radiance

PICTURES = (".png", ".jpg", ".jpeg")
SAMPLES = 2
"""Rays a pixel, across and down."""
CLAY, PAPER, INK = np.array([0.85, 0.80, 0.71]), 255, (43, 42, 40)
FOV = 34.0
"""Vertical, in degrees: the page's own."""
DISTANCE = 3.4
"""From the camera to the middle of a shape, in cube units."""
FPS = 24


class Framing(NamedTuple):
    """How a snapshot is taken."""

    width: int = 480
    """Pixels of each file's picture."""
    height: int = 400
    turn: float = 17.0
    """Degrees around the vertical axis, from the front."""
    tilt: float = 11.0
    """Degrees above the horizon."""
    labels: bool = True
    """Name, bytes, parameters and rank below each picture."""


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
        answers: what to look at (`sinenerf.viewer.view.gather`).
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
    from sinenerf.nerf.render import picture

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


class Model:
    """A mesh in cube units, y up, ready to be ray-traced from any side.

    Raises:
        RuntimeError: open3d cannot load.
    """

    def __init__(self, vertices: Float[np.ndarray, "v 3"], faces: np.ndarray, flat: bool) -> None:
        self._open3d = _open3d()
        self._scene = self._open3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.uint32))
        self._faces = faces
        self._normals = None if flat else vertex_normals(vertices, faces)

    def picture(self, framing: Framing, turn: float) -> Picture:
        """Seen from an angle around the vertical, in radians: a key light and its shadow, a fill, white behind."""
        tilt = math.radians(framing.tilt)
        eye = DISTANCE * np.array([math.sin(turn) * math.cos(tilt), math.sin(tilt), math.cos(turn) * math.cos(tilt)])
        width, height = framing.width * SAMPLES, framing.height * SAMPLES
        horizontal = FOV
        if framing.width > framing.height:  # FOV is that of the shorter side
            horizontal = 2 * math.degrees(math.atan(math.tan(math.radians(FOV / 2)) * framing.width / framing.height))
        # open3d 0.20 draws the way it calls up downwards
        rays = self._scene.create_rays_pinhole(horizontal, [0, 0, 0], eye, [0, -1, 0], width, height)
        hit = self._scene.cast_rays(rays)
        rays = rays.numpy()
        seen = np.isfinite(hit["t_hit"].numpy())
        lit = np.zeros((height, width))
        lit[seen] = self._light(hit, rays[seen], seen, turn)
        paper = np.where(seen[..., None], np.clip(lit, 0, 1)[..., None] * CLAY, 1.0)
        small = paper.reshape(framing.height, SAMPLES, framing.width, SAMPLES, 3).mean((1, 3))
        return (255 * np.clip(small, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)

    def _light(self, hit: dict, rays: np.ndarray, seen: np.ndarray, turn: float) -> Float[np.ndarray, " n"]:
        """Brightness where rays meet the surface. The light turns with the camera."""
        normal = self._shading_normals(hit, seen)
        normal = np.where((normal * rays[:, 3:]).sum(1, keepdims=True) > 0, -normal, normal)
        key = np.array([math.sin(turn + 0.7), 0.75, math.cos(turn + 0.7)])
        key /= np.linalg.norm(key)
        start = rays[:, :3] + rays[:, 3:] * hit["t_hit"].numpy()[seen][:, None] + 4e-3 * normal
        shadow_rays = np.concatenate([start, np.broadcast_to(key, start.shape)], 1).astype(np.float32)
        shadow = self._scene.test_occlusions(self._open3d.core.Tensor(shadow_rays)).numpy()
        return 0.76 * np.clip(normal @ key, 0, 1) * ~shadow + 0.2 * (0.5 + 0.5 * normal[:, 1]) + 0.1

    def _shading_normals(self, hit: dict, seen: np.ndarray) -> Float[np.ndarray, "n 3"]:
        if self._normals is None:
            return hit["primitive_normals"].numpy()[seen]
        corner = self._normals[self._faces[hit["primitive_ids"].numpy()[seen].astype(np.int64)]]
        u, v = hit["primitive_uvs"].numpy()[seen].T[:, :, None]
        normal = (1 - u - v) * corner[:, 0] + u * corner[:, 1] + v * corner[:, 2]
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: np.ndarray) -> Float[np.ndarray, "v 3"]:
    """Unit normals at vertices: the sum of their faces' normals, weighted by area."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    of_faces = np.cross(b - a, c - a)
    summed = np.stack(
        [np.bincount(faces.ravel(), np.repeat(of_faces[:, i], 3), len(vertices)) for i in range(3)], axis=1
    )
    return summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)


def _open3d() -> Any:
    try:
        import open3d
    except OSError as error:
        raise RuntimeError(
            f"open3d cannot load ({error}). On Debian or Ubuntu: "
            f"sudo apt-get install libusb-1.0-0 libgl1 libgomp1 libx11-6"
        ) from None
    return open3d


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
