"""A picture of all photographs: placed ones in the scene, left-out ones below with their reasons."""

import unicodedata
from functools import cache
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from sinenerf.capture.intake import noted
from sinenerf.capture.report import CaptureReport
from sinenerf.capture.workspace import Workspace

if TYPE_CHECKING:
    from PIL import Image, ImageDraw, ImageFont

CELL, LABEL, GAP = 160, 28, 6
"""Side of a thumbnail's square, height of the two lines below it, and distance between squares, in pixels."""
COLUMNS = 8
"""Photographs in a row; more where there would be more rows than that: JPEG allows at most 65,500 pixels."""
PAPER, INK = (250, 250, 248), (30, 30, 30)
PLACED, LEFT_OUT = (46, 125, 80), (184, 60, 40)
"""Colours of the lines around placed and left-out photographs."""


def write_contact_sheet(report: CaptureReport, workspace: Workspace, path: Path) -> None:
    """Write the contact sheet as JPEG. Photographs that cannot be read have an empty frame.

    Raises:
        OSError: the file cannot be written.
    """
    from PIL import Image, ImageDraw

    stored = {photograph.source: photograph.name for photograph in noted(workspace)}
    placed = [(source, "", PLACED) for source in report.placed.values()]
    left_out = [(left.source, left.reason, LEFT_OUT) for left in report.left_out]
    heading = 30
    columns = max(COLUMNS, ceil(sqrt(len(placed) + len(left_out))))
    rows = [-(-len(part) // columns) for part in (placed, left_out)]
    height = GAP + sum(heading + count * (CELL + LABEL + GAP) for count in rows if count)
    sheet = Image.new("RGB", (GAP + columns * (CELL + GAP), height), PAPER)
    draw, y = ImageDraw.Draw(sheet), GAP
    for title, part in ((f"placed: {len(placed)}", placed), (f"left out: {len(left_out)}", left_out)):
        if not part:
            continue
        draw.text((GAP, y + 4), title, INK, _font(15))
        y += heading
        for number, (source, reason, colour) in enumerate(part):
            corner = (GAP + number % columns * (CELL + GAP), y + number // columns * (CELL + LABEL + GAP))
            name = stored.get(source)
            picture = workspace.images / name if name else None
            _draw_cell(sheet, draw, corner, picture, (source, reason), colour)
        y += -(-len(part) // columns) * (CELL + LABEL + GAP)
    sheet.save(path, quality=88)


def _draw_cell(
    sheet: "Image.Image",
    draw: "ImageDraw.ImageDraw",
    corner: tuple[int, int],
    picture: Path | None,
    lines: tuple[str, str],
    colour: tuple[int, int, int],
) -> None:
    """Draw one photograph in its square, with its name and reason below."""
    from PIL import Image

    x, y = corner
    if picture is not None:
        with Image.open(picture) as image:
            small = image.convert("RGB")
            small.thumbnail((CELL - 6, CELL - 6))
        sheet.paste(small, (x + (CELL - small.width) // 2, y + (CELL - small.height) // 2))
    draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), outline=colour, width=2)
    draw.text((x + 2, y + CELL + 1), shortened(lines[0]), INK, _font(10))
    draw.text((x + 2, y + CELL + 14), lines[1], colour, _font(10))


def shortened(text: str) -> str:
    """The end of a text that fits below a square, with accents as single characters, which the font has."""
    shown = "".join(c if c.isprintable() else "?" for c in unicodedata.normalize("NFC", text))
    while _font(10).getlength(shown) > CELL - 4:
        shown = "..." + shown.removeprefix("...")[1:]
    return shown


@cache
def _font(size: int) -> "ImageFont.FreeTypeFont":
    """DejaVu Sans, which matplotlib brings: Latin, Greek and Cyrillic letters, where Pillow's font has ASCII alone."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), size)
