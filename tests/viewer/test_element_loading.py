"""How <sine-view> gets its file: late, from other servers, in hidden tabs, or not at all. In a headless Chromium."""

import base64
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.browser import needs_chromium
from support.element_page import NAMES, SCENE, VIEW, page_of, sized
from support.golden_files import GOLDEN

from sinenerf.viewer.sharing import ELEMENT

pytestmark = [pytest.mark.slow, needs_chromium]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HIDE = """Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.isHidden });
    window.isHidden = IS_HIDDEN; window.asked = 0;
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (...call) { window.asked += 1; return postMessage.apply(this, call); };
    window.hide = (isHidden) => {
        window.isHidden = isHidden; document.dispatchEvent(new Event('visibilitychange')); };"""

LATE = """const fetchNow = window.fetch; window.fetch = async (name) => {
    const answer = await fetchNow(name);
    if (name.startsWith('late')) await new Promise((resolve) => (window.arrive = resolve));
    return answer; };"""
SHOW = "async (name) => document.querySelector('sine-view').show(await (await fetch(name)).bytes())"
FACES = f"{VIEW}.mesh.indices.length"
HIDE_SOON = "document.addEventListener('progress', () => hide(true), { capture: true, once: true });"


class AnyOrigin(SimpleHTTPRequestHandler):
    """Serves files to the pages of any site."""

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


