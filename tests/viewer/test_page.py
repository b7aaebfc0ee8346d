"""The page in a real headless Chromium: what it draws, what its controls change, what it exports."""

import io
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import astuple

import numpy as np
import pytest
import trimesh
from PIL import Image
from support.browser import needs_chromium
from support.golden_files import GOLDEN
from support.viewer_server import viewer_url

from sinenerf.rd.results import Job, Result

pytestmark = [pytest.mark.slow, needs_chromium]
RECORD = """() => {
    window.sides = [];
    const picture = document.querySelector('.picture');
    const record = new MutationObserver(() => window.sides.push(Number(picture.dataset.side)));
    record.observe(picture, { attributes: true, attributeFilter: ['data-side'] });
}"""
FINISHED = """() => [...document.querySelectorAll('.note')].every(
    note => /64³$|^$/.test(note.textContent) && !note.classList.contains('error'))"""


@contextmanager
def opened(browser, url, offline=False, expected=("GPU stall", "software WebGL", "No available adapters")):
    """A page, which must end without errors or warnings on its console, but for those of software rendering."""
    context = browser.new_context(viewport={"width": 640, "height": 400}, offline=offline)
    page, messages, asked = context.new_page(), [], []
    page.set_default_timeout(120_000)
    page.on("console", lambda m: messages.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    context.close()
    own = url if url.startswith("file:") else url.split("?")[0]
    assert asked and all(address.startswith((own, "blob:", "data:")) for address in asked)
    assert [m for m in messages if not any(part in m for part in expected)] == []


def pixels(page, selector="#stage"):
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).screenshot())).convert("RGB")).astype(int)


def changed(page, act):
    """Fraction of the stage's pixels that an action changes."""
    before, drawn = pixels(page), page.evaluate("document.body.dataset.drawn")
    act()
    page.wait_for_function(f"document.body.dataset.drawn !== '{drawn}'")
    page.wait_for_timeout(200)
    return (np.abs(pixels(page) - before).max(2) > 12).mean()


def show_coarse_surfaces(page):
    """Select the coarsest grid, and wait for all surfaces."""
    page.wait_for_selector("#resolution")
    page.select_option("#resolution", "64")
    page.wait_for_function(FINISHED)
    page.wait_for_timeout(300)


def test_shapes_and_their_controls(browser, shape):
    with viewer_url(shape[0], "--original", shape[1]) as url, opened(browser, url) as page:
        show_coarse_surfaces(page)
        shown = pixels(page)
        assert (np.abs(shown - shown[2, 2]).max(2) > 20).mean() > 0.05  # the shape stands out from the background
        page.wait_for_function("document.querySelector('.quality').textContent.includes('IoU')")
        label = page.locator(".label").first.inner_text()
        assert "bytes" in label and "rank 2" in label and "parameters" in label
        assert page.locator(".pane").count() == 2

        def slide(name, value):
            page.locator(f"#{name}").evaluate(
                "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})) }", value
            )

        assert changed(page, lambda: page.select_option("#axis", "x")) > 0.01
        assert changed(page, lambda: slide("clip", 0.5)) > 0.005
        page.select_option("#axis", "off")
        assert changed(page, lambda: slide("turn", -80)) > 0.01
        assert changed(page, lambda: page.check("#wireframe")) > 0.01
        page.uncheck("#wireframe")
        assert changed(page, lambda: page.select_option("#up", "z")) > 0.01
        page.select_option("#colour", "distance")
        page.wait_for_function("document.querySelector('.ends').textContent.length > 2")
        assert "outside" in page.locator(".scale").get_attribute("data-high")
        slide("level", 0.9)
        page.wait_for_timeout(500)
        page.wait_for_function(FINISHED)
        assert changed(page, lambda: page.select_option("#layout", "overlaid")) > 0.01
        assert page.locator(".pane").count() == 1
        page.mouse.move(150, 200)
        page.mouse.down()
        assert changed(page, lambda: page.mouse.move(260, 240)) > 0.01
        page.mouse.up()

        page.click("text=Network layers")
        assert page.get_by_role("button", pressed=True).inner_text() == "Network layers"
        page.wait_for_selector("article .spectrum")
        assert page.locator("article").count() == 4  # first, two hidden, head
        assert page.locator(".matrix.U img").count() == 2
        assert page.locator(".matrix.W img").first.evaluate("e => e.naturalWidth") == 3


