"""Baked scenes in a real headless Chromium: what a moving camera shows, by WebGL2 and without it."""

import io

import numpy as np
import pytest
from PIL import Image
from support.browser import needs_chromium
from support.viewer_server import viewer_url

pytestmark = [pytest.mark.slow, needs_chromium]
PICTURE = "document.querySelector('.picture')"
WATCH = """window.drawn = 0; window.asked = 0;
    const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        if (kind !== 'webgl2' || this.isConnected || this.id) return getContext.call(this, kind, ...rest);
        return window.gl = NO_WEBGL2 ? null : getContext.call(this, kind, ...rest); };
    const { drawArrays } = WebGL2RenderingContext.prototype;
    WebGL2RenderingContext.prototype.drawArrays = function (...call) {
        window.drawn += 1; return drawArrays.apply(this, call); };
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
        window.asked += Boolean(message.rows?.isBaked); return postMessage.call(this, message, ...rest); };"""


def drag(page):
    page.mouse.move(150, 150)
    page.mouse.down()
    page.mouse.move(170, 155, steps=4)
    page.mouse.up()


def resting(page):
    """The picture of the field itself, once the camera rests."""
    page.wait_for_function(f"{PICTURE}.dataset.side === '192'")
    page.wait_for_timeout(400)
    page.wait_for_function(f"{PICTURE}.dataset.side === '192'")
    return np.asarray(Image.open(io.BytesIO(page.locator("#stage").screenshot())).convert("RGB")).astype(int)


def is_another(page, before):
    """Whether another picture is shown in the end: on a busy machine it takes a while."""
    return any(np.abs(resting(page) - before).max() > 12 for _ in range(20))


@pytest.mark.parametrize("has_webgl2", [True, False], ids=["webgl2", "workers"])
def test_a_moving_camera_is_shown_the_baked_scene(browser, scene_file, has_webgl2):
    context = browser.new_context(viewport={"width": 640, "height": 400})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH.replace("NO_WEBGL2", "false" if has_webgl2 else "true"))
    with viewer_url(scene_file) as url:
        page.goto(url)
        page.wait_for_selector("#rest")
        page.select_option("#rest", "192")
        page.wait_for_function(f"{PICTURE}.dataset.baked")
        before = resting(page)
        count = "window.drawn" if has_webgl2 else "window.asked"
        baked = page.evaluate(count)
        drag(page)
        page.wait_for_function(f"{count} > {baked}")
        assert is_another(page, before)
        if has_webgl2:
            page.evaluate("(window.lost = window.gl.getExtension('WEBGL_lose_context')).loseContext()")
            page.wait_for_function("window.gl.isContextLost()")
            baked = page.evaluate(count)
            before = resting(page)
            drag(page)
            assert is_another(page, before)  # pictures of the field itself
            assert page.evaluate(count) == baked
            page.evaluate("window.lost.restoreContext()")
            page.wait_for_function("!window.gl.isContextLost()")
            drag(page)
            page.wait_for_function(f"{count} > {baked}")
    context.close()
