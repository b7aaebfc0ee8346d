"""Shared by the tests: jaxtyping's shapes are checked at run time, seeds are fixed, and one small scene is made."""

import os
import signal

import pytest
import support.typechecker  # noqa: F401  # jaxtyping looks it up as an attribute of its package
from jaxtyping import install_import_hook

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started with nohup or &: programs of the tests must hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
install_import_hook(
    [
        "sinenerf.activations",
        "sinenerf.adapters",
        "sinenerf.capture",
        "sinenerf.conversion",
        "sinenerf.factored",
        "sinenerf.layers",
        "sinenerf.networks",
        "sinenerf.occupancy",
        "sinenerf.photographs",
        "sinenerf.plugin",
        "sinenerf.radiance",
    ],
    "support.typechecker.check",
)

# modules beside this one, with fixtures of several test files
pytest_plugins = [
    "support.browser",
    "support.messy_photographs",
    "support.node_packages",
    "support.set_clock",
    "support.sweep_results",
    "support.tiny_runs",
    "support.torus",
    "support.viewer_server",
]


def pytest_configure(config):
    """Give each of pytest-xdist's processes one core. The variables are set here, before the processes start, since
    in them plugins load numpy and torch, which read the variables, before this file is read."""
    if config.getoption("numprocesses", None):
        os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1")


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that both of pytest-xdist's processes end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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
    from sinenerf.datasets.synthetic_capture import generate_scene

    return generate_scene(tmp_path_factory.mktemp("scenes") / "scene", views=9, width=48, height=36)
