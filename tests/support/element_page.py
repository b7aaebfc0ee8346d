"""A page with <sine-view> on it, in a browser that asks nothing of any network."""

import io
import shutil
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image
from support.golden_files import GOLDEN

from sinenerf.viewer.sharing import ELEMENT

SCENE = GOLDEN / "scenes" / "proposal.sine"
RECORD = """window.seen = []; for (const name of ['progress', 'load', 'error'])
    document.addEventListener(
        name, e => e.target.localName === 'sine-view' && window.seen.push([name, e.detail]), true);"""
NAMES = "window.seen.map(([name]) => name)"
VIEW = "document.querySelector('sine-view')"


@contextmanager
def page_of(browser, html, folder, files=(), before="", **options):
    """A page with these lines, beside copies of the element and of files; whatever else it asks for is refused.

    Args:
        before: JavaScript that runs before the page's own.
        options: of the browser's context, such as `has_touch`.
    """
    for path in (ELEMENT, *files):
        shutil.copy(path, folder)
    (folder / "index.html").write_text(f'<!doctype html><script type="module" src="{ELEMENT.name}"></script>{html}')
    context = browser.new_context(viewport={"width": 320, "height": 480}, **options)
    page, asked = context.new_page(), []
    page.set_default_timeout(60_000)

    def answer(route):
        path = folder / unquote(urlsplit(route.request.url).path.lstrip("/"))
        asked.append(route.request.url)
        route.fulfill(path=path) if path.is_file() else route.fulfill(status=404)

    page.route("**/*", answer)
    page.add_init_script(RECORD + before)
    page.goto("http://page.test/index.html")
    yield page
    assert all(url.startswith(("http://page.test/", "blob:")) for url in asked)
    context.close()


def pixels(page, selector="sine-view"):
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")) / 255


def sized(width, height):
    return f'style="width:{width}px;height:{height}px"'
