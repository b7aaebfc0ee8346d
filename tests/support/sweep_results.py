"""A tiny sweep: its plan, its data, and results as if it had been run."""

import re
from dataclasses import replace

import pytest
import trimesh

from sinenerf.rd.results import Result

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


def with_methods(plan, *names):
    """The text of a plan, cut down to the methods of these names."""
    head, *methods = plan.split("[[methods]]\n")
    chosen = [text for text in methods if re.match(r'name = "(.*)"\n', text)[1] in names]
    assert len(chosen) == len(names)
    return "[[methods]]\n".join([head, *chosen])


def result(size=1000, iou=0.9, scene="box", method="sine", **changes):
    default = Result(
        "shapes", scene, method, "field", {"minutes": 1.0, "width": size}, {"iou": iou}, {"total": size}, 9, 60.0
    )
    return replace(default, **changes)


def save_results(folder, *results):
    for result in results:
        result.save(result.job.path(folder))
