"""Node.js with the packages of viewer/, three.js among them."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "viewer"

needs_node = pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node.js: apt-get install nodejs npm")


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


def run_module(script, *arguments):
    """Standard output of a JavaScript module, as text, that imports packages of viewer/."""
    line = ["node", "--input-type=module", "-", *map(str, arguments)]
    done = subprocess.run(line, cwd=SOURCES, input=script, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
