"""`sinenerf view --export`: the same page with its answers inside, so that it needs no server, network or program."""

import base64
import gzip
import json
from pathlib import Path

from rich.progress import track

from sinenerf.common.files import check_folder, replacing
from sinenerf.viewer.api import Answers, page
from sinenerf.viewer.scene_pictures import flythrough

LARGEST = 10_000_000
"""Bytes that a page of shapes may have."""
RESOLUTIONS = (256, 192, 128, 96, 64, 48, 32)
"""Tried from the finest, until the page is small enough."""
FRAMES, SIDE = 48, 480
"""Of a scene's flythrough: pictures, and pixels of the longer side."""


def export(answers: Answers, output: Path, resolution: int | None = None) -> int | None:
    """Write a page that works from disk or any static host. Returns the resolution of its shapes.

    Args:
        resolution: cells a side of the meshes; by default the finest of RESOLUTIONS that keeps the page below 10 MB.

    Raises:
        ValueError: no .html, a folder of results, no surface, or a page that would be too large.
        FileNotFoundError: no folder for it.
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{output}: a page is written as .html")
    if answers.results is not None:
        raise ValueError("a folder of results is shared by: sinenerf plot RESULTS --html page.html")
    check_folder(output)
    common = {"/state": answers.state({})[1]}
    for index, item in enumerate(answers.items):
        if item.kind != "mesh":
            common[f"/inside?item={index}"] = answers.inside({"item": str(index)})[1]
    if answers.items[0].kind == "scene":
        html, used = _with_flythroughs(answers, common), None
    else:
        html, used = _with_meshes(answers, common, resolution)
    with replacing(output) as partial:
        partial.write_text(html, encoding="utf-8")
    return used


def _with_meshes(answers: Answers, common: dict[str, bytes], resolution: int | None) -> tuple[str, int]:
    original = answers.shapes.original
    compared = [] if original is None else [i for i, item in enumerate(answers.items) if item.path != original.path]
    for index in compared:
        common[f"/quality?item={index}"] = answers.quality({"item": str(index)})[1]
    for tried in RESOLUTIONS if resolution is None else (resolution,):
        made = dict(common)
        for index in track(range(len(answers.items)), description=f"Meshing at {tried}"):
            query = {"item": str(index), "resolution": str(tried)}
            made[f"/mesh?item={index}"] = answers.mesh(query)[1]
            if index in compared:
                made[f"/distance?item={index}"] = answers.distance(query)[1]
        html = page(_packed(made))
        if len(html.encode()) <= LARGEST:
            return html, tried
    raise ValueError(
        f"the page would have {len(html.encode()):,} bytes, more than {LARGEST:,}: show fewer files, a smaller original"
        f"{'' if resolution is None else ', or a lower --resolution'}"
    )


def _with_flythroughs(answers: Answers, common: dict[str, bytes]) -> str:
    for index, item in enumerate(answers.items):
        common[f"/scene?item={index}"] = answers.scene({"item": str(index)})[1]
        made = track(flythrough(item, FRAMES, SIDE), total=FRAMES, description=f"Rendering {item.path.name}")
        frames = ["data:image/jpeg;base64," + base64.b64encode(frame).decode() for frame in made]
        common[f"/flythrough?item={index}"] = json.dumps(frames).encode()
    return page(_packed(common))


def _packed(answers: dict[str, bytes]) -> dict[str, str]:
    """Each answer gzipped, in base64."""
    return {url: base64.b64encode(gzip.compress(body, mtime=0)).decode() for url, body in answers.items()}
