"""A shape or scene in a link, and as an element, in a headless Chromium that asks nothing of any network."""

import io
import shutil
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from support.browser import needs_chromium
from support.golden_files import GOLDEN

from sinenerf.sine_file import load
from sinenerf.viewer.sharing import ELEMENT, PAGE, SCRIPT, element_for, link_to

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture
def page(browser):
    """A page of an offline browser, which may load nothing but files of this disk."""
    context = browser.new_context(viewport={"width": 480, "height": 480}, offline=True)
    made = context.new_page()
    made.set_default_timeout(60_000)
    requests = []
    made.on("request", lambda request: requests.append(request.url))
    yield made
    context.close()
    assert all(url.startswith(("file:", "blob:", "data:")) for url in requests)


@pytest.fixture
def coarse(page):
    """The same page, which finds surfaces on a grid of 64 cells a side, for tests that look at no mesh."""
    page.add_init_script(
        "new MutationObserver(() => document.getElementById('view')?.setAttribute('quality', '64'))"
        ".observe(document, { childList: true, subtree: true });"
    )


def test_a_link_shows_the_shape_that_python_finds(page, shape):
    page.goto(link_to(shape[0]))
    page.wait_for_selector("body[data-state=loaded]")
    page.wait_for_timeout(300)
    pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    drawn = (np.abs(pixels - pixels[240, 5]).max(2) > 30).mean()
    assert 0.02 < drawn < 0.6
    positions = np.array(page.evaluate("[...document.getElementById('view').mesh.positions]")).reshape(-1, 3)
    expected = load(shape[0]).mesh(256).bounds
    assert np.allclose([positions.min(0), positions.max(0)], expected, atol=2e-3 * np.ptp(expected))


def test_meshes_are_saved_from_the_page(page, shape, tmp_path):
    import trimesh

    page.goto(link_to(shape[0]))
    page.wait_for_selector("body[data-state=loaded]")
    expected = load(shape[0]).mesh(256)
    for suffix in ("glb", "ply", "stl"):
        with page.expect_download() as download:
            page.click(f"button[data-format={suffix}]")
        download.value.save_as(tmp_path / f"mesh.{suffix}")
        mesh = trimesh.load(tmp_path / f"mesh.{suffix}", force="mesh")
        assert mesh.is_watertight and mesh.volume == pytest.approx(expected.volume, rel=1e-2)


@pytest.mark.usefixtures("coarse")
def test_a_link_is_offered_again_once_a_lost_context_is_back(page, shape):
    page.goto(link_to(shape[0]))
    page.wait_for_selector("body[data-state=loaded]")
    page.evaluate("(window.lost = view.canvas.getContext('webgl2').getExtension('WEBGL_lose_context')).loseContext()")
    page.wait_for_selector("#link", state="hidden")
    page.evaluate("window.lost.restoreContext()")
    page.wait_for_selector("#link", state="visible")


@pytest.mark.usefixtures("coarse")
def test_what_float32_would_tear_is_not_saved(page):
    page.goto(link_to(GOLDEN / "far-low-rank.sine"))
    page.wait_for_selector("body[data-state=loaded]")
    page.click("button[data-format=stl]")
    page.wait_for_function("document.getElementById('facts').textContent.includes('far from the origin')")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda link: link[:-40], "checksum"),
        (lambda link: link.split("data=")[0] + "data=%%%", "damaged"),
        (lambda link: link.split("data=")[0] + "data=" + "A" * 20_000, "too long"),
        (lambda link: link.split("data=")[0] + "data=AAAAAAAAAAAAAAAAAAAA", "not a .sine file"),
    ],
)
def test_a_damaged_link_says_so_on_the_page(page, shape, change, message):
    page.goto(change(link_to(shape[0])))
    shown = "document.body.innerText + document.getElementById('view').shadowRoot.textContent"
    page.wait_for_function(f"message => ({shown}).includes(message)", arg=message)


def test_the_element_works_twice_on_a_page_and_reports_errors(browser, shape, tmp_path):
    shutil.copy(ELEMENT, tmp_path)
    shutil.copy(shape[0], tmp_path / "a shape.sine")
    html = (
        SCRIPT
        + 2 * element_for(tmp_path / "a shape.sine")
        + '<sine-view id="missing" src="none.sine" background="#fff"></sine-view>'
    )
    (tmp_path / "index.html").write_text(html)
    context = browser.new_context(viewport={"width": 320, "height": 800})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.route("http://page.test/**", lambda route: _fulfil(route, tmp_path))
    page.add_init_script(
        "window.seen = []; for (const name of ['load', 'error'])"
        " document.addEventListener(name, e => e.target.localName === 'sine-view' && window.seen.push(name), true);"
    )
    page.goto("http://page.test/index.html")
    page.wait_for_function("window.seen.length === 3")
    assert sorted(page.evaluate("window.seen")) == ["error", "load", "load"]
    assert "404" in page.evaluate("document.getElementById('missing').shadowRoot.textContent")
    labels = page.evaluate("[...document.querySelectorAll('sine-view')].map(v => v.canvas.getAttribute('aria-label'))")
    assert labels[0] == "3D shape a shape"
    context.close()


def _fulfil(route, folder):
    path = folder / urlsplit(route.request.url).path.lstrip("/").replace("%20", " ")
    if path.is_file():
        route.fulfill(path=path)
    else:
        route.fulfill(status=404)


