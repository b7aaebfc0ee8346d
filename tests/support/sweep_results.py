"""A tiny plan, its data, and results as if it had been run."""

from dataclasses import replace
from functools import partial

import pytest
import trimesh
from support import http_answers

from sinenerf.rd.results import Job, Result

PLAN = """
dataset = "shapes"
scenes = ["box"]

[settings]
steps = 20
batch = 256
pool = 2000

[evaluation]
points = 20000
resolution = 32

[[methods]]
name = "sine"
settings = { layer = "sine", width = 16 }
points = [{ rank = 1 }, { rank = 2 }]
grid = { bits = [8, 32] }

[[methods]]
name = "draco"
program = "draco"
grid = { faces = [100], bits = [8] }
"""


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    box = trimesh.creation.box().subdivide().subdivide().subdivide()  # in a sphere nearest neighbours are slow
    box.export(folder / "box.ply")
    return folder


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


sinenerf = partial(http_answers.command, timeout=120)


def result(size=1000, iou=0.9, scene="box", method="sine", **changes):
    made = Result(
        "shapes", scene, method, "field", {"minutes": 1.0, "width": size}, {"iou": iou}, {"total": size}, 9, 60.0
    )
    return replace(made, **changes)


def saved(folder, *results):
    for made in results:
        made.save(Job(made.dataset, made.scene, made.method, made.program, made.settings).path(folder))
