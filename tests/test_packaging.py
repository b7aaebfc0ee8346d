"""The wheel holds everything that the package needs, and its metadata say what pyproject.toml says."""

import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import numpy as np
import pytest

import sinenerf

ROOT = Path(__file__).parent.parent


def built_wheel(tmp_path_factory, *names, base=ROOT):
    """The wheel built from a copy of the named files and folders, so that no stale build/ folder adds to it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in (base / name for name in names):
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        target,
        source,
    ]
    subprocess.run(command, check=True)
    (path,) = target.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    path = built_wheel(tmp_path_factory, "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "sinenerf")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    package = ROOT / "sinenerf"
    expected = {
        f"sinenerf/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == expected


def test_the_wheels_metadata_name_the_version_the_licence_and_the_entry_points(wheel):
    folder = f"sinenerf-{sinenerf.__version__}.dist-info"
    metadata = message_from_bytes(wheel.read(f"{folder}/METADATA"))
    assert metadata["Version"] == sinenerf.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{folder}/licenses/LICENSE" in wheel.namelist()
    entry_points = wheel.read(f"{folder}/entry_points.txt").decode()
    for name in ("sinenerf = sinenerf.cli:main", "sine-nerf = ", "sine-nerf-small = ", "sine-data = "):
        assert name in entry_points


def test_the_readers_wheel_is_small_and_needs_numpy_alone(tmp_path_factory):
    path = built_wheel(tmp_path_factory, "pyproject.toml", "README.md", "sine_reader", base=ROOT / "reader")
    assert path.stat().st_size < 50_000
    site = tmp_path_factory.mktemp("site")
    for package in Path(np.__file__).parents[1].glob("numpy*"):
        (site / package.name).symlink_to(package)
    code = f"""
import sys
sys.path[:0] = [{str(path)!r}, {str(site)!r}]
import sine_reader
shape, scene = (sine_reader.load("{ROOT}/tests/golden/" + name) for name in ("sine.sine", "scenes/proposal.sine"))
assert shape.logits(shape.centre).shape == () and scene.render(scene.home.resized(0.1)).shape[2] == 3
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