def test_a_link_holds_a_whole_scene(page):
    page.goto(link_to(GOLDEN / "scenes" / "proposal.sine"))
    page.wait_for_selector("body[data-state=loaded]")
    assert page.locator("#output").is_visible() and not page.locator("#downloads").is_visible()
    assert page.title() == "proposal.sine"


def choose(page, path):
    page.evaluate("delete document.body.dataset.state")
    page.set_input_files("#file", path)
    page.wait_for_selector("body[data-state=loaded]")


@pytest.mark.usefixtures("coarse")
def test_what_a_link_says_of_its_shape_is_copied_with_it_and_ends_with_it(page, shape):
    """The next file lay on its side, in its GLB, too; and whoever got the link saw another shape."""
    page.goto(f"{link_to(shape[0], up='z')}&level=0.4")
    page.wait_for_selector("body[data-state=loaded]")
    assert page.evaluate("document.getElementById('view').up") == "z"
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.click("#link")
    page.wait_for_function("document.getElementById('link').textContent === 'Copied'")
    words = parse_qs(urlsplit(page.evaluate("window.copied")).fragment)
    assert words["up"] == ["z"] and words["level"] == ["0.4"]
    choose(page, GOLDEN / "sine.sine")
    assert page.evaluate("document.getElementById('view').up") == "y"
    assert page.locator("#view").get_attribute("level") is None
    assert page.locator("#link").inner_text() == "Copy a link that holds the whole file"


@pytest.mark.parametrize("answer", [{"path": GOLDEN / "sine.sine"}, {"status": 404}], ids=["found", "missing"])
def test_a_file_named_by_the_address_that_arrives_late_does_not_replace_the_one_chosen_since(browser, answer):
    """The page saved one shape under the name of the other."""
    context = browser.new_context(viewport={"width": 320, "height": 320})
    page, late = context.new_page(), []
    page.route("http://page.test/**", lambda route: route.fulfill(path=PAGE))
    page.route("**/late.sine", lambda route: late.append(route))
    with page.expect_request("**/late.sine"):
        page.goto("http://page.test/?src=late.sine")
    choose(page, GOLDEN / "relu.sine")
    faces = page.evaluate("view.mesh.indices.length")
    late[0].fulfill(**answer)
    page.wait_for_timeout(700)
    assert (
        page.evaluate("view.mesh?.indices.length") == faces and page.evaluate("document.body.dataset.state") == "loaded"
    )
    context.close()


@pytest.mark.usefixtures("coarse")
def test_of_two_files_dropped_at_once_the_last_is_shown(page):
    page.add_init_script(
        """const { arrayBuffer } = Blob.prototype; Blob.prototype.arrayBuffer = async function () {
        if (this.size === FIRST) await new Promise((resolve) => (window.arrive = resolve));
        return arrayBuffer.call(this); };""".replace("FIRST", str((GOLDEN / "sine.sine").stat().st_size))
    )
    page.goto(PAGE.as_uri())
    page.set_input_files("#file", GOLDEN / "sine.sine")
    choose(page, GOLDEN / "relu.sine")
    page.evaluate("window.arrive()")
    page.wait_for_timeout(300)
    assert page.title() == "relu.sine"


def test_without_a_clipboard_the_address_holds_the_file(browser, shape):
    """At a plain http address the button threw, unseen."""
    context = browser.new_context()
    page = context.new_page()
    page.route("http://page.test/", lambda route: route.fulfill(path=PAGE))
    page.goto("http://page.test/")
    choose(page, shape[0])
    page.click("#link")
    page.wait_for_function("document.getElementById('link').textContent.includes('copy it')")
    page.reload()
    page.wait_for_selector("body[data-state=loaded]")
    assert page.title() == shape[0].name
    context.close()


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("void (Blob.prototype.arrayBuffer = () => Promise.reject(new Error('a folder')))", "not a folder"),
        ("Object.defineProperty(Blob.prototype, 'size', { get: () => 2 ** 26 + 1 })", "more than a .sine file has"),
    ],
)
def test_what_cannot_be_read_says_so_and_another_file_can_be_chosen(page, shape, change, message):
    page.goto(PAGE.as_uri())
    choose(page, shape[0])
    assert page.locator("label.button").is_visible()
    page.evaluate(change)
    page.set_input_files("#file", GOLDEN / "sine.sine")
    page.wait_for_function("message => document.body.innerText.includes(message)", arg=message)
    assert page.title() == "sine.sine" and not page.locator("#view").is_visible()
    assert page.locator("label.button").is_visible()


def test_the_camera_path_is_followed_while_its_box_is_ticked(browser):
    """The box did nothing where less motion is preferred, and stayed ticked after a drag."""
    context = browser.new_context(viewport={"width": 320, "height": 320}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(link_to(GOLDEN / "scenes" / "proposal.sine"))
    page.wait_for_selector("body[data-state=loaded]")
    before = page.locator("#view").screenshot()
    page.check("#path")
    page.wait_for_timeout(1500)
    assert page.locator("#view").screenshot() != before
    page.mouse.move(160, 160)
    page.mouse.down()
    page.mouse.move(170, 160)
    page.mouse.up()
    assert not page.is_checked("#path")
    context.close()
