"""What a browser without a GPU makes of .sine files: how soon they are decoded and drawn, and how exactly.

    python scripts/benchmark_viewer.py --shape dragon.sine --scenes small.sine wide.sine

Headless Chromium shows a page with the one element <sine-view>, offline. Times are seconds from the `load` event of
the page, when the module has been fetched and compiled, to the first surface of 64 cells a side and to that of 256, or
to the first picture and to the whole one. The best of several rounds counts, since other load only slows it down.
"""

import base64
import hashlib
import io
import json
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import tyro
from playwright.sync_api import Browser, Page, Route, sync_playwright

import sinenerf
from sinenerf.common import hardware
from sinenerf.radiance.field import RadianceField
from sinenerf.viewer.sharing import ELEMENT

PROJECT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FLAGS += ["--disable-background-networking"]
PICTURE = (504, 378)
"""Pixels of a scene's whole picture."""
SITE = "http://page.test"
VIEW = "document.querySelector('sine-view')"
WATCH = """window.seen = [];
    for (const name of ['progress', 'load', 'error']) document.addEventListener(name, (event) => {
        if (event.target.localName === 'sine-view') window.seen.push([name, performance.now() / 1000, event.detail]);
    }, true);"""
DECODE = """async ([encoded, count]) => {
    const { decode } = await import('/viewer/decoder/index.js');
    const data = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const times = [];
    for (let i = 0; i < count; i++) {
        const start = performance.now();
        decode(data);
        times.push(performance.now() - start);
    }
    return times;
}"""
VALUES = """async (encoded) => {
    const { decode, decodeAdapter } = await import('/viewer/decoder/index.js');
    const data = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const file = data[5] === 3 ? await decodeAdapter(data) : decode(data);
    return [...file.tensors.values()].map(({ name, values }) => [name, [...new Uint8Array(values.buffer)]]);
}"""


@dataclass
class Options:
    shape: Path
    """File of an occupancy field, of about 3 kB."""
    scenes: tuple[Path, ...]
    """Files of radiance fields: one of sine-nerf-small, and a wider one."""
    chromium: Path | None = None
    """The browser; by default playwright's own, or the system's."""
    rounds: int = 3
    """Pages opened for each file."""
    frames: int = 80
    """Pictures of a moving camera."""
    output: Path = Path("scripts/results/viewer.json")
    """Result file."""


def main(options: Options) -> None:
    with sync_playwright() as driver:
        path = None if options.chromium is None else str(options.chromium)
        browser = driver.chromium.launch(executable_path=path or _chromium(), headless=True, args=FLAGS)
        result = {
            "shape": _best([_shape(browser, options.shape) for _ in range(options.rounds)], "first_mesh"),
            "scenes": [_scene(browser, path, options.rounds, options.frames) for path in options.scenes],
            "decode": [_decode(browser, path) for path in (options.shape, *options.scenes)],
            "golden": _golden(browser),
            "browser": f"Chromium {browser.version}, software rendering, {_threads(browser)} threads",
        }
        browser.close()
    hardware.write_figures(options.output, result)
    print(json.dumps(result, indent=2))


def _shape(browser: Browser, path: Path) -> dict[str, float]:
    with _page(browser, f'<sine-view src="/file" style="width:{PICTURE[0]}px"></sine-view>', path) as page:
        seen = _wait_for_load(page)
        faces = [detail["faces"] for name, _, detail in seen if name == "progress"]
        cells = [detail["cells"] for name, _, detail in seen if name == "progress"]
        times = [_since_load(page, time) for name, time, _ in seen if name == "progress"]
    assert cells[0] == 64 and cells[-1] == 256, cells
    figures = {"bytes": path.stat().st_size, "faces": faces[-1]}
    return figures | {"first_mesh": times[0], "cells_256": times[-1]}


def _scene(browser: Browser, path: Path, rounds: int, frames: int) -> dict[str, Any]:
    """The field's size, times to its pictures, how near they are to Python's, and what a moving camera gets."""
    field = sinenerf.load(path)
    assert isinstance(field, RadianceField) and field.capture is not None
    field.precision = "float32"
    home = field.capture.home
    expected = field.render(home.resized(PICTURE[0] / home.width))["rgb"].numpy()
    if expected.shape[:2] != PICTURE[::-1]:
        raise ValueError(f"{path}: its photographs are not of the shape {PICTURE[0]}:{PICTURE[1]}")
    figures = {"bytes": path.stat().st_size, "layer": field.config.layer, "width": field.config.width}
    figures |= _best([_pictures(browser, path, expected) for _ in range(rounds)], "first_picture")
    return figures | {"moving": _moving(browser, path, frames)}


def _pictures(browser: Browser, path: Path, expected: np.ndarray) -> dict[str, Any]:
    """Times to the first and the whole picture, and the latter's distance from Python's rendering in float32."""
    width, height = PICTURE
    line = f'<sine-view src="/file" style="width:{width}px;height:{height}px"></sine-view>'
    with _page(browser, line, path) as page:
        seen = [(detail, _since_load(page, time)) for name, time, detail in _wait_for_load(page) if name == "progress"]
        shown = _screenshot(page)
    psnr = -10 * np.log10(np.square(shown - expected).mean())
    figures = {"first_pixels": f"{seen[0][0]['width']}x{seen[0][0]['height']}", "first_picture": seen[0][1]}
    return figures | {"whole_picture": seen[-1][1], "psnr_to_python": round(float(psnr), 1)}


