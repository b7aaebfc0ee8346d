"""Touch and keys on <sine-view>, in a real headless Chromium."""

import numpy as np
import pytest
from support.browser import needs_chromium
from support.element_page import NAMES, SCENE, VIEW, page_of, pixels, sized

pytestmark = [pytest.mark.slow, needs_chromium]
SIDE = 200
BACKGROUND = np.array([1.0, 1.0, 1.0])


class Fingers:
    """Touches, as the screen of a phone reports them."""

    def __init__(self, page):
        self.page, self.session = page, page.context.new_cdp_session(page)

    def move(self, *paths, steps=6):
        """Put a finger at the beginning of each path, and lead all to their ends: ((x, y), (x, y))."""
        for step in range(steps + 1):
            points = [
                {"id": finger, "x": a[0] + (b[0] - a[0]) * step / steps, "y": a[1] + (b[1] - a[1]) * step / steps}
                for finger, (a, b) in enumerate(paths)
            ]
            self._send("touchMove" if step else "touchStart", points)
        self._send("touchEnd", [])
        self.page.wait_for_timeout(150)

    def _send(self, kind, points):
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def silhouette(page):
    """Area, as a fraction of the element, and centre (x, y) in pixels of what is drawn on the background."""
    page.wait_for_timeout(250)
    rows, columns = np.nonzero(np.abs(pixels(page) - BACKGROUND).max(2) > 0.1)
    return len(rows) / SIDE**2, np.array([columns.mean(), rows.mean()])


@pytest.fixture
def shape_page(browser, shape, tmp_path):
    line = f'<body style="margin:0"><sine-view src="torus.sine" quality="64" background="#fff" {sized(SIDE, SIDE)}>'
    with page_of(browser, f"{line}</sine-view>", tmp_path, [shape[0]], has_touch=True) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        yield page


def test_fingers_turn_move_and_enlarge_a_shape(shape_page):
    fingers = Fingers(shape_page)
    area, centre = silhouette(shape_page)
    before = pixels(shape_page)
    fingers.move(((60, 100), (130, 110)))
    turned_area, turned_centre = silhouette(shape_page)
    assert np.abs(pixels(shape_page) - before).max() > 0.1
    assert turned_area == pytest.approx(area, rel=0.5) and np.abs(turned_centre - centre).max() < 6
    fingers.move(((80, 90), (120, 110)), ((120, 90), (160, 110)))
    moved_area, moved_centre = silhouette(shape_page)
    assert moved_area == pytest.approx(turned_area, rel=0.15)
    np.testing.assert_allclose(moved_centre - turned_centre, [40, 20], atol=6)
    fingers.move(((100, 100), (60, 100)), ((120, 100), (160, 100)))
    assert silhouette(shape_page)[0] > 1.5 * moved_area


def test_keys_turn_a_shape_about_what_the_camera_looks_at(shape_page):
    shape_page.evaluate(f"{VIEW}.canvas.focus(); {VIEW}.canvas.style.outline = 'none'")
    area, centre = silhouette(shape_page)
    Fingers(shape_page).move(((80, 90), (110, 90)), ((120, 90), (150, 90)))
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        before = pixels(shape_page)
        shape_page.keyboard.press(key)
        shape_page.wait_for_timeout(250)
        assert np.abs(pixels(shape_page) - before).max() > 0.1
    back_area, back_centre = silhouette(shape_page)  # left and right, up and down: where the fingers have put it
    assert back_area == pytest.approx(area, rel=0.05)
    np.testing.assert_allclose(back_centre - centre, [30, 0], atol=5)
    shape_page.keyboard.press("+")
    assert silhouette(shape_page)[0] > 1.2 * area
    shape_page.keyboard.press("-")
    shape_page.keyboard.press("-")
    assert silhouette(shape_page)[0] < 0.9 * area


def test_fingers_and_keys_move_the_camera_of_a_scene(browser, tmp_path):
    line = f'<body style="margin:0"><sine-view src="{SCENE.name}" {sized(96, 72)}></sine-view>'
    with page_of(browser, line, tmp_path, [SCENE], has_touch=True) as page:
        page.wait_for_function(f"{NAMES}.includes('load')")
        fingers = Fingers(page)
        page.evaluate(f"{VIEW}.canvas.focus()")

        def changed(act):
            """How much the picture at rest changes."""
            before, count = pixels(page), page.evaluate("window.seen.length")
            act()
            last = f"window.seen.length > {count} && window.seen.at(-1)[1].width === 96"
            page.wait_for_function(last)
            page.wait_for_timeout(400)
            page.wait_for_function(last)
            return np.abs(pixels(page) - before).max()

        assert changed(lambda: fingers.move(((40, 40), (60, 45)))) > 0.02
        assert changed(lambda: fingers.move(((30, 30), (50, 30)), ((50, 30), (70, 30)))) > 0.02
        assert changed(lambda: fingers.move(((40, 36), (20, 36)), ((50, 36), (70, 36)))) > 0.02
        assert changed(lambda: page.keyboard.press("+")) > 0.02


def test_an_element_without_controls_lets_a_finger_scroll_the_page(browser, shape, tmp_path):
    line = '<body style="margin:0"><sine-view src="torus.sine" quality="64" controls="{}" {}></sine-view><p {}></p>'
    files = [shape[0]]
    for controls, scrolls in (("none", True), ("", False)):
        html = line.format(controls, sized(SIDE, SIDE), sized(10, 2000))
        with page_of(browser, html, tmp_path, files, has_touch=True) as page:
            page.wait_for_function(f"{NAMES}.includes('load')")
            Fingers(page).move(((100, 180), (100, 40)))
            assert (page.evaluate("scrollY") > 50) == scrolls