@contextmanager
def serving(folder, handler=SimpleHTTPRequestHandler):
    """The address of a server of static files, whose port makes it an origin of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_nothing_is_fetched_before_the_element_is_near_the_window(browser, shape, tmp_path):
    (tmp_path / "poster.png").write_bytes(base64.b64decode(PIXEL))
    line = f'<p {sized(10, 4000)}></p><sine-view src="torus.sine" poster="poster.png" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path, [shape[0]]) as page:
        fetched = "performance.getEntriesByType('resource').map(({ name }) => name.split('/').at(-1))"
        page.wait_for_timeout(700)
        assert not {"torus.sine", "poster.png"} & set(page.evaluate(fetched))
        page.evaluate("scrollTo(0, 4000)")
        page.wait_for_function(f"{NAMES}.includes('load')")
        assert {"torus.sine", "poster.png"} <= set(page.evaluate(fetched))


def test_the_poster_is_shown_until_the_first_picture_and_no_longer(browser, shape, tmp_path):
    (tmp_path / "poster.png").write_bytes(base64.b64decode(PIXEL))
    line = f'<sine-view poster="poster.png" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path, [shape[0]]) as page:
        page.wait_for_function(f"{VIEW}.poster.complete && {VIEW}.poster.naturalWidth === 1")
        assert page.evaluate(f"!{VIEW}.poster.hidden && {VIEW}.poster.checkVisibility()")
        page.evaluate(f"{VIEW}.setAttribute('src', 'torus.sine')")
        page.wait_for_function(f"{NAMES}.includes('progress')")
        assert page.evaluate(f"{VIEW}.poster.hidden")
        page.evaluate(f"{VIEW}.setAttribute('poster', 'poster.png?other')")
        assert page.evaluate(f"{VIEW}.poster.hidden")


@pytest.mark.parametrize("late", ["late.sine", "late and missing.sine"])
def test_a_file_that_arrives_late_does_not_replace_the_one_shown_since(browser, tmp_path, late):
    shutil.copy(GOLDEN / "sine.sine", tmp_path / "late.sine")
    line = f'<sine-view src="{late}" quality="64" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path, [GOLDEN / "relu.sine"], LATE) as page:
        page.wait_for_function("Boolean(window.arrive)")  # a function would be called
        page.evaluate(SHOW, "relu.sine")
        page.wait_for_function(f"{NAMES}.includes('load')")
        faces = page.evaluate(FACES)
        page.evaluate("window.arrive()")
        page.wait_for_timeout(700)
        assert page.evaluate(NAMES) == ["progress", "load"] and page.evaluate(FACES) == faces
        assert page.evaluate(f"{VIEW}.note.hidden")


def test_nothing_is_left_of_a_file_while_the_next_is_on_its_way(browser, tmp_path):
    (tmp_path / "poster.png").write_bytes(base64.b64decode(PIXEL))
    line = f'<sine-view src="relu.sine" poster="poster.png" quality="64" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path, [GOLDEN / "relu.sine"], LATE) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        page.evaluate(f"{VIEW}.setAttribute('src', 'late and missing.sine')")
        page.wait_for_function("Boolean(window.arrive)")  # a function would be called
        assert page.evaluate(f"{VIEW}.mesh === undefined && !{VIEW}.poster.hidden")
        page.evaluate("window.arrive()")
        page.wait_for_function(f"{NAMES}.at(-1) === 'error'")


def test_an_element_whose_file_changes_out_of_the_document_shows_the_new_one(browser, tmp_path):
    line = f'<sine-view src="relu.sine" quality="64" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path, [GOLDEN / "relu.sine", GOLDEN / "sine.sine"]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        faces = page.evaluate(FACES)
        page.evaluate("""() => {
            const view = document.querySelector('sine-view');
            view.remove(); view.setAttribute('src', 'sine.sine'); document.body.append(view); }""")
        page.wait_for_function(f"{NAMES}.filter(name => name === 'load').length === 2")
        assert page.evaluate(FACES) != faces


def test_label_and_background_are_there_before_the_file_in_any_order_of_the_attributes(browser, tmp_path):
    dress = f'alt="A dragon" background="rgb(34, 34, 34)" {sized(90, 90)}'
    lines = f'<sine-view {dress} src="none.sine"></sine-view><sine-view src="none.sine" {dress}></sine-view>'
    with page_of(browser, lines, tmp_path) as page:
        page.wait_for_function(f"{NAMES}.length === 2")
        said = "({ canvas }) => [canvas.getAttribute('aria-label'), canvas.style.background]"
        shown = page.evaluate(f"[...document.querySelectorAll('sine-view')].map({said})")
        assert shown == 2 * [["A dragon", "rgb(34, 34, 34)"]]


@pytest.mark.parametrize("handler", [SimpleHTTPRequestHandler, AnyOrigin], ids=["without CORS", "with CORS"])
def test_a_file_of_another_server_needs_its_permission(browser, shape, tmp_path, handler):
    shutil.copy(shape[0], tmp_path)
    (tmp_path / "home").mkdir()
    shutil.copy(ELEMENT, tmp_path / "home")
    with serving(tmp_path / "home") as home, serving(tmp_path, handler) as other:
        line = f'<sine-view src="{other}torus.sine" quality="64"></sine-view>'
        (tmp_path / "home" / "index.html").write_text(f'<script type="module" src="{ELEMENT.name}"></script>{line}')
        page = browser.new_page()
        page.goto(home)
        said = page.wait_for_function(
            f"{VIEW}.note?.className.includes('error') && {VIEW}.note.textContent || {VIEW}.mesh"
        )
        if handler is AnyOrigin:
            assert page.evaluate(f"Boolean({VIEW}.mesh)")
        else:
            assert said.json_value() == (
                f"{other}torus.sine cannot be fetched: no such server, or it does not allow this page (CORS)"
            )
        page.close()


@pytest.mark.parametrize("path", [GOLDEN / "sine.sine", SCENE], ids=["shape", "scene"])
def test_a_file_of_a_newer_version_says_so(browser, tmp_path, path):
    data = bytearray(path.read_bytes())
    data[4] = 2
    newer = tmp_path / "newer.sine"
    newer.write_bytes(data)
    (tmp_path / "page").mkdir()
    line = f'<sine-view src="newer.sine" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path / "page", [newer]) as page:
        page.wait_for_function(f"{NAMES}.includes('error')")
        message = "The file has version 2; this viewer reads version 1"
        assert page.evaluate(f"{VIEW}.note.textContent") == message
        assert page.evaluate("window.seen.at(-1)[1].message") == message


def test_a_hidden_tab_finds_no_surface(browser, shape, tmp_path):
    line = f'<sine-view src="torus.sine" {sized(90, 90)}></sine-view>'
    with page_of(browser, line, tmp_path, [shape[0]], HIDE.replace("IS_HIDDEN", "true")) as page:
        page.wait_for_timeout(800)
        assert page.evaluate("window.asked") == 0 and page.evaluate(NAMES) == []
        page.evaluate(HIDE_SOON)
        page.evaluate("hide(false)")
        page.wait_for_function(f"{NAMES}.includes('progress')")
        page.wait_for_timeout(700)
        assert page.evaluate(NAMES) == ["progress"]
        page.evaluate("hide(false)")
        page.wait_for_function(f"{NAMES}.includes('load')")


def test_a_hidden_tab_neither_renders_nor_bakes_a_scene(browser, tmp_path):
    line = f'<sine-view src="{SCENE.name}" quality="320" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SCENE], HIDE.replace("IS_HIDDEN", "false") + HIDE_SOON) as page:
        page.wait_for_function(f"{NAMES}.includes('progress')")
        page.wait_for_timeout(500)  # the turns at hand end
        asked = page.evaluate("window.asked")
        page.wait_for_timeout(700)
        assert page.evaluate("window.asked") == asked and not page.evaluate(f"{NAMES}.includes('load')")
        page.evaluate("hide(false)")
        page.wait_for_function(f"{NAMES}.includes('load')")


def test_a_scene_out_of_sight_neither_moves_nor_renders_nor_bakes(browser, tmp_path):
    lines = (
        f'<sine-view src="{SCENE.name}" quality="64" auto-rotate {sized(96, 72)}></sine-view><p {sized(10, 4000)}></p>'
    )
    with page_of(browser, lines, tmp_path, [SCENE], HIDE.replace("IS_HIDDEN", "false")) as page:
        page.wait_for_function(f"{NAMES}.includes('progress')")
        page.evaluate("scrollTo(0, 4000)")
        page.wait_for_timeout(500)  # the turns at hand end
        before = page.evaluate("[window.asked, window.seen.length]")
        page.wait_for_timeout(700)
        assert page.evaluate("[window.asked, window.seen.length]") == before
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(f"window.asked > {before[0]} && window.seen.length > {before[1]}")
