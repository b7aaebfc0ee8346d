"""What `sinenerf view` does: a page on fields, meshes, scenes or results, live or as a file."""

import os
import sys
import webbrowser
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

from sinenerf.common.console import say
from sinenerf.viewer.api import Answers
from sinenerf.viewer.assets import Item, Up, open_items
from sinenerf.viewer.server import Server

FIRST_RESOLUTION = 128
"""Cells a side of a shape's first picture; the page asks for the same."""


def gather(paths: list[Path], original: Path | None = None, up: Up = "y", quality: str | None = None) -> Answers:
    """What to look at: files, or one folder of results.

    Raises:
        FileNotFoundError, ValueError: see `open_items`, `Results`; or an original beside scenes.
    """
    mesh = None if original is None else Item.of(original)
    if mesh is not None and mesh.kind != "mesh":
        raise ValueError(f"{original}: the original is a mesh: .ply .obj .stl .glb .off .drc")
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise ValueError(f"{folders[0]}: is a folder. Give one folder of results, or files")
    if folders:
        from sinenerf.viewer.result_plots import Results

        return Answers([], mesh, Results(folders[0], quality), up)
    items = open_items(paths)
    if mesh is not None and items[0].kind == "scene":
        raise ValueError(f"{original}: scenes are compared with no mesh. Leave --original out")
    if mesh is not None:
        items = [mesh if item.path == mesh.path else item for item in items]  # so that it is loaded once
        if mesh not in items:
            items.append(mesh)
    return Answers(items, mesh, None, up)


def view(
    paths: list[Path],
    original: Path | None = None,
    up: Up = "y",
    quality: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7008,
    browser: bool = True,
) -> None:
    """Serve the page until Ctrl-C. The address is taken at once, while files are still being read.

    Raises:
        FileNotFoundError, ValueError: see `gather`; or a file that is damaged.
        OSError: the port is taken.
    """
    answers = gather(paths, original, up, quality)
    for problem in answers.results.problems if answers.results is not None else ():
        say(f"passed over: {problem}")
    server = Server(answers, host, port)
    Thread(target=server.serve_forever, daemon=True).start()
    print(_announcement(server), flush=True)
    if browser and _has_browser():
        webbrowser.open(server.url)
    try:
        prepare(answers)
        Event().wait()
    finally:
        server.shutdown()


def prepare(answers: Answers) -> None:
    """Load all files, first pictures first, whether or not a page is there yet.

    Raises:
        ValueError: a file is damaged.
    """
    for index, item in enumerate(list(answers.items)):
        item.load()
        if item.kind == "field":
            with suppress(ValueError):  # of a field without a surface: the page says so
                answers.shapes.surface(index, FIRST_RESOLUTION, 0.5, quick=True)


def _announcement(server: Server) -> str:
    if server.is_local:
        return (
            f"sinenerf: {server.url}\nOnly this machine can open it; from another one: "
            f"ssh -L {server.server_port}:localhost:{server.server_port} THIS_MACHINE. Ctrl-C ends it."
        )
    return (
        f"sinenerf: {server.url}\nListening at {server.host}: whoever reaches this machine there can see these files "
        f"and keep its processor busy. There is no password. Ctrl-C ends it."
    )


def _has_browser() -> bool:
    """Whether a browser would open in a window: in a terminal, one of text would take the terminal over."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