PAINTINGS = """() => {
    const view = inspector.page.views[0];
    const colours = view.geometry.getAttribute("color");
    const version = colours.version;
    return () => (view.geometry.getAttribute("color") === colours ? colours.version - version : -1);
}"""


def test_vertices_are_painted_when_their_colours_change_and_freed_with_the_shape(browser, shape):
    geometries = "inspector.page.renderer.info.memory.geometries"
    with viewer_url(shape[0], "--original", shape[1]) as url, opened(browser, url) as page:
        show_coarse_surfaces(page)
        before = page.evaluate(geometries)
        page.select_option("#colour", "distance")
        page.wait_for_function(FINISHED)  # else a finer surface may arrive, without colours at first
        page.wait_for_function("inspector.page.views[0].geometry.hasAttribute('color')")
        paintings = page.evaluate_handle(PAINTINGS)
        for _ in range(3):
            changed(page, lambda: page.evaluate("inspector.stage.redraw()"))
        assert paintings.evaluate("(count) => count()") == 0
        changed(page, lambda: page.evaluate("inspector.page.settings.range = 0.01; inspector.stage.redraw()"))
        assert paintings.evaluate("(count) => count()") == 1
        for _ in range(3):
            page.evaluate("inspector.show(inspector.page.state, inspector.shown)")
            page.wait_for_function(FINISHED)
        page.wait_for_function(f"{geometries} === {before}")  # which never happens if one is not freed


def test_a_failed_distance_request_is_reported_at_its_shape(browser, shape):
    expected = ("GPU stall", "software WebGL", "400 (Bad Request)")
    with viewer_url(shape[0], "--original", shape[1]) as url, opened(browser, url, expected=expected) as page:
        show_coarse_surfaces(page)
        page.route("**/distances?*", lambda route: route.fulfill(status=400, json={"error": "no distance"}))
        page.select_option("#colour", "distance")
        page.wait_for_function("document.querySelector('.note').textContent === 'no distance'")


def test_a_distance_chosen_before_the_files_have_arrived_colours_all_of_them(browser, shape, tmp_path):
    trimesh.creation.torus(1.0, 0.38, 12, 8).export(tmp_path / "coarse.stl")
    with viewer_url(tmp_path / "coarse.stl", "--original", shape[1]) as url, opened(browser, url) as page:
        held = []
        page.route("**/mesh?*", lambda route: held.append(route))
        page.reload()
        page.select_option("#colour", "distance")
        while len(held) < 2:
            page.wait_for_timeout(100)
        for route in held:
            route.continue_()
        page.wait_for_function("inspector.page.views[0].distances")
        assert len(page.locator(".ends").inner_text()) > 2


def test_a_shape_far_from_the_origin_is_not_torn(browser):
    """Its vertices went through its own coordinates, of which float32 knew 128 along its length."""
    with viewer_url(GOLDEN / "far-low-rank.sine") as url, opened(browser, url) as page:
        show_coarse_surfaces(page)
        positions = page.evaluate("[...inspector.page.views[0].geometry.getAttribute('position').array]")
        assert len(np.unique(positions[::3])) > 1000


