"""The JavaScript sources in viewer/: their own tests and types pass, and the committed pages are built from them."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.golden_files import golden, name_of
from support.node_packages import SOURCES, needs_node

from sinenerf.radiance.field import RadianceField

PROJECT = Path(__file__).parents[2]
BUILT = ["sine-view.js", "index.html", "inspector.html"]

pytestmark = [pytest.mark.slow, needs_node]


def test_types_are_right(npm):
    done = npm("check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_pages_are_fresh_and_the_decoder_passes_its_tests(npm, tmp_path):
    done = npm("build", "--", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in BUILT:
        committed = PROJECT / "sinenerf" / "viewer" / "static" / name
        assert committed.read_bytes() == (tmp_path / name).read_bytes(), f"{name} is stale: npm run build in viewer/"
    done = npm("test")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("which", ["plain", "simd"])
@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
def test_a_scene_is_rendered_as_python_renders_it(npm, path, which, tmp_path):
    """Colour, depth, accumulation and normals of each pixel of the home view, to rounding."""
    if which == "simd" and not (SOURCES / "kernel" / "radiance.wasm").is_file():
        npm("build", "--", tmp_path)
    line = ["node", "tests/render_scene.js", path, tmp_path / "picture", which]
    subprocess.run(line, cwd=SOURCES, check=True, capture_output=True, timeout=120)
    field = RadianceField.load(path)
    field.precision = "float32"
    home = field.capture.home
    expected = field.render(home, normals=True)
    rendered = np.fromfile(tmp_path / "picture", np.float32).reshape(home.height, home.width, 8)
    for name, found in zip(("rgb", "depth", "accumulation", "normals"), np.split(rendered, [3, 4, 5], -1), strict=True):
        np.testing.assert_allclose(found, expected[name].numpy(), rtol=1e-4, atol=2e-5)


def test_the_packed_package_is_imported_in_a_fresh_folder(npm, tmp_path):
    """What `npm pack` makes: the element as one module, and the decoder, which runs in Node.js too."""
    pack = ["npm", "pack", "--silent", "--pack-destination", tmp_path]
    done = subprocess.run(pack, cwd=SOURCES, capture_output=True, text=True, timeout=300, check=True)
    package = tmp_path / "node_modules" / "sine-view"
    package.mkdir(parents=True)
    archive = tmp_path / done.stdout.split()[-1]
    subprocess.run(["tar", "-xzf", archive, "-C", package, "--strip-components", "1"], check=True)
    assert archive.stat().st_size < 200_000
    element = (package / "dist" / "sine-view.js").read_bytes()
    assert element == (PROJECT / "sinenerf/viewer/static/sine-view.js").read_bytes()
    code = 'import { decode } from "sine-view/decoder"; import { readFileSync } from "node:fs";'
    code += "console.log(decode(readFileSync(process.argv[1])).kind, import.meta.resolve('sine-view'));"
    line = ["node", "--input-type=module", "-e", code, str(golden()[0])]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["occupancy", (package / "dist/sine-view.js").as_uri()], done.stderr
