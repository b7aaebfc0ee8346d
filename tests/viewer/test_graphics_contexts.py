"""<sine-view> in a browser with few graphics contexts: it takes the oldest away when there are more."""

import numpy as np
import pytest
from support.browser import FLAGS, launched, needs_chromium
from support.element_page import NAMES, SCENE, VIEW, page_of, pixels, sized
from support.golden_files import GOLDEN

pytestmark = [pytest.mark.slow, needs_chromium]
SHAPE = GOLDEN / "relu.sine"
CONTEXTS = """window.contexts = []; const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        const context = getContext.call(this, kind, ...rest);
        if (kind === 'webgl2') window.contexts.push(context);
        return context; };"""


@pytest.fixture(scope="module")
def browser():
    with launched([*FLAGS, "--max-active-webgl-contexts=2"]) as chromium:  # others have 16, or 8
        yield chromium


def test_a_shape_in_place_of_another_takes_no_graphics_context_more(browser, tmp_path):
    """The 17th file that was dropped on a page was an error."""
    line = f'<sine-view src="{SHAPE.name}" quality="64" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SHAPE]) as page:
        for count in range(1, 5):
            page.wait_for_function(f"{NAMES}.filter(name => name === 'load').length === {count}")
            page.evaluate(f"{VIEW}.setAttribute('src', '{SHAPE.name}?{count}')")
        page.wait_for_timeout(300)
        assert "error" not in page.evaluate(NAMES)


def test_shapes_out_of_sight_hold_no_graphics_context(browser, tmp_path):
    line = f'<sine-view src="{SHAPE.name}" quality="64" {sized(96, 72)}></sine-view><p {sized(10, 1500)}></p>'
    with page_of(browser, 4 * line, tmp_path, [SHAPE]) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        page.wait_for_timeout(300)
        first = pixels(page)
        assert first.std() > 0.05
        for shown in range(2, 5):
            page.evaluate(f"document.querySelectorAll('sine-view')[{shown - 1}].scrollIntoView()")
            page.wait_for_function(f"{NAMES}.filter(name => name === 'load').length === {shown}")
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(f"!{VIEW}.canvas.getContext('webgl2').isContextLost()")
        page.wait_for_timeout(300)
        assert np.abs(pixels(page) - first).mean() < 0.005
        assert page.evaluate(NAMES).count("load") == 4 and "error" not in page.evaluate(NAMES)


def test_a_baked_scene_out_of_sight_holds_no_graphics_context(browser, tmp_path):
    """The shapes of a page lost theirs to the scenes that had been looked at."""
    line = f'<sine-view src="{SCENE.name}" {sized(96, 72)}></sine-view><p {sized(10, 1500)}></p>'
    live = "window.contexts.filter(context => !context.isContextLost()).length"
    with page_of(browser, line, tmp_path, [SCENE], CONTEXTS) as page:
        page.wait_for_function(f"{VIEW}.canvas.dataset.baked === 'whole'")
        assert page.evaluate(live) == 1
        page.evaluate("scrollTo(0, 1500)")
        page.wait_for_function(f"{live} === 0")
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function(f"{live} === 1")
