"""Shared by the tests: jaxtyping's shapes are checked at run time, seeds are fixed, and one small scene is made."""

import os
import signal

import pytest
from jaxtyping import install_import_hook

if "PYTEST_XDIST_WORKER" in os.environ:  # each of its processes has a core of its own
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with nohup or &: programs of the tests must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
install_import_hook(
    [
        "sinenerf.activations",
        "sinenerf.adapters",
        "sinenerf.convert",
        "sinenerf.factored",
        "sinenerf.layers",
        "sinenerf.nearest",
        "sinenerf.nerf",
        "sinenerf.networks",
        "sinenerf.occupancy",
    ],
    "typechecker.check",
)

# modules beside this one, with fixtures of several test files
pytest_plugins = ["sweeping", "tiny_runs", "torus", "viewing"]


@pytest.fixture(autouse=True)
def seed():
    import torch

    torch.manual_seed(0)


@pytest.fixture
def unchecked():
    """Without the tests' own run-time checks of types, which torch.compile cannot trace, and users do not have."""
    from jaxtyping import config

    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A generated LLFF scene of nine tiny photographs. Tests that spoil it work on a copy."""
    from sinenerf.scenes.generate import generate_scene

    return generate_scene(tmp_path_factory.mktemp("scenes") / "scene", views=9, width=48, height=36)
