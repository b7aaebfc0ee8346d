"""torchvision built for CUDA beside torch for the CPU: nerfstudio starts, and other imports of torch are unchanged."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from sinenerf import compat

ENVIRONMENT = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
"""Without what scripts/setup.sh arranges in the project's own environment: that of a user who ran pip."""


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT
    )


@pytest.fixture(scope="module", autouse=True)
def mismatch():
    code = "import sys; from sinenerf.compat import torchvision_lacks_operators as f; sys.exit(not f())"
    if python(code).returncode:
        pytest.skip("torch and torchvision are of one kind here")


def test_the_package_adds_nothing_to_every_import_of_torch():
    assert not [entry for entry in entry_points(group="torch.backends") if entry.dist.name == "sinenerf"]
    assert "torchvision::nms" in python("import sinenerf.layers, torchvision").stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "eval", "render", "export"])
def test_nerfstudios_commands_start(command):
    program = Path(sys.executable).with_name(f"ns-{command}")
    done = subprocess.run(
        [program, "--help"], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert command != "train" or "sine-nerf-small" in done.stdout


@pytest.mark.slow
def test_the_plugin_may_be_imported_where_the_operators_exist():
    code = "from sinenerf.compat import declare_operators as d; d(); d(); import sinenerf.plugin, torchvision; print(1)"
    assert python(code).stdout == "1\n"


def test_doctor_names_the_command_that_installs_the_matching_build():
    done = python("from sinenerf.cli.doctor import doctor; doctor()")
    assert "! torchvision was built for CUDA and torch for the CPU: ns-viewer does not start" in done.stdout
    assert f"{compat.matching_torchvision()}\n" in done.stdout
    assert "torchvision==" in done.stdout and "+cpu --index-url https://download.pytorch.org/whl/cpu" in done.stdout
