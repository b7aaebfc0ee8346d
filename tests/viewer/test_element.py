"""<sine-view> with scenes, in a real headless Chromium that asks nothing of any network."""

import numpy as np
import pytest
from support.browser import needs_chromium
from support.element_page import NAMES, SCENE, VIEW, page_of, pixels, sized
from support.golden_files import GOLDEN

from sinenerf.radiance.field import RadianceField

pytestmark = [pytest.mark.slow, needs_chromium]
SHAPE = GOLDEN / "relu.sine"
LOSE = """() => {
    const view = document.querySelector('sine-view');
    window.lost = view.canvas.getContext('webgl2').getExtension('WEBGL_lose_context');
    window.lost.loseContext(); }"""


def test_a_scene_looks_as_python_renders_it(browser, tmp_path):
    field = RadianceField.load(SCENE)
    field.precision = "float32"
    home = field.capture.home.resized(8)
    line = f'<sine-view src="{SCENE.name}" {sized(home.width, home.height)}></sine-view>'
    with page_of(browser, line, tmp_path, [SCENE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        expected = field.render(home)["rgb"].numpy()
        assert -10 * np.log10(((pixels(page) - expected) ** 2).mean()) > 45
        assert page.evaluate("document.querySelector('sine-view').canvas.getAttribute('aria-label')").startswith(
            "A 3D scene"
        )


def test_the_camera_moves_by_mouse_and_keys_and_outputs_change(browser, tmp_path):
    line = f'<sine-view src="{SCENE.name}" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SCENE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        before = pixels(page)

        def changed(act):
            count = page.evaluate("window.seen.length")
            act()
            page.wait_for_function(f"window.seen.length > {count} && window.seen.at(-1)[1].width === 96")
            return np.abs(pixels(page) - before).max()

        def drag():
            page.mouse.move(40, 40)
            page.mouse.down()
            page.mouse.move(70, 50, steps=3)
            page.mouse.up()

        assert changed(drag) > 0.02
        page.evaluate(f"{VIEW}.canvas.focus()")
        assert changed(lambda: page.keyboard.press("ArrowLeft")) > 0.02
        moved = pixels(page)
        for output in ("depth", "accumulation", "normals", "rgb"):
            changed(
                lambda o=output: page.evaluate(f"document.querySelector('sine-view').setAttribute('output', '{o}')")
            )
            assert (np.abs(pixels(page) - moved).max() > 0.02) == (output != "rgb")
        assert np.abs(pixels(page) - moved).max() < 0.02  # the camera has stayed where it was
        assert page.evaluate(f"{NAMES}.filter(name => name === 'load').length") == 1


def test_a_scene_that_is_hidden_while_it_is_refined_is_whole_when_it_is_seen_again(browser, tmp_path):
    """It stayed coarse, with a `load` for a picture of 96 pixels, or was one pixel."""
    line = f'<sine-view src="{SCENE.name}" {sized(320, 240)}></sine-view>'
    hide = f"""document.addEventListener('progress', () => {{
        {VIEW}.style.display = 'none';
        setTimeout(() => ({VIEW}.style.display = ''), 1500); }}, {{ capture: true, once: true }});"""
    with page_of(browser, line, tmp_path, [SCENE], hide) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        sides = page.evaluate("window.seen.filter(([name]) => name === 'progress').map(([, { width }]) => width)")
        assert min(sides) > 1 and sides[-1] == 320


def test_two_scenes_and_a_path_that_plays_by_itself(browser, tmp_path):
    lines = f'<sine-view src="{SCENE.name}" auto-rotate quality="32" {sized(96, 72)}></sine-view>' * 2
    with page_of(browser, lines, tmp_path, [SCENE]) as page:
        page.wait_for_function(f"{NAMES}.filter(name => name === 'progress').length > 6")
        first = pixels(page)
        page.wait_for_timeout(1500)
        assert np.abs(pixels(page) - first).max() > 0.01


def test_what_cannot_be_shown_is_one_line_and_an_error_event(browser, tmp_path, shape):
    damaged = tmp_path / "damaged.sine"
    damaged.write_bytes(SCENE.read_bytes()[:-9])
    folder = tmp_path / "page"
    folder.mkdir()
    lines = f'<sine-view src="damaged.sine"></sine-view><sine-view src="{shape[0].name}"></sine-view>'
    without_webgl = """const original = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
            return kind.startsWith('webgl') ? null : original.call(this, kind, ...rest); };"""
    with page_of(browser, lines, folder, [damaged, shape[0]], without_webgl) as page:
        page.wait_for_function(f"{NAMES}.filter(name => name === 'error').length >= 2")
        notes = page.evaluate("[...document.querySelectorAll('sine-view')].map(view => view.note.textContent)")
        assert "checksum" in notes[0] and "no WebGL" in notes[1]


def test_a_lost_context_is_said_and_forgotten_when_it_comes_back(browser, tmp_path, shape):
    line = f'<sine-view src="{shape[0].name}" quality="64" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [shape[0]]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        page.evaluate(LOSE)
        page.wait_for_function(f"{VIEW}.note.textContent.includes('graphics context')")
        assert page.evaluate("window.seen.at(-1)[0]") == "error"
        page.evaluate("window.lost.restoreContext()")
        page.wait_for_function(f"{VIEW}.note.hidden")
        assert page.evaluate(NAMES)[-2:] == ["error", "progress"]  # the file is loaded once


def test_a_lost_context_is_still_said_when_the_surface_arrives(browser, tmp_path):
    """Two canvases of a gallery were blank without a word."""
    is_hidden = "Object.defineProperty(document, 'hidden', { get: () => !window.isSeen });"
    line = f'<sine-view src="{SHAPE.name}" quality="64" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SHAPE], is_hidden) as page:
        page.wait_for_function(f"{VIEW}.note?.textContent.includes('decoding')")
        page.evaluate(LOSE)
        page.wait_for_function(f"{VIEW}.note.textContent.includes('graphics context')")
        page.evaluate("window.isSeen = true; document.dispatchEvent(new Event('visibilitychange'))")
        page.wait_for_function(f"{VIEW}.mesh")
        assert page.evaluate(f"{VIEW}.note.textContent.includes('graphics context')")
        assert page.evaluate(NAMES) == ["error"]
        page.evaluate("window.lost.restoreContext()")
        page.wait_for_function(f"{NAMES}.includes('load')")


def test_the_background_is_any_css_colour_and_changes_with_the_attribute(browser, tmp_path):
    line = f'<sine-view src="{SHAPE.name}" quality="64" background="#0f0" {sized(96, 72)}></sine-view>'
    with page_of(browser, "<body style='background: #00f; --ink: #f00'>" + line, tmp_path, [SHAPE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        for colour, shown in (
            (None, (0, 1, 0)),
            ("rgb(255 0 0 / 20%)", (0.2, 0, 0.8)),
            ("var(--ink)", (1, 0, 0)),
            ("transparent", (0, 0, 1)),
            ("", (0, 0, 1)),
        ):
            if colour is not None:
                page.evaluate(f"{VIEW}.setAttribute('background', '{colour}')")
            page.wait_for_timeout(150)
            np.testing.assert_allclose(pixels(page)[1, 1], shown, atol=0.02, err_msg=str(colour))


def test_a_camera_that_is_no_three_numbers_leaves_the_view_as_it_is(browser, tmp_path):
    line = f'<sine-view src="{SHAPE.name}" quality="64" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SHAPE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")

        def shown(camera):
            page.evaluate(f"{VIEW}.setAttribute('camera', '{camera}')")
            page.wait_for_timeout(200)
            return pixels(page)

        page.wait_for_timeout(200)
        home = pixels(page)
        placed = shown("30, 20, 3")
        assert np.abs(placed - shown("0 0 5")).max() > 0.1
        np.testing.assert_allclose(shown(" 30, 20, 3 "), placed, atol=0.02)
        for camera in ("30deg 20deg 3", "30, 20", "30 20 0"):
            np.testing.assert_allclose(shown(camera), placed, atol=0.02)
        page.evaluate(f"{VIEW}.removeAttribute('camera')")
        page.wait_for_timeout(200)
        np.testing.assert_allclose(pixels(page), home, atol=0.02)


def test_a_camera_that_is_no_three_numbers_leaves_the_view_of_a_scene_as_it_is(browser, tmp_path):
    line = f'<sine-view src="{SCENE.name}" camera="20, 10, 1" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SCENE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        placed, pictures = pixels(page), page.evaluate("window.seen.length")
        page.evaluate(f"{VIEW}.setAttribute('camera', '30deg 20deg 1')")
        page.wait_for_timeout(500)
        assert page.evaluate("window.seen.length") == pictures
        page.evaluate(f"{VIEW}.removeAttribute('camera')")  # home
        page.wait_for_function(f"window.seen.length > {pictures} && window.seen.at(-1)[1].width === 96")
        assert np.abs(pixels(page) - placed).max() > 0.02


def test_an_element_without_controls_promises_no_keys(browser, tmp_path):
    line = f'<sine-view src="{SHAPE.name}" quality="64" controls="none" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SHAPE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        said = f"[{VIEW}.canvas.tabIndex, {VIEW}.canvas.getAttribute('aria-label')]"
        assert page.evaluate(said) == [-1, "A 3D shape."]
        page.evaluate(f"{VIEW}.removeAttribute('controls')")
        tab_index, label = page.evaluate(said)
        assert tab_index == 0 and "arrow keys" in label


def test_a_damaged_scene_is_one_error_however_many_cores(browser, tmp_path):
    damaged = bytearray(SCENE.read_bytes())
    damaged[len(damaged) // 2] ^= 255
    (tmp_path / "damaged.sine").write_bytes(damaged)
    (tmp_path / "page").mkdir()
    line = f'<sine-view src="damaged.sine" {sized(96, 72)}></sine-view>'
    cores = "Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 4 });"
    with page_of(browser, line, tmp_path / "page", [tmp_path / "damaged.sine"], cores) as page:
        page.wait_for_function(f"{NAMES}.includes('error')")
        page.wait_for_timeout(500)
        assert page.evaluate(NAMES) == ["error"] and page.workers == []


def test_surfaces_that_are_given_up_leave_nothing_in_memory(browser, tmp_path):
    count = """window.made = 0; const { createObjectURL } = URL;
        URL.createObjectURL = (blob) => { window.made += 1; return createObjectURL(blob); };"""
    line = f'<sine-view src="{SHAPE.name}" quality="64" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SHAPE], count) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        page.evaluate(f"for (const level of ['0.47', '0.48', '0.49', '0.495']) {VIEW}.setAttribute('level', level)")
        page.wait_for_function(f"{NAMES}.filter(name => name === 'load').length === 2")
        assert page.evaluate("window.made") == 1
