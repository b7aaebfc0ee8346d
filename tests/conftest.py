"""Shared by the tests: jaxtyping's shapes are checked at run time, seeds are fixed, and one small scene is made."""

import os

import pytest
from jaxtyping import install_import_hook

if "PYTEST_XDIST_WORKER" in os.environ:  # each of its processes has a core of its own
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
install_import_hook(
    [
        "sinenerf.activations",
        "sinenerf.adapters",
        "sinenerf.convert",
        "sinenerf.layers",
        "sinenerf.nearest",
        "sinenerf.nerf",
        "sinenerf.networks",
        "sinenerf.occupancy",
    ],
    "typechecker.check",
)


@pytest.fixture(autouse=True)
def seed():
    import torch

    torch.manual_seed(0)


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A generated LLFF scene of nine tiny photographs. Tests that spoil it work on a copy."""
    from sinenerf.scenes.generate import generate_scene

    return generate_scene(tmp_path_factory.mktemp("scenes") / "scene", views=9, width=48, height=36)
