"""`sinenerf snapshot`: pictures and turntables without a browser, display or GPU.

Shapes are ray-traced; scenes are rendered from the cameras of their capture.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sinenerf.common.axes import upright_axes
from sinenerf.common.files import check_output, replacing
from sinenerf.common.films import FILMS, Picture, write_film
from sinenerf.common.mesh_renderer import Framing, MeshRenderer
from sinenerf.common.progress import track
from sinenerf.viewer.api import ViewerApi
from sinenerf.viewer.assets import Asset, display_frame

PICTURES = (".png", ".jpg", ".jpeg")
PAPER, INK = 255, (43, 42, 40)
FPS = 24
FLAT_BELOW = 20_000
"""Meshes of fewer faces are shaded flat: smooth shading would hide what decimation has lost."""


def snapshot(
    api: ViewerApi,
    output: Path | None,
    turntable: Path | None,
    framing: Framing,
    resolution: int = 256,
    level: float = 0.5,
    frames: int = 72,
    progress: bool = False,
) -> list[Path]:
    """Write a picture, a turntable, or both, with the files side by side. Returns the paths written.

    Args:
        api: the files to show (`sinenerf.viewer.launch.open_api`).
        resolution: cells a side of the shapes' meshes.
        level: occupancy of their surface.
        frames: pictures in the turntable.
        progress: show a bar with the time left of the turntable.

    Raises:
        ValueError: an extension is not that of a picture or film, a size is out of range, or a field has no surface.
        FileNotFoundError: the output folder does not exist.
    """
    _check(api, output, turntable, framing, frames)
    renderers = _renderers(api, framing, resolution, level)
    captions = [[asset.path.name, *asset.caption().values()] for asset in api.assets]
    written = []
    if output is not None:
        from PIL import Image

        image = _row([render(0.0) for render in renderers], captions, framing)
        with replacing(output) as partial:
            Image.fromarray(image).save(partial, quality=90)
        written.append(output)
    if turntable is not None:
        turns = (frame / frames for frame in track(range(frames), "Rendering", show=progress))
        rows = (_row([render(turn) for render in renderers], captions, framing) for turn in turns)
        write_film(turntable, rows, FPS)
        written.append(turntable)
    return written


def _check(api: ViewerApi, output: Path | None, turntable: Path | None, framing: Framing, frames: int) -> None:
    if output is None and turntable is None:
        raise ValueError("nothing to write: give --output picture.png or --turntable film.mp4")
    if api.results is not None:
        raise ValueError("a folder of results is plotted by: sinenerf plot RESULTS")
    for path, allowed in ((output, PICTURES), (turntable, FILMS)):
        if path is not None:
            check_output(path, *allowed)
    if not (0 < framing.width <= 4096 and 0 < framing.height <= 4096 and frames > 0):
        raise ValueError("width and height must be 1 to 4096, and a turntable needs at least one frame")


def _renderers(api: ViewerApi, framing: Framing, resolution: int, level: float) -> list[Callable[[float], Picture]]:
    """Functions from the fraction of a full turn to the picture of each asset; the camera is the same for all."""
    assets = [api.assets[index].load() for index in range(len(api.assets))]
    if assets[0].kind == "scene":
        return [_scene_renderer(asset, framing) for asset in assets]
    meshes = [_upright_mesh(api, asset, resolution, level) for asset in assets]
    distance = max(framing.distance(vertices) for vertices, _ in meshes)
    return [_mesh_renderer(asset, *mesh, framing, distance) for asset, mesh in zip(assets, meshes, strict=True)]


def _upright_mesh(api: ViewerApi, asset: Asset, resolution: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices in cube units, y up, and faces."""
    mesh = asset.mesh if asset.kind == "mesh" else asset.field.mesh(resolution, level)
    frame = display_frame(asset, api.reference)
    return frame.to_cube(np.asarray(mesh.vertices)) @ upright_axes(api.up or frame.up).T, np.asarray(mesh.faces)


def _mesh_renderer(
    asset: Asset, vertices: np.ndarray, faces: np.ndarray, framing: Framing, distance: float
) -> Callable[[float], Picture]:
    renderer = MeshRenderer(vertices, faces, flat=asset.kind == "mesh" and len(faces) < FLAT_BELOW)
    return lambda fraction: renderer.render(framing, math.radians(framing.turn) + 2 * math.pi * fraction, distance)


def _scene_renderer(asset: Asset, framing: Framing) -> Callable[[float], Picture]:
    """As `_renderers`, along a path around the scene's home view; fraction 0 is the home view itself."""
    from sinenerf.radiance.render import picture

    field = asset.load().field
    assert field.kind == "scene" and field.capture is not None
    home = field.capture.home
    scale = min(framing.width / home.width, framing.height / home.height)
    path = field.capture.spiral(360)

    def render(fraction: float) -> Picture:
        camera = home if fraction == 0 else path[round(fraction * len(path)) % len(path)]
        return _centred(picture(field, camera.resized(scale)), framing)

    return render


def _row(pictures: list[Picture], captions: list[list[str]], framing: Framing) -> Picture:
    """Pictures side by side, with their captions below."""
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


def _centred(image: Picture, framing: Framing) -> Picture:
    """A picture centred on a blank one of the framing's size."""
    paper = np.full((framing.height, framing.width, 3), PAPER, np.uint8)
    top, left = (framing.height - image.shape[0]) // 2, (framing.width - image.shape[1]) // 2
    paper[top : top + image.shape[0], left : left + image.shape[1]] = image[: framing.height, : framing.width]
    return paper
