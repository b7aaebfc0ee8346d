"""A shape on pages that need no server and no Python: as a link that holds the whole file, or as an HTML element.

The page and the element are built from the top-level viewer/ folder into static/: see viewer/README.md.
"""

import base64
import html
from pathlib import Path
from urllib.parse import quote, urlencode

from sinenerf.codec.container import OCCUPANCY, Container
from sinenerf.common.axes import Up

STATIC = Path(__file__).parent / "static"
PAGE, ELEMENT = STATIC / "index.html", STATIC / "sine-view.js"
LARGEST_IN_LINK = 8192
"""Bytes of a file in a link: mail programs and chats cut longer ones off."""


def link_to(path: Path, page: str | None = None, up: Up | None = None) -> str:
    """A link that holds a shape's whole file.

    Args:
        path: .sine file of a shape.
        page: address at which static/index.html is hosted; by default its place on this disk.
        up: axis of the shape that points up; None for that of the file.

    Raises:
        FileNotFoundError, CodecError: as `Container.open`.
        ValueError: the file holds no shape, or is too large for a link.
    """
    _check_shape(path)
    size = path.stat().st_size
    if size > LARGEST_IN_LINK:
        raise ValueError(
            f"{path}: {size:,} bytes are too many for a link, which holds {LARGEST_IN_LINK:,}. Fit a smaller one "
            f"(sinenerf compress {path} --bytes 3000), or host the file and use ?src=ADDRESS"
        )
    data = base64.urlsafe_b64encode(path.read_bytes()).decode().rstrip("=")
    words = {"name": path.name} | ({"up": up} if up else {}) | {"data": data}
    return f"{page or PAGE.as_uri()}#{urlencode(words)}"


def element_for(path: Path, up: Up | None = None) -> str:
    """HTML lines that show a shape on anyone's page, beside a copy of its file and of static/sine-view.js.

    Raises:
        FileNotFoundError, CodecError: as `Container.open`.
        ValueError: the file holds no shape.
    """
    _check_shape(path)
    alt = html.escape(f"3D shape {path.stem}")
    source = html.escape(quote(path.name))
    turned = f' up="{up}"' if up else ""
    return (
        f'<script type="module" src="{ELEMENT.name}"></script>\n'
        f'<sine-view src="{source}"{turned} alt="{alt}"></sine-view>'
    )


def _check_shape(path: Path) -> None:
    if Container.open(path).kind != OCCUPANCY:
        raise ValueError(f"{path}: holds no shape. Scenes are shown by: sinenerf view {path}")