def test_a_lost_graphics_context_is_said_until_it_comes_back(browser, shape):
    expected = ("GPU stall", "software WebGL", "CONTEXT_LOST")
    with viewer_url(shape[1]) as url, opened(browser, url, expected=expected) as page:
        show_coarse_surfaces(page)
        shown = pixels(page)
        page.evaluate("""() => {
            window.lost = document.getElementById('canvas').getContext('webgl2').getExtension('WEBGL_lose_context');
            window.lost.loseContext(); }""")
        page.get_by_text("graphics context").wait_for()
        page.evaluate("window.lost.restoreContext()")
        page.get_by_text("graphics context").wait_for(state="hidden")
        page.wait_for_timeout(300)
        assert np.abs(pixels(page) - shown).max() <= 3


def test_a_long_status_does_not_resize_the_stage(browser, shape):
    with viewer_url(shape[0]) as url, opened(browser, url) as page:
        show_coarse_surfaces(page)
        height = "document.getElementById('stage').clientHeight"
        before = page.evaluate(height)
        page.evaluate("document.getElementById('status').textContent = 'distances to the original '.repeat(9)")
        assert page.evaluate(height) == before


def test_two_browsers_have_two_cameras(browser, shape):
    with viewer_url(shape[0]) as url, opened(browser, url) as one, opened(browser, url) as two:
        show_coarse_surfaces(one)
        show_coarse_surfaces(two)
        unmoved = pixels(two)
        one.mouse.move(150, 200)
        one.mouse.down()
        assert changed(one, lambda: one.mouse.move(260, 240)) > 0.01
        two.wait_for_timeout(300)
        np.testing.assert_array_equal(pixels(two), unmoved)


def test_a_scene_is_coarse_while_moving_and_refined_at_rest(browser, scene_file):
    side = "Number(document.querySelector('.picture').dataset.side)"
    with viewer_url(scene_file) as url, opened(browser, url) as page:
        page.wait_for_selector("#rest")
        page.select_option("#rest", "192")
        page.wait_for_function(f"{side} === 192")
        before = pixels(page)
        page.evaluate(RECORD)
        page.mouse.move(150, 150)
        page.mouse.down()
        page.mouse.move(190, 160, steps=3)
        page.mouse.up()
        page.wait_for_function("window.sides.length > 1 && window.sides.at(-1) === 192")
        assert page.evaluate("Math.min(...window.sides)") < 192
        assert np.abs(pixels(page) - before).max() > 12
        for output in ("depth", "normals", "accumulation"):
            page.evaluate("window.sides = []")
            page.select_option("#output", output)
            page.wait_for_function("window.sides.at(-1) === 192")


def test_scenes_that_are_left_before_their_files_arrive_leave_no_workers(browser, scene_file):
    with viewer_url(scene_file) as url, opened(browser, url) as page:
        page.wait_for_function("document.querySelector('.picture')?.dataset.side > 0")
        workers = len(page.workers)
        page.check("#playing")
        page.evaluate("""() => {
            const fetchNow = window.fetch;
            window.fetch = async (...call) => {
                await new Promise((resolve) => setTimeout(resolve, 300));
                return fetchNow(...call); };
            for (let turn = 0; turn < 3; turn++) inspector.show(inspector.page.state, inspector.shown); }""")
        page.wait_for_function("inspector.page.views[0].picture")
        page.wait_for_timeout(700)
        assert len(page.workers) == workers and not page.is_checked("#playing")


def test_layers_are_listed_once_however_often_they_are_requested(browser, shape, tmp_path):
    other = shutil.copy(shape[0], tmp_path / "other.sine")
    with viewer_url(shape[0], other) as url, opened(browser, url) as page:
        page.wait_for_selector("#resolution")
        page.evaluate("Promise.all([1, 2].map(() => inspector.layersPage.show(inspector.shown)))")
        assert page.evaluate("[...document.querySelectorAll('#layers h2')].map((h) => h.textContent)") == [
            "torus.sine",
            "other.sine",
        ]


