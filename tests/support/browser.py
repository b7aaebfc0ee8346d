"""Headless Chromium without a GPU: one that draws WebGL, and one with WebGPU, too."""

import shutil
from contextlib import contextmanager

import pytest

FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FLAGS += ["--disable-background-networking"]
WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
WEBGPU += ["--unsafely-treat-insecure-origin-as-secure=http://page.test"]  # other pages have no WebGPU
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium: apt-get install chromium fonts-dejavu-core"
)


@contextmanager
def launched(flags):
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def browser():
    """Chromium, driven by playwright."""
    with launched(FLAGS) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def webgpu_browser(tmp_path_factory):
    """Chromium with an adapter of WebGPU that runs on the processor."""
    blank = tmp_path_factory.mktemp("blank") / "index.html"
    blank.touch()
    with launched(FLAGS + WEBGPU) as chromium:
        page = chromium.new_page()
        page.goto(blank.as_uri())
        if not page.evaluate("async () => Boolean(await navigator.gpu?.requestAdapter())"):
            pytest.skip(f"Chromium {chromium.version} has no adapter of WebGPU here")
        page.close()
        yield chromium
