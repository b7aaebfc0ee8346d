"""The JavaScript sources in viewer/: their own tests and types pass, and the committed pages are built from them."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.golden_files import golden, name_of
from support.node_packages import SOURCES, needs_node

from sinenerf.radiance.field import RadianceField

PROJECT = Path(__file__).parents[2]
BUILT = ["sine-view.js", "index.html", "inspector.html", "exported_shapes.html", "exported_scenes.html"]

pytestmark = [pytest.mark.slow, needs_node]


@pytest.fixture(scope="module")
def built(npm):
    """The folder of what is published: pages, modules and their declarations."""
    done = npm("prepack")
    assert done.returncode == 0, done.stdout + done.stderr
    return SOURCES / "dist"


def test_types_are_right(npm):
    done = npm("check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_pages_are_fresh_and_the_decoder_passes_its_tests(npm, built):
    for name in BUILT:
        committed = PROJECT / "sinenerf" / "viewer" / "static" / name
        assert committed.read_bytes() == (built / name).read_bytes(), f"{name} is stale: npm run build in viewer/"
    done = npm("test")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("which", ["plain", "simd"])
@pytest.mark.parametrize("path", golden("scenes"), ids=name_of)
@pytest.mark.usefixtures("built")
def test_a_scene_is_rendered_as_python_renders_it(path, which, tmp_path):
    """Colour, depth, accumulation and normals of each pixel of the home view, to rounding."""
    line = ["node", "tests/render_scene.js", path, tmp_path / "picture", which]
    subprocess.run(line, cwd=SOURCES, check=True, capture_output=True, timeout=120)
    field = RadianceField.load(path)
    field.precision = "float32"
    home = field.capture.home
    expected = field.render(home, normals=True)
    rendered = np.fromfile(tmp_path / "picture", np.float32).reshape(home.height, home.width, 8)
    for name, found in zip(("rgb", "depth", "accumulation", "normals"), np.split(rendered, [3, 4, 5], -1), strict=True):
        np.testing.assert_allclose(found, expected[name].numpy(), rtol=1e-4, atol=2e-5)


@pytest.fixture(scope="module")
def package(built, tmp_path_factory):
    """What `npm pack` makes, unpacked where Node.js finds it."""
    folder = tmp_path_factory.mktemp("package")
    pack = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder]
    done = subprocess.run(pack, cwd=SOURCES, capture_output=True, text=True, timeout=300, check=True)
    unpacked = folder / "node_modules" / "sine-view"
    unpacked.mkdir(parents=True)
    archive = folder / done.stdout.split()[-1]
    assert archive.stat().st_size < 200_000
    subprocess.run(["tar", "-xzf", archive, "-C", unpacked, "--strip-components", "1"], check=True)
    return unpacked


def test_the_packed_package_is_imported_in_a_fresh_folder(package):
    """The element as one module, and the decoder, which runs in Node.js too."""
    element = (package / "dist" / "sine-view.js").read_bytes()
    assert element == (PROJECT / "sinenerf/viewer/static/sine-view.js").read_bytes()
    code = 'import { decode } from "sine-view/decoder"; import { readFileSync } from "node:fs";'
    code += "console.log(decode(readFileSync(process.argv[1])).kind, import.meta.resolve('sine-view'));"
    line = ["node", "--input-type=module", "-e", code, str(golden()[0])]
    done = subprocess.run(line, cwd=package, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["occupancy", (package / "dist/sine-view.js").as_uri()], done.stderr


def test_the_packed_package_has_licences_a_readme_and_all_that_it_exports(package):
    assert (package / "LICENSE").read_text() == (PROJECT / "LICENSE").read_text()
    assert "three.js authors" in (package / "dist" / "LICENSE-three.txt").read_text()
    assert "<sine-view" in (package / "README.md").read_text()
    manifest = json.loads((package / "package.json").read_text())
    exported = manifest["exports"]
    assert set(exported) == {".", "./decoder", "./package.json"}
    for name in (".", "./decoder"):
        assert all((package / path).is_file() for path in exported[name].values())


@pytest.mark.parametrize(
    ("line", "complaint"), [("view.show(file);", ""), ("view.show('text');", "'string' is not assignable")]
)
def test_a_typescript_program_that_uses_the_package_is_checked(package, line, complaint):
    """Its declarations are checked too: they import nothing that the package lacks."""
    folder = package.parents[1]
    (folder / "program.ts").write_text(f"""
        import {{ SineView }} from "sine-view";
        import {{ SineFileError, decode }} from "sine-view/decoder";
        const view: SineView | null = document.querySelector("sine-view");
        const file = new Uint8Array(8);
        try {{
            const decoded = decode(file);
            if (decoded.kind === "occupancy") console.log(decoded.config.width, decoded.placement.scale);
            else console.log(decoded.far, decoded.capture.lens.width);
        }} catch (error) {{
            if (error instanceof SineFileError) console.log(error.message);
        }}
        if (view) {{ {line} console.log(view.mesh?.positions.length); }}
    """)
    options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2022", "program.ts"]
    compiler = SOURCES / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(["node", compiler, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert complaint in done.stdout and bool(done.returncode) == bool(complaint), done.stdout