def test_layers_are_those_of_the_file_that_is_shown(browser, tmp_path):
    """Those of the file before stood beside the file that had been written anew."""
    path = tmp_path / "view.sine"
    said = "[...document.querySelectorAll('#layers .bytes')].map((line) => line.textContent)"
    with viewer_url(shutil.copy(GOLDEN / "sine.sine", path)) as url, opened(browser, url) as page:
        seen = []
        for name in ("sine", "dense"):
            shutil.copy(GOLDEN / f"{name}.sine", path)
            page.click("text=3D view")
            page.evaluate("inspector.show(inspector.page.state, inspector.shown)")
            show_coarse_surfaces(page)
            page.click("text=Network layers")
            page.wait_for_function("/parameters/.test(document.getElementById('layers').textContent)")
            seen.append(page.evaluate(said))
        assert seen[0] != seen[1]


def test_an_exported_page_works_without_any_server(browser, shape, tmp_path):
    path = tmp_path / "torus.html"
    program = [sys.executable, "-m", "sinenerf", "view", *map(str, shape[:1]), "--original", str(shape[1])]
    subprocess.run([*program, "--export", str(path)], check=True, capture_output=True)
    with opened(browser, path.as_uri(), offline=True) as page:
        page.wait_for_function("document.querySelector('.quality')?.textContent.includes('IoU')")
        page.wait_for_timeout(300)
        shown = pixels(page)
        assert (np.abs(shown - shown[2, 2]).max(2) > 20).mean() > 0.05
        show_coarse_surfaces(page)
        assert changed(page, lambda: page.select_option("#axis", "x")) > 0.01
        page.click("text=Network layers")
        page.wait_for_selector("article .spectrum")


def test_an_exported_scene_has_a_free_camera(browser, scene_file, tmp_path):
    from sinenerf.viewer.export_page import export_page
    from sinenerf.viewer.launch import open_api

    export_page(open_api([scene_file]), tmp_path / "scene.html")
    with opened(browser, (tmp_path / "scene.html").as_uri(), offline=True) as page:
        page.wait_for_function("document.querySelector('.picture')?.dataset.side === '512'")
        assert page.locator("nav").count() == 0  # a scene's matrices are not exported
        before = pixels(page)
        page.mouse.move(150, 150)
        page.mouse.down()
        page.mouse.move(200, 150, steps=4)
        page.mouse.up()
        page.wait_for_timeout(500)
        assert np.abs(pixels(page) - before).max() > 2


def test_a_click_on_a_point_opens_its_field(browser, shape, scene_file, tmp_path):
    places = []
    for rank, (bytes_, iou) in enumerate([(1000, 0.9), (2000, 0.95)], 1):
        job = Job("shapes", "torus", "sine", "field", {"width": 32, "rank": rank})
        quality = {"iou": iou, "chamfer_l1": 0.01}
        places.append(job.path(tmp_path))
        Result(*astuple(job), quality, {"total": bytes_}, 900, 3.0).save(places[-1])
    shutil.copy(shape[0], places[1].with_suffix(".sine"))
    job = Job("photographs", "room", "sine", "nerf", {"rank": 4})
    Result(*astuple(job), {"psnr": 20.0}, {"total": 5000}, 900, 60.0).save(job.path(tmp_path))
    shutil.copy(scene_file, job.path(tmp_path).with_suffix(".sine"))
    with viewer_url(tmp_path) as url:
        with opened(browser, url) as page:
            page.wait_for_selector(".mark")
            page.locator("#marks-0-bytes-1").click(force=True)
            page.wait_for_function("document.querySelector('.note')?.textContent.includes('faces')")
            assert "torus, sine" in page.locator(".label").inner_text()
            assert "rank" in page.locator("#plot .settings").inner_text()
            page.wait_for_function("document.querySelector('.note')?.textContent.includes('256³')")
            page.wait_for_timeout(300)
            shown = pixels(page)
            assert (np.abs(shown - shown[2, 2]).max(2) > 20).mean() > 0.02
            page.get_by_role("button", name="photographs").click()  # the folder holds two datasets
            page.wait_for_function("document.querySelectorAll('.mark').length === 1")
            page.locator("#marks-0-bytes-0").click(force=True)
            page.wait_for_function("document.querySelector('.label')?.textContent.includes('room, sine')")
            page.wait_for_function("document.querySelector('.picture')?.dataset.side > 96")
            page.get_by_role("button", name="shapes").click()
            page.wait_for_function("document.querySelectorAll('.mark').length === 2")
            page.locator("#marks-0-bytes-1").click(force=True)
            page.wait_for_function("document.querySelector('.note')?.textContent.includes('256³')")
            page.wait_for_timeout(300)
            assert np.abs(pixels(page) - shown).max() <= 3  # as before: nothing left of the scene, no second light
        try:
            urllib.request.urlopen(f"{url}open?key=torus/{places[0].stem}")
        except urllib.error.HTTPError as error:
            assert "this result's file is missing" in json.load(error)["error"]
        else:
            pytest.fail("a result without its file was opened")


