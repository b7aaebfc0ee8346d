"""`sinenerf view --export`: the same page with all responses embedded, so that it needs no server or network."""

import base64
import gzip
import json
from pathlib import Path

from rich.progress import track

from sinenerf.common.files import check_folder, replacing
from sinenerf.viewer.api import ViewerApi, page_html
from sinenerf.viewer.scene_pictures import render_flythrough

MAX_BYTES = 10_000_000
"""Largest size of a page of shapes."""
RESOLUTIONS = (256, 192, 128, 96, 64, 48, 32)
"""Tried from the finest, until the page is small enough."""
FRAMES, SIDE = 48, 480
"""Pictures in a scene's fly-through, and pixels of their longer side."""


def export_page(api: ViewerApi, output: Path, resolution: int | None = None) -> int | None:
    """Write a page that works from disk or any static host. Returns the resolution of its shapes, None for scenes.

    Args:
        resolution: cells a side of the meshes; by default the finest of RESOLUTIONS that keeps the page below 10 MB.

    Raises:
        ValueError: the extension is not .html, a folder of results was given, a field has no surface, or the page would
            be too large.
        FileNotFoundError: the output folder does not exist.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{output}: a page is written as .html")
    if api.results is not None:
        raise ValueError("a folder of results is exported by: sinenerf plot RESULTS --html page.html")
    check_folder(output)
    common = {"/state": api.state({})[1]}
    for index, asset in enumerate(api.assets):
        if asset.kind != "mesh":
            common[f"/layers?asset={index}"] = api.layers({"asset": str(index)})[1]
    if api.assets[0].kind == "scene":
        html, used = _scenes_page(api, common), None
    else:
        html, used = _shapes_page(api, common, resolution)
    with replacing(output) as partial:
        partial.write_text(html, encoding="utf-8")
    return used


def _shapes_page(api: ViewerApi, common: dict[str, bytes], resolution: int | None) -> tuple[str, int]:
    original = api.surfaces.original
    compared = [] if original is None else [i for i, asset in enumerate(api.assets) if asset.path != original.path]
    for index in compared:
        common[f"/quality?asset={index}"] = api.quality({"asset": str(index)})[1]
    for attempt in RESOLUTIONS if resolution is None else (resolution,):
        responses = dict(common)
        for index in track(range(len(api.assets)), description=f"Meshing at {attempt}"):
            query = {"asset": str(index), "resolution": str(attempt)}
            responses[f"/mesh?asset={index}"] = api.mesh(query)[1]
            if index in compared:
                responses[f"/distances?asset={index}"] = api.distances(query)[1]
        html = page_html(_compressed(responses))
        if len(html.encode()) <= MAX_BYTES:
            return html, attempt
    raise ValueError(
        f"the page would have {len(html.encode()):,} bytes, more than {MAX_BYTES:,}: give fewer files, a smaller "
        f"original{'' if resolution is None else ', or a lower --resolution'}"
    )


def _scenes_page(api: ViewerApi, common: dict[str, bytes]) -> str:
    for index, asset in enumerate(api.assets):
        common[f"/scene?asset={index}"] = api.scene({"asset": str(index)})[1]
        jpegs = track(render_flythrough(asset, FRAMES, SIDE), total=FRAMES, description=f"Rendering {asset.path.name}")
        frames = ["data:image/jpeg;base64," + base64.b64encode(jpeg).decode() for jpeg in jpegs]
        common[f"/flythrough?asset={index}"] = json.dumps(frames).encode()
    return page_html(_compressed(common))


def _compressed(responses: dict[str, bytes]) -> dict[str, str]:
    """Each response gzipped, in base64."""
    return {url: base64.b64encode(gzip.compress(body, mtime=0)).decode() for url, body in responses.items()}
