"""Scenes rendered by WebGPU in a real headless Chromium, whose adapter runs on the processor."""

import numpy as np
import pytest
from support.browser import needs_chromium
from support.element_page import SCENE, VIEW, page_of, pixels, sized
from support.golden_files import golden, name_of
from support.radiance_fields import a_field

from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.warps import Contraction

pytestmark = [pytest.mark.slow, needs_chromium]
RENDERER = f"{VIEW}.canvas.dataset.renderer"
PATIENCE = 240_000  # milliseconds: the adapter's compiler takes some seconds of a whole core
# what the page asks of workers, and the devices that these open
WATCH = """window.asked = 0;
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (message, ...rest) {
        window.asked += Boolean(message.gpu);
        window.camera = message.picture?.camera ?? window.camera;
        return postMessage.call(this, message, ...rest); };
    window.Blob = class extends Blob { constructor(parts, options) { super([`if (self.GPUAdapter) {
        const { requestDevice } = GPUAdapter.prototype;
        GPUAdapter.prototype.requestDevice = async function (...how) {
            return self.device = await requestDevice.apply(this, how); }; }`, ...parts], options); } };"""


def psnr(found, expected):
    return -10 * np.log10(((found - expected) ** 2).mean() + 1e-12)


def lines_of(path, width, height, *renderers):
    return "".join(
        f'<sine-view src="{path.name}" controls="none" renderer="{name}" {sized(width, height)}></sine-view>'
        for name in renderers
    )


def check(browser, path, folder, width=48, height=36):
    """The picture is Python's, and that of WebAssembly."""
    lines = lines_of(path, width, height, "webgpu", "wasm")
    with page_of(browser, lines, folder, [path], WATCH) as page:
        page.set_default_timeout(PATIENCE)
        for index, name in enumerate(("webgpu", "wasm"), start=1):
            page.wait_for_function(
                f"document.querySelector('sine-view:nth-of-type({index})').canvas.dataset.renderer === '{name}'"
            )
        found, by_wasm, camera = pixels(page), pixels(page, "sine-view:nth-of-type(2)"), page.evaluate("window.camera")
    field = RadianceField.load(path)
    field.precision = "float32"
    pose = np.column_stack([np.reshape(camera["rotation"], (3, 3)), camera["position"]])
    expected = field.render(Camera(pose, **camera["lens"]))["rgb"].numpy()
    assert psnr(found, expected) > 45
    assert psnr(found, by_wasm) > 50
    assert expected.std() > 0.02


@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_a_golden_scene_looks_as_python_and_webassembly_render_it(webgpu_browser, path, tmp_path):
    check(webgpu_browser, path, tmp_path)


WIDE = dict(width=70, depth=3, skips=(0, 2), layer="dense", factored=(), density_activation="softplus")
OTHERS = {
    "wide-skips-white": (None, WIDE | dict(background="white", position_frequencies=0)),
    "contraction-coarse-fine-black": (
        Contraction((0.0, 0, 0), 2.0, 0.1),
        dict(sampling="coarse-fine", background="black", width=6, depth=1, direction_frequencies=0),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_sizes_backgrounds_and_warps_are_rendered_alike(webgpu_browser, name, tmp_path):
    warp, changes = OTHERS[name]
    field = a_field(warp, **changes)
    folder = tmp_path / "page"
    folder.mkdir()
    path = tmp_path / "scene.sine"
    field.save(path)
    check(webgpu_browser, path, folder)


def test_a_software_adapter_is_used_only_where_it_is_asked_for(webgpu_browser, tmp_path):
    line = f'<sine-view src="{SCENE.name}" {sized(48, 36)}></sine-view>'
    asks = "window.found = 0; if (navigator.gpu) { const { requestAdapter } = GPU.prototype;"
    asks += "GPU.prototype.requestAdapter = async function (...how) {"
    asks += (
        "const adapter = await requestAdapter.apply(this, how); window.found += Boolean(adapter); return adapter; }; }"
    )
    with page_of(webgpu_browser, line, tmp_path, [SCENE], WATCH + asks) as page:
        page.wait_for_function(f"window.found && {RENDERER} === 'wasm'")
        page.wait_for_timeout(300)
        assert page.evaluate("window.asked") == 0


def test_a_scene_out_of_sight_is_not_rendered(webgpu_browser, tmp_path):
    html = f"{lines_of(SCENE, 48, 36, 'webgpu')}<p {sized(10, 4000)}></p>"
    with page_of(webgpu_browser, html, tmp_path, [SCENE], WATCH) as page:
        page.set_default_timeout(PATIENCE)
        page.wait_for_function(f"{RENDERER} === 'webgpu'")
        page.evaluate("scrollTo(0, 4000)")
        page.wait_for_timeout(500)
        page.evaluate("delete window.camera")
        page.evaluate(f"{VIEW}.setAttribute('output', 'depth')")
        page.wait_for_timeout(500)
        assert page.evaluate("window.camera === undefined")
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_function("window.camera")


def test_a_lost_device_leaves_the_scene_to_webassembly(webgpu_browser, tmp_path):
    line = f'<sine-view src="{SCENE.name}" renderer="webgpu" {sized(96, 72)}></sine-view>'
    with page_of(webgpu_browser, line, tmp_path, [SCENE], WATCH) as page:
        page.set_default_timeout(PATIENCE)
        page.wait_for_function(f"{RENDERER} === 'webgpu' && {VIEW}.canvas.dataset.side === '96'")
        before = pixels(page)
        page.evaluate(f"{VIEW}.setAttribute('output', 'normals')")  # which the workers find
        page.wait_for_function(f"{RENDERER} === 'wasm'")
        page.evaluate(f"{VIEW}.setAttribute('output', 'rgb')")
        page.wait_for_function(f"{RENDERER} === 'webgpu'")
        for worker in page.workers:
            worker.evaluate("self.device?.destroy()")
        page.evaluate(f"{VIEW}.setAttribute('camera', '10, 0, 1')")
        page.wait_for_function(f"{RENDERER} === 'wasm' && {VIEW}.canvas.dataset.side === '96'")
        assert np.abs(pixels(page) - before).max() > 0.02
        assert "error" not in page.evaluate("window.seen.map(([name]) => name)")
