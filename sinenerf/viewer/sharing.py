"""A field on pages that need no server and no Python: as a link that holds the whole file, or as an HTML element.

The page and the element are built from the top-level viewer/ folder into static/: see viewer/README.md.
"""

import base64
import html
from pathlib import Path
from urllib.parse import quote, urlencode

from sinenerf.common.axes import Up
from sinenerf.viewer.assets import kind_of, refuse_up

STATIC = Path(__file__).parent / "static"
PAGE, ELEMENT = STATIC / "index.html", STATIC / "sine-view.js"
SCRIPT = f'<script type="module" src="{ELEMENT.name}"></script>'
LARGEST_IN_LINK = 8192
"""Bytes of a file in a link: mail programs and chats cut longer ones off."""


def link_to(path: Path, page: str | None = None, up: Up | None = None) -> str:
    """A link that holds a whole file.

    Args:
        path: .sine file of a shape or a scene.
        page: address at which static/index.html is hosted; by default its place on this disk.
        up: axis of the shape that points up; None for that of the file.

    Raises:
        FileNotFoundError, CodecError: as `kind_of`.
        ValueError: the file is too large for a link, or an axis was given for a scene.
    """
    refuse_up(path, kind_of(path), up)
    size = path.stat().st_size
    if size > LARGEST_IN_LINK:
        raise ValueError(
            f"{path}: {size:,} bytes are too many for a link, which holds {LARGEST_IN_LINK:,}. "
            "--export writes one page with the file in it, and --embed prints the lines for a page of yours"
        )
    data = base64.urlsafe_b64encode(path.read_bytes()).decode().rstrip("=")
    words = {"name": path.name} | ({"up": up} if up else {}) | {"data": data}
    return f"{page or PAGE.as_uri()}#{urlencode(words)}"


def element_for(path: Path, up: Up | None = None) -> str:
    """The HTML line that shows a field on anyone's page, after SCRIPT and beside copies of its file and of ELEMENT.

    Raises:
        FileNotFoundError, CodecError: as `kind_of`.
        ValueError: an axis was given for a scene.
    """
    kind = kind_of(path)
    refuse_up(path, kind, up)
    alt = html.escape(f"3D {kind} {path.stem}")
    turned = f' up="{up}"' if up else ""
    return f'<sine-view src="{html.escape(quote(path.name))}"{turned} alt="{alt}"></sine-view>'
