"""The JavaScript sources in viewer/: their own tests and types pass, and the committed pages are built from them."""

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SOURCES = PROJECT / "viewer"
BUILT = ["static/sine-view.js", "static/index.html", "page/three.min.js"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js: apt-get install nodejs npm"),
]


@pytest.fixture(scope="module")
def npm():
    """Run a script of viewer/package.json; its packages are installed where they are missing."""
    if not (SOURCES / "node_modules" / ".package-lock.json").is_file():
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(install, cwd=SOURCES, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.skip(f"the packages of viewer/ cannot be installed: {done.stderr[-300:]}")

    def run(*arguments):
        line = ["npm", "run", "--silent", *map(str, arguments)]
        return subprocess.run(line, cwd=SOURCES, capture_output=True, text=True, timeout=300, check=False)

    return run


def test_types_are_right(npm):
    done = npm("check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_pages_are_fresh_and_the_decoder_passes_its_tests(npm, tmp_path):
    done = npm("build", "--", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in BUILT:
        committed = PROJECT / "sinenerf" / "viewer" / name
        assert committed.read_bytes() == (tmp_path / name).read_bytes(), f"{name} is stale: npm run build in viewer/"
    done = npm("test")
    assert done.returncode == 0, done.stdout + done.stderr
