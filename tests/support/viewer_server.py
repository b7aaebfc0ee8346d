"""A shape and a scene to view, and `sinenerf view` as a running program."""

import subprocess
import sys
from contextlib import contextmanager

import pytest
import trimesh
from support.radiance_fields import a_field
from support.shared_folders import shared_folder

from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.fit import fit


@pytest.fixture(scope="session")
def shape(tmp_path_factory):
    """(field file, mesh file) of a torus."""

    def make(folder):
        mesh = trimesh.creation.torus(1.0, 0.4, major_sections=48, minor_sections=24)
        mesh.export(folder / "torus.ply")
        config = FitConfig(steps=500, batch=4096, pool=200_000, bits=32, seed=1)
        fit(mesh, OccupancyConfig(width=32, rank=2), config, folder / "torus.sine")

    folder = shared_folder(tmp_path_factory, "shape", make)
    return folder / "torus.sine", folder / "torus.ply"


@pytest.fixture(scope="session")
def scene_file(tmp_path_factory):
    """A radiance field that was never trained, so that it shows a haze."""
    path = tmp_path_factory.mktemp("scene") / "haze.sine"
    a_field().save(path)
    return path


@contextmanager
def running_viewer(*arguments):
    """A running `sinenerf view`; its standard output is a pipe."""
    program = [sys.executable, "-m", "sinenerf", "view", *map(str, arguments), "--port", "0", "--no-browser"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def viewer_url(*arguments):
    """The address of a running `sinenerf view`."""
    with running_viewer(*arguments) as process:
        yield process.stdout.readline().split()[1]


def respond(api, path, body=b"", **query):
    """The body of the response to a page's request."""
    return api.routes[path]({name: str(value) for name, value in query.items()}, body)[1]
