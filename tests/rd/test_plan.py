"""The plans of configs/: the paper's experiments run, with every setting but their size."""

import tomllib
from pathlib import Path

import pytest

from sinenerf.networks import count_parameters
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.sizing import split_settings
from sinenerf.rd.plan import _expand_plan, read_plan
from sinenerf.rd.sweep import SerialRunner, run_sweep

CONFIGS = Path(__file__).parents[2] / "configs"
PAPER = CONFIGS / "paper"


def smaller(name, settings, data, scenes):
    """A plan of the paper with other settings, and one rank."""
    content = tomllib.loads((PAPER / f"{name}.toml").read_text())
    content["settings"] |= settings
    content["evaluation"] = {"points": 20000, "resolution": 16} if name == "occupancy" else {}
    for method in content["methods"]:
        if "grid" in method:
            method["grid"]["rank"] = method["grid"]["rank"][:1]
    return _expand_plan(content, data, scenes)


@pytest.mark.slow
def test_the_papers_nerf_runs(scene, tmp_path):
    settings = {"steps": 2, "rays": 32, "width": 16, "coarse_samples": 8, "fine_samples": 8, "downscale": 1}
    plan = smaller("nerf", settings, scene.parent, [scene.name])
    report = run_sweep(plan, tmp_path, SerialRunner())
    assert report.done == 3 and not report.failed
    assert len(list(tmp_path.glob(f"photographs/{scene.name}/*.sine"))) == 3


@pytest.mark.slow
def test_the_papers_occupancy_runs(data, tmp_path):
    settings = {"steps": 3, "batch": 64, "resolution": 16, "width": 16}
    report = run_sweep(smaller("occupancy", settings, data, ["box"]), tmp_path / "results", SerialRunner())
    assert report.done == 3 and not report.failed
    assert len(list(tmp_path.glob("results/shapes/box/*.sine"))) == 3


def test_the_papers_settings(tmp_path):
    """What makes these the paper's: the parameters, and one permutation of all voxels in each of 200 epochs."""
    jobs = {name: read_plan(PAPER / f"{name}.toml", tmp_path).jobs for name in ("nerf", "occupancy")}
    assert {name: len(plan) for name, plan in jobs.items()} == {"nerf": 8 * 13, "occupancy": 11}
    for job in jobs["occupancy"]:
        steps, batch = job.settings["steps"], job.settings["batch"]
        assert 200 * 512**3 <= steps * batch < 200 * 512**3 + batch
        known = {name: value for name, value in job.settings.items() if not name.startswith("eval_")}
        count = count_parameters(build_network(split_settings(known)[0]))
        if job.settings["layer"] == "dense" or job.settings["rank"] == 1:
            assert count == (132_865 if job.settings["layer"] == "dense" else 2_817)
    for job in (*jobs["nerf"], *jobs["occupancy"]):
        assert job.settings["init"] == ("paper" if job.settings["layer"] == "sine" else "spread")
        assert not job.settings["anchored"] and job.settings["bits"] == 32
    assert {(j.settings["width"], j.settings["depth"]) for j in jobs["nerf"]} == {(256, 8)}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_committed_results_are_of_todays_plans(path, tmp_path):
    """Whoever runs a plan measures what its results measured: a plan that changed, or a default, shows here."""
    plan = read_plan(path, tmp_path)
    output, folder = CONFIGS.parent / plan.output, plan.jobs[0].dataset
    committed = set((output / folder).rglob("*.json"))
    assert committed <= {job.path(output) for job in plan.jobs}


BY_SIZE = """
dataset = "shapes"
scenes = ["box"]

[minutes_by_bytes]
1000 = 0.5
5000 = 2

[[methods]]
name = "sine"
grid = { bytes = [1000, 5000] }

[[methods]]
name = "thin dense"
settings = { layer = "dense" }
grid = { bytes = [5000] }

[[methods]]
name = "draco"
program = "draco"
"""


def test_each_size_has_its_minutes(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(BY_SIZE)
    *fields, mesh = read_plan(path, tmp_path).jobs
    budgets = [(job.method, job.settings["bytes"], job.settings["minutes"]) for job in fields]
    assert budgets == [("sine", 1000, 0.5), ("sine", 5000, 2), ("thin dense", 5000, 2)]
    assert not {"minutes", "bytes"} & set(mesh.settings)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bytes = [5000]", "bytes = [4000]", "method 'thin dense': bytes is 4000: minutes_by_bytes has 1000, 5000"),
        ("bytes = [5000]", "width = [16]", "method 'thin dense': bytes is None: minutes_by_bytes has 1000, 5000"),
        (
            'layer = "dense"',
            'layer = "dense", minutes = 3.0',
            "method 'thin dense': minutes is 3.0, but the plan has minutes_by_bytes: leave one of them out",
        ),
        (
            "[minutes_by_bytes]",
            "[settings]\nsteps = 9\n[minutes_by_bytes]",
            "method 'sine': steps is 9, but the plan has minutes_by_bytes: leave one of them out",
        ),
        ("5000 = 2", "5000 = -2", "method 'sine': minutes is -2: it must be positive and finite"),
        (
            "[minutes_by_bytes]\n1000 = 0.5\n5000 = 2",
            "minutes_by_bytes = 2",
            "minutes_by_bytes is 2: it must be a table",
        ),
    ],
)
def test_a_point_without_minutes_of_its_size_is_refused(old, new, said, tmp_path):
    path = tmp_path / "plan.toml"
    assert old in BY_SIZE
    path.write_text(BY_SIZE.replace(old, new))
    with pytest.raises(ValueError) as refused:
        read_plan(path, tmp_path)
    assert str(refused.value) == f"{path}: {said}"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_plan_is_read(path, tmp_path):
    assert read_plan(path, tmp_path).jobs
