"""Commands to view shapes, scenes and results."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sinenerf.cli.meshes import given, refuse_options
from sinenerf.common.axes import Up
from sinenerf.common.console import say

if TYPE_CHECKING:
    from sinenerf.viewer.api import ViewerApi
    from sinenerf.viewer.server import Server


def view(
    paths: Annotated[list[Path], tyro.conf.Positional],
    /,
    original: Path | None = None,
    up: Up | None = None,
    export: Path | None = None,
    link: bool = False,
    embed: bool = False,
    page: str | None = None,
    quality: str | None = None,
    host: str | None = None,
    port: int | None = None,
    browser: bool = True,
) -> None:
    """View shapes, scenes or results on a browser page, or write the page as one file.

    Args:
        paths: .sine files, meshes and folders from sinenerf capture, side by side or overlaid with one camera; or one
            folder of a sweep's results.
        original: mesh that the shapes were fitted to: they are scored and coloured by their distance to it.
        up: axis of the shapes that points up, by default that of each file; --up=-y needs the equals sign.
        export: write a page that needs no server to this .html file, instead of serving one.
        link: print links that hold the whole .sine files, of up to 8 kB each, instead of serving a page.
        embed: print the HTML lines that show the .sine files on a page of yours, instead of serving one.
        page: where the page of --link is hosted (static/index.html of sinenerf.viewer); by default its file here.
        quality: measure that the plot of results shows: iou, chamfer_l1, ...; psnr, ssim, ...
        host: address to listen at: 127.0.0.1 by default. Any other lets other machines in, without a password.
        port: port to listen at (7008 by default); 0 takes any free one.
        browser: open the page in this machine's browser.
    """
    if page is not None and not link:
        raise ValueError("--page is the address of links: give --link, too, or leave it out")
    is_served = not (link or embed or export)
    if not is_served and (given(host=host, port=port) or not browser):
        raise ValueError("--link, --embed and --export serve no page: leave out --host, --port and --no-browser")
    if link or embed:
        if original or export or quality:
            raise ValueError("--link and --embed only print lines: leave out --original, --export and --quality")
        _print_sharing(paths, link, embed, page, up)
        return
    from sinenerf.viewer.launch import open_api

    api = open_api(paths, original, up, quality)
    if export is not None:
        from sinenerf.viewer.export_page import export_page

        export_page(api, export)
        print(f"{export}: {export.stat().st_size:,} bytes")
        return
    for problem in api.results.problems if api.results is not None else ():
        say(f"skipped: {problem}")
    _serve(api, browser, **given(host=host, port=port))


def snapshot(
    paths: Annotated[list[Path], tyro.conf.Positional],
    /,
    output: Path | None = None,
    turntable: Path | None = None,
    original: Path | None = None,
    up: Up | None = None,
    resolution: int | None = None,
    level: float | None = None,
    width: int = 480,
    height: int = 400,
    turn: float | None = None,
    tilt: float | None = None,
    frames: int | None = None,
    labels: bool = True,
) -> None:
    """Render shapes and scenes, side by side, as a picture or a turntable, without a browser, display or GPU.

    Args:
        paths: .sine files and meshes.
        output: picture to write: .png or .jpg.
        turntable: film to write: .mp4 or .gif; scenes move along a path around the cameras of their capture.
        original: mesh that the shapes were fitted to, shown last.
        up: axis of the shapes that points up, by default that of each file; --up=-y needs the equals sign.
        resolution: for .sine files of shapes: cells a side of their meshes (256 by default).
        level: for .sine files of shapes: occupancy of their surface, between 0 and 1 (0.5 by default).
        width: of each file's picture, in pixels.
        height: of each file's picture, in pixels.
        turn: for shapes: angle of the camera around the vertical axis, in degrees from the front (17 by default).
        tilt: for shapes: angle of the camera above the horizon, in degrees (11 by default).
        frames: number of pictures in the turntable, 24 a second (72 by default).
        labels: write name, bytes, parameters and rank below each picture.
    """
    from sinenerf.common.mesh_renderer import Framing
    from sinenerf.viewer.launch import open_api
    from sinenerf.viewer.snapshot import snapshot as write_snapshot

    if frames is not None and turntable is None:
        raise ValueError("--frames is the length of the --turntable: give that, too, or leave it out")
    api = open_api(paths, original, up)
    of_fields, of_shapes = given(resolution=resolution, level=level), given(turn=turn, tilt=tilt)
    if any(asset.kind == "scene" for asset in api.assets):
        refuse_options(paths[0], "scene", of_fields | of_shapes)
    elif api.assets and all(asset.kind == "mesh" for asset in api.assets):
        refuse_options(paths[0], "mesh", of_fields)
    framing = Framing(width, height, labels=labels, **of_shapes)
    for path in write_snapshot(api, output, turntable, framing, **of_fields, **given(frames=frames), progress=True):
        print(f"{path}: {path.stat().st_size:,} bytes")


def _print_sharing(paths: list[Path], link: bool, embed: bool, page: str | None, up: Up | None) -> None:
    from sinenerf.viewer.sharing import ELEMENT, SCRIPT, element_for, link_to

    if link:
        print("\n".join(link_to(path, page, up) for path in paths))
    if embed:
        print("\n".join([SCRIPT, *(element_for(path, up) for path in paths)]))
        say(
            f"put a copy of {ELEMENT} and of {', '.join(path.name for path in paths)} beside your page, and open it "
            "from a web server (python -m http.server): browsers load no modules from disk"
        )


def _serve(api: "ViewerApi", browser: bool, host: str = "127.0.0.1", port: int = 7008) -> None:
    """Serve the page until Ctrl-C. The address is printed at once, while files are still being read."""
    import webbrowser
    from threading import Event

    from sinenerf.viewer.launch import preload
    from sinenerf.viewer.server import serving

    with serving(api, host, port, log=say) as server:
        print(_announcement(server), flush=True)
        if browser and _has_display():
            webbrowser.open(server.url)
        preload(api)
        Event().wait()


def _announcement(server: "Server") -> str:
    if server.is_local:
        return (
            f"sinenerf: {server.url}\nOnly this machine can open it; from another one: "
            f"ssh -L {server.server_port}:localhost:{server.server_port} THIS_MACHINE. Ctrl-C ends it."
        )
    return (
        f"sinenerf: {server.url}\nListening at {server.host}: anyone who can reach this machine there can see these "
        f"files and keep its processor busy. There is no password. Ctrl-C ends it."
    )


def _has_display() -> bool:
    """Whether a browser would open in a window; a text browser would take over the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