def test_marks_are_opened_from_the_keyboard_one_beside_the_other(browser, shape, tmp_path):
    """They had no focus, and only a click with the shift key, which phones lack, added a field."""
    for rank in (1, 2):
        job = Job("shapes", "torus", "sine", "field", {"width": 32, "rank": rank})
        quality = {"iou": 0.9, "chamfer_l1": 0.01}
        Result(*astuple(job), quality, {"total": 1000 * rank}, 900, 3.0).save(job.path(tmp_path))
        shutil.copy(shape[0], job.path(tmp_path).with_suffix(".sine"))
    with viewer_url(tmp_path) as url, opened(browser, url) as page:
        marks = page.get_by_role("button", name="torus, sine")
        marks.first.focus()
        assert "rank" in page.locator("#plot .settings").inner_text()
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelectorAll('.label').length === 1")
        page.get_by_label("Keep those on display").check()
        marks.last.focus()
        page.keyboard.press("Space")
        page.wait_for_function("document.querySelectorAll('.label').length === 2")


def test_of_two_marks_chosen_at_once_the_last_is_shown(browser, shape, tmp_path):
    """Both were marked, and the first was shown where its answer came last."""
    for rank in (1, 2):
        job = Job("shapes", "torus", "sine", "field", {"width": 32, "rank": rank})
        Result(*astuple(job), {"iou": 0.9}, {"total": 1000 * rank}, 900, 3.0).save(job.path(tmp_path))
        shutil.copy(shape[0], job.path(tmp_path).with_suffix(".sine"))
    with viewer_url(tmp_path) as url, opened(browser, url) as page:
        marks = page.get_by_role("button", name="torus, sine")
        marks.last.wait_for()
        held = []
        page.route("**/open?*", lambda route: route.continue_() if held else held.append(route))
        marks.first.press("Enter")
        marks.last.press("Enter")
        page.wait_for_selector(".chosen")
        held[0].continue_()
        page.wait_for_timeout(700)
        assert page.evaluate("inspector.shown.length") == page.locator(".chosen").count() == 1
        assert marks.last.evaluate("mark => mark.classList.contains('chosen')")


def test_of_two_axes_chosen_at_once_the_last_is_drawn(browser, shape, tmp_path):
    job = Job("shapes", "torus", "sine", "field", {"width": 32, "rank": 1})
    Result(*astuple(job), {"iou": 0.9}, {"total": 1000}, 900, 3.0).save(job.path(tmp_path))
    with viewer_url(tmp_path) as url, opened(browser, url) as page:
        page.wait_for_selector(".mark")
        held = []
        page.route("**/plot?axis=parameters*", lambda route: held.append(route))
        page.get_by_role("button", name="parameters").click()
        page.get_by_role("button", name="seconds").click()
        page.wait_for_selector("#marks-0-seconds-0.mark")
        held[0].continue_()
        page.wait_for_timeout(700)
        assert page.locator("#marks-0-seconds-0.mark").count() == 1
        assert page.get_by_role("button", name="seconds", pressed=True).count() == 1