def _moving(browser: Browser, path: Path, frames: int) -> dict[str, float | str]:
    """Seconds until a resting scene is baked, coarsely and finely; pictures a second then, and their size."""
    width, height = PICTURE
    line = f'<sine-view src="/file" style="width:{width}px;height:{height}px"></sine-view>'
    with _page(browser, line, path) as page:
        figures: dict[str, float | str] = {}
        for name, state in (("coarsely_baked", "undefined"), ("baked", "'coarse'")):
            condition = f"![undefined, {state}].includes({VIEW}.canvas.dataset.baked)"
            page.wait_for_function(f"{condition} && (window.{name} ??= performance.now() / 1000)")
            figures[name] = _since_load(page, page.evaluate(f"window.{name}"))
        page.evaluate(f"window.seen.length = 0; {VIEW}.setAttribute('auto-rotate', '')")
        page.wait_for_function(f"window.seen.filter(([name]) => name === 'progress').length > {frames}")
        seen = [(time, detail) for name, time, detail in page.evaluate("window.seen") if name == "progress"]
    first, last = seen[frames // 2], seen[frames]
    figures["pixels"] = f"{last[1]['width']}x{last[1]['height']}"
    return figures | {"frames_per_second": round((frames - frames // 2) / (last[0] - first[0]), 1)}


def _decode(browser: Browser, path: Path) -> dict[str, float]:
    """Milliseconds to decode a file: the first time, before the code is compiled, and the median of later ones."""
    with _page(browser, "", path) as page:
        encoded = base64.b64encode(path.read_bytes()).decode()
        first, *later = page.evaluate(DECODE, [encoded, 20])
    return {"bytes": path.stat().st_size, "first_ms": round(first, 1), "later_ms": round(float(np.median(later)), 1)}


def _golden(browser: Browser) -> dict[str, int]:
    """How many golden files decode to the values that Python's readers find."""
    folder = PROJECT / "tests" / "golden"
    hashes = dict(line.split() for line in (folder / "hashes.txt").read_text().splitlines())
    equal = 0
    with _page(browser, "", folder / "hashes.txt") as page:
        for name, expected in hashes.items():
            data = (folder / f"{name}.sine").read_bytes()
            digest = hashlib.sha256()
            for tensor, values in page.evaluate(VALUES, base64.b64encode(data).decode()):
                digest.update(_independent_name(tensor).encode() + bytes(values))
            equal += digest.hexdigest() == expected
    return {"files": len(hashes), "equal": equal}


def _independent_name(name: str) -> str:
    """A tensor's name in docs/format.md, where the networks are called 0 and 1."""
    for ours, theirs in (("coarse.", "0."), ("fine.", "1.")):
        if name.startswith(ours):
            return theirs + name.removeprefix(ours).removeprefix("trunk.")
    return name


@contextmanager
def _page(browser: Browser, line: str, file: Path) -> Iterator[Page]:
    """A page with this line; the element, the file at /file and the sources at /viewer answer, and nothing else."""
    html = f'<body style="margin:0"><script type="module" src="/sine-view.js"></script>{line}</body>'

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        source = PROJECT / path.lstrip("/")
        if path == "/":
            route.fulfill(body=html, content_type="text/html")
        elif path == "/file":
            route.fulfill(path=file)
        elif path == "/sine-view.js":
            route.fulfill(path=ELEMENT, content_type="text/javascript")
        elif path.startswith("/viewer/") and source.is_file():
            route.fulfill(path=source, content_type=mimetypes.guess_type(source)[0])
        else:
            route.abort()

    context = browser.new_context(viewport={"width": PICTURE[0], "height": PICTURE[1]})
    page = context.new_page()
    page.set_default_timeout(180_000)
    page.route("**/*", answer)
    page.add_init_script(WATCH)
    page.goto(f"{SITE}/")
    yield page
    context.close()


def _wait_for_load(page: Page) -> list[Any]:
    page.wait_for_function("window.seen.some(([name]) => name === 'load' || name === 'error')")
    seen = page.evaluate("window.seen")
    errors = [detail["message"] for name, _, detail in seen if name == "error"]
    if errors:
        raise ValueError(errors[0])
    return seen


def _since_load(page: Page, time: float) -> float:
    start = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
    return round(time - start, 2)


def _screenshot(page: Page) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")) / 255


def _best(rounds: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return min(rounds, key=lambda figures: figures[name])


def _threads(browser: Browser) -> int:
    with _page(browser, "", PROJECT / "README.md") as page:
        return page.evaluate("navigator.hardwareConcurrency")


def _chromium() -> str | None:
    """The system's browser, if there is one."""
    import shutil

    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


if __name__ == "__main__":
    main(tyro.cli(Options))
