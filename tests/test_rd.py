"""Sweeps end to end on a tiny shape, and what is made of results."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import astuple, replace

import numpy as np
import pytest
import trimesh
from answering import answer
from hypothesis import given
from hypothesis import strategies as st

from sinenerf.rd.curves import bjontegaard_delta, front, hull, mean_curve, measure_of, points_of
from sinenerf.rd.find import best_within, smallest_of
from sinenerf.rd.hardware import describe
from sinenerf.rd.page import drawing, save_page
from sinenerf.rd.plan import read_plan
from sinenerf.rd.plot import figure, save_plots
from sinenerf.rd.results import Job, Result, check_comparable, read_results
from sinenerf.rd.shapes import draco, undraco
from sinenerf.rd.sweep import missing, run_job, run_sweep

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


def sinenerf(*arguments, **options):
    command = [sys.executable, "-m", "sinenerf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def result(size=1000, iou=0.9, scene="box", method="sine", **changes):
    made = Result(
        "shapes", scene, method, "field", {"minutes": 1.0, "width": size}, {"iou": iou}, {"total": size}, 9, 60.0
    )
    return replace(made, **changes)


def test_sweep_plots_and_delta_from_the_command_line(plan, data, tmp_path):
    output = tmp_path / "results"
    listed = answer("sweep", plan, "--data", data, "--output", output, "--dry-run")
    assert listed.returncode == 0 and listed.stdout.startswith(f"{plan}: 5 jobs, 5 to run"), listed.stderr
    assert not output.exists()

    run = sinenerf("sweep", plan, "--data", data, "--output", output)
    assert run.returncode == 0 and "5 done, 0 were there, 0 failed" in run.stdout, run.stderr
    assert len(list(output.glob("shapes/box/*.json"))) == 5
    results, problems = read_results(output)
    assert not problems
    for made in results:
        artefact = made.source.with_suffix(".sine" if made.program == "field" else ".drc")
        assert artefact.stat().st_size == made.size
        if made.program == "field":
            assert made.size == made.bytes["header"] + made.bytes["tables"] + made.bytes["numbers"]
    assert sum(made.program == "field" and made.settings["bits"] == 8 for made in results) == 2

    again = answer("sweep", plan, "--data", data, "--output", output)
    assert "0 done, 5 were there" in again.stdout

    drawn = sinenerf("plot", output, "--html", tmp_path / "page.html")
    assert drawn.returncode == 0, drawn.stderr
    assert {p.name for p in output.glob("iou*")} == {
        *(f"iou-{axis}.{suffix}" for axis in ("bytes", "parameters", "seconds") for suffix in ("png", "svg")),
        "iou.csv",
    }
    header, *lines = (output / "iou.csv").read_text().splitlines()
    names = header.split(",")
    assert len(lines) == 5 and len(set(names)) == len(names) and "bytes_setting" in names
    refused = answer("bd", "draco", "sine", output)
    assert refused.returncode == 1 and "too few" in refused.stdout
    found = answer("find", output, "--bytes", 2000, "--method", "draco")
    assert found.returncode == 0 and "draco faces=100 bits=8" in found.stdout


def saved(folder, *results):
    for made in results:
        made.save(Job(made.dataset, made.scene, made.method, made.program, made.settings).path(folder))


def test_deltas_from_the_command_line(tmp_path):
    sizes = (1000, 2000, 4000, 8000, 16000)
    saved(tmp_path, *(result(size, 1 - 50 / size, scene, "draco") for size in sizes for scene in ("a", "b", "c")))
    saved(tmp_path, *(result(size // 2, 1 - 50 / size, scene) for size in sizes for scene in ("a", "b")))
    saved(tmp_path, *(result(size // 2, 1 - 50 / size, "c") for size in sizes[:3]))
    said = sinenerf("bd", "draco", "sine", tmp_path, "--json")
    assert said.returncode == 0, said.stderr
    content = json.loads(said.stdout)
    assert (content["anchor"], content["test"], content["measure"]) == ("draco", "sine", "iou")
    assert [scene["scene"] for scene in content["scenes"]] == ["a", "b"]
    for delta in (*content["scenes"], content["mean"]):
        assert delta["rate"] == pytest.approx(-50, abs=0.1) and delta["quality"] > 0
    assert content["scenes"][0]["low"] == pytest.approx(0.95) and content["scenes"][0]["overlap"] > 0.97
    (refused,) = content["refused"]
    assert refused.startswith("c: the second method has 3 points on its hull, too few")
    table = answer("bd", "draco", "sine", tmp_path)
    assert "-50.0 %" in table.stdout and "mean of 2" in table.stdout and f"refused: {refused}" in table.stdout
    none = answer("bd", "draco", "sine", tmp_path / "shapes" / "c", "--json")
    assert none.returncode == 1 and json.loads(none.stdout)["mean"] is None
    unknown = answer("bd", "draco", "sines", tmp_path)
    assert unknown.returncode == 1 and unknown.stderr.endswith("has no method 'sines': there are draco, sine\n")


def test_finding_from_the_command_line(tmp_path):
    scores = ((1000, 21.0), (3000, 23.0), (2000, 22.0))
    saved(
        tmp_path / "p",
        *(result(size, dataset="photographs", program="nerf", quality={"psnr": psnr}) for size, psnr in scores),
    )
    saved(tmp_path / "s", result(1000, 0.9), result(2000, 0.95), result(1500, 0.9, "other"))
    for place, target, code, lines in (
        ("p", ("--psnr", 21.5), 0, ["2,000 bytes, psnr 22.0000"]),
        ("p", ("--bytes", 2999), 0, ["2,000 bytes, psnr 22.0000"]),
        ("s", ("--bytes", 1999), 0, ["1,000 bytes, iou 0.9000", "1,500 bytes, iou 0.9000"]),
        ("s", ("--iou", 0.92, "--scene", "box"), 0, ["2,000 bytes, iou 0.9500"]),
        ("s", ("--iou", 0.92), 1, ["2,000 bytes", "other: nothing meets iou 0.92: sweep more, or give --plan"]),
    ):
        said = answer("find", tmp_path / place, *target)
        assert said.returncode == code and len(said.stdout.splitlines()) == len(lines), (target, said)
        assert all(part in line for part, line in zip(lines, said.stdout.splitlines(), strict=True)), said.stdout
    for more, reason in (((), "give one target"), (("--bytes", 9, "--iou", 1), "give one target")):
        refused = answer("find", tmp_path / "s", *more)
        assert refused.returncode == 1 and reason in refused.stderr and refused.stderr.count("\n") == 1


def test_two_results_that_disagree_are_named(tmp_path):
    saved(tmp_path, result(1000), result(2000, settings={"minutes": 2.0}))
    for command in (("plot", tmp_path), ("bd", "sine", "sine", tmp_path), ("find", tmp_path, "--bytes", 5000)):
        refused = answer(*command)
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1
        assert "disagree on minutes: " in refused.stderr and refused.stderr.count(str(tmp_path)) == 2


def test_find_runs_what_is_missing(plan, data, tmp_path):
    run = sinenerf("find", tmp_path / "r", "--iou", 0.1, "--plan", plan, "--data", data, "--method", "draco")
    assert run.returncode == 0 and "draco faces=100" in run.stdout, run.stderr
    assert answer("find", tmp_path / "r", "--iou", 1.1).returncode == 1


def test_find_looks_where_the_sweep_wrote(plan, data, tmp_path):
    """Whether it is given the folder of results or the dataset's in it."""
    draco = PLAN[: PLAN.index('[[methods]]\nname = "sine"')] + PLAN[PLAN.index('[[methods]]\nname = "draco"') :]
    plan.write_text(draco.replace("faces = [100]", "faces = [12]"))
    assert answer("sweep", plan, "--data", data, "--output", tmp_path / "r").returncode == 0
    plan.write_text(draco.replace("faces = [100]", "faces = [12, 100]"))
    for folder in (tmp_path / "r" / "shapes", tmp_path / "r"):
        assert answer("find", folder, "--iou", 0.1, "--plan", plan, "--data", data).returncode == 0
        assert len(list((tmp_path / "r").rglob("*.json"))) == len(list((tmp_path / "r").glob("shapes/box/*.json"))) == 2


@pytest.fixture
def budgets(plan, monkeypatch):
    """A plan of sine with 1,000 to 8,000 bytes, each job run in no time; and the budgets that were run."""
    ran = []

    def run(job, scene, results):
        ran.append(job.settings["bytes"])
        made = Result(*astuple(job), {"iou": 1 - 100 / ran[-1]}, {"total": ran[-1] - 6}, 9, 60.0)
        made.save(job.path(results))
        return made

    monkeypatch.setattr("sinenerf.rd.find.run_job", run)
    settings = PLAN[: PLAN.index("points = [{")]
    plan.write_text(settings.replace("rank = 1", "rank = 2") + "grid = { bytes = [1000, 2000, 4000, 8000] }")
    return plan, ran


def test_find_runs_the_budget_nearest_below_a_size_once(budgets, data, tmp_path):
    plan, ran = budgets
    for _ in range(2):
        found = answer("find", tmp_path / "r", "--bytes", 3000, "--plan", plan, "--data", data)
        assert found.returncode == 0 and "1,994 bytes" in found.stdout, found.stderr
    assert ran == [2000]


def test_find_runs_nothing_that_could_not_be_smaller(budgets, data, tmp_path):
    plan, ran = budgets
    for runs, *target in (([4000], "--bytes", 7999), ([1000, 2000], "--iou", 0.97), ([8000], "--iou", 0.98)):
        found = answer("find", tmp_path / "r", *target, "--plan", plan, "--data", data)
        assert found.returncode == 0 and ran == runs, found.stderr
        ran.clear()


def test_find_does_not_run_what_it_could_not_compare(plan, data, tmp_path):
    saved(tmp_path, result(settings={"steps": 7}))
    refused = answer("find", tmp_path, "--iou", 0.1, "--plan", plan, "--data", data)
    assert refused.returncode == 1 and "the plan's sine disagree on steps: 7 and 20" in refused.stderr
    assert len(list(tmp_path.glob("shapes/box/*.json"))) == 1


def test_killed_sweep_goes_on(plan, data, tmp_path):
    output = tmp_path / "results"
    plan.write_text(PLAN.replace("steps = 20", "steps = 400"))
    command = [sys.executable, "-m", "sinenerf", "sweep", plan, "--data", data, "--output", output]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(output.glob("shapes/box/*.json")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    before = {path: path.stat().st_mtime_ns for path in output.glob("shapes/box/*.json")}
    assert before
    run = answer("sweep", plan, "--data", data, "--output", output)
    assert run.returncode == 0, run.stderr
    assert len(list(output.glob("shapes/box/*.json"))) == 5
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())


def test_a_field_whose_scoring_was_stopped_is_not_trained_again(plan, data, tmp_path, monkeypatch):
    read = read_plan(plan, data)
    job, output = read.jobs[0], tmp_path / "results"

    def stopped(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.shapes.surface_of", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, read.scenes["box"], output)
    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.shapes.fit", stopped)
        scored = run_job(job, read.scenes["box"], output)
    assert scored.history and scored.history[-1]["step"] == 20 and scored.seconds == scored.history[-1]["seconds"]
    assert scored.size == job.path(output).with_suffix(".sine").stat().st_size and 0 < scored.quality["iou"] <= 1
    assert len(list((output / "shapes" / "box").glob(".*"))) == 0
    job.path(output).unlink()  # what was scored is made anew
    assert run_job(job, read.scenes["box"], output).quality == scored.quality


def test_a_field_of_another_mesh_is_trained_again(plan, data, tmp_path, monkeypatch):
    read = read_plan(plan, data)
    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.shapes.surface_of", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_job(read.jobs[0], read.scenes["box"], tmp_path)
    trimesh.creation.icosphere(subdivisions=2).export(read.scenes["box"])
    monkeypatch.setattr("sinenerf.rd.shapes.fit", lambda *arguments, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run_job(read.jobs[0], read.scenes["box"], tmp_path)


def git(folder, *arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_result_names_the_commit_of_the_package_alone(tmp_path, monkeypatch):
    package = tmp_path / "sinenerf"
    package.mkdir()
    (package / "a.py").write_text("")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    monkeypatch.setattr("sinenerf.rd.hardware.PACKAGE", package)
    commit = git(tmp_path, "rev-parse", "--short", "HEAD").strip()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text("{}")  # of the job before
    assert describe()["commit"] == commit
    (package / "a.py").write_text("changed = True")
    assert describe()["commit"] == f"{commit}+changes"
    installed = tmp_path / ".venv" / "sinenerf"  # within another project's tree
    installed.mkdir(parents=True)
    monkeypatch.setattr("sinenerf.rd.hardware.PACKAGE", installed)
    assert describe()["commit"] == ""


def test_a_machine_without_git_names_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert describe()["commit"] == ""


def test_failing_job_leaves_the_others(plan, data, tmp_path):
    plan.write_text(PLAN.replace('["box"]', '["box", "absent"]'))
    run = answer("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1
    assert "5 done, 0 were there, 5 failed" in run.stdout
    assert f"failed: absent, draco faces=100 bits=8: {data}/absent.ply: no such file" in run.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch = 256", "batches = 256", "method 'sine': no setting is called 'batches'"),
        ("{ rank = 2 }", "{ rank = 99 }", "method 'sine': rank 99 does not fit a layer of 16 inputs"),
        ("points = [{", "pionts = [{", "method 'sine' has an unknown key 'pionts'"),
        ('scenes = ["box"]', "", "the file lacks the key 'scenes'"),
        ('"shapes"', '"shops"', "no dataset is called 'shops': choose shapes"),
        ('program = "draco"', 'program = "zip"', "no program is called 'zip'"),
        ("points = 20000", "dots = 5", "no setting is called 'eval_dots'"),
        ("faces = [100]", "faces = [1]", "faces is 1: it must be a whole number of at least 4"),
        ("[settings]", "[settings", "is not TOML"),
        ('["box"]', '"box"', "scenes is 'box': it must be a list"),
        ("faces = [100]", "faces = 100", "method 'draco': grid's faces is 100: it must be a list"),
        ("points = [{ rank = 1 }", "points = [5", "method 'sine': 'int' object is not a mapping"),
        ("resolution = 32", "resolution = 1", "eval_resolution is 1: it must be a whole number of at least 8"),
    ],
)
def test_bad_plan_is_refused_before_anything_runs(plan, data, tmp_path, old, new, message):
    plan.write_text(PLAN.replace(old, new, 1))
    run = answer("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"sinenerf: {plan}: ") and message in run.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('optimizer = "sgd"', "no optimizer is called 'sgd': choose adam or soap"),
        ('sampler = "sobol"', "no sampler is called 'sobol': choose surface or grid"),
    ],
)
def test_a_setting_that_is_none_of_its_words(plan, data, tmp_path, setting, said):
    """In a process of its own: in this one types are checked."""
    plan.write_text(PLAN.replace("batch = 256", setting))
    run = sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1 and run.stderr == f"sinenerf: {plan}: method 'sine': {said}\n"
    assert not (tmp_path / "results").exists()


def test_key_follows_the_settings(plan, data):
    jobs = read_plan(plan, data).jobs
    assert len({job.key for job in jobs}) == len(jobs)
    turned = dict(reversed(jobs[0].settings.items()))
    assert Job(jobs[0].dataset, "else", jobs[0].method, jobs[0].program, turned).key == jobs[0].key


def test_damaged_result_is_run_again_and_passed_over(plan, data, tmp_path):
    output = tmp_path / "results"
    read = read_plan(plan, data)
    assert run_sweep(read, output).done == 5
    paths = [job.path(output) for job in read.jobs]
    paths[0].write_text(paths[0].read_text()[:-20])
    paths[1].write_text(json.dumps({"format": 2}))
    paths[2].write_text("[1, 2]")
    (output / "note.json").write_text("{}")
    edited = json.loads(paths[3].read_text())
    paths[3].write_text(json.dumps(edited | {"settings": edited["settings"] | {"rank": 9}}))
    results, problems = read_results(output)
    assert len(results) == 1 and len(problems) == 5 and all("\n" not in problem for problem in problems)
    assert sum("its settings are not those of its name" in problem for problem in problems) == 1
    for reason in ("is damaged: it is not JSON", "is of another version; this sinenerf reads format 1", "is no result"):
        assert sum(reason in p for p in problems) == 1 + (reason == "is no result")
    assert len(missing(read, output)) == 4
    refused = answer("plot", output, "--quality", "psnr")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 6
    assert refused.stderr.splitlines()[-1] == "sinenerf: no result has a quality 'psnr': there are " + ", ".join(
        sorted(name for name, value in results[0].quality.items() if value is not None)
    )


def test_different_budgets_are_not_compared():
    same = [result(), result(2000)]
    check_comparable(same)
    with pytest.raises(ValueError, match=r"disagree on minutes: 1\.0 and 2\.0"):
        check_comparable([*same, result(settings={"minutes": 2.0})])
    looked = [result(settings={"faces": 9, "eval_points": points}, program="draco") for points in (8, 9)]
    with pytest.raises(ValueError, match=r"disagree on points: 8 and 9\. Keep each in a results folder of its own"):
        check_comparable(looked)


def test_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="sinenerf sweep"):
        read_results(tmp_path)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=30))
def test_front_holds_exactly_what_no_point_beats(pairs):
    points = [(float(x), float(y), result()) for x, y in pairs]
    best = front(points)
    chosen = {(p[0], p[1]) for p in best}
    for x, y, _ in points:
        beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b, _ in points)
        assert ((x, y) in chosen) != beaten
    assert [p[0] for p in best] == sorted(p[0] for p in best)


def test_delta_of_known_curves():
    sizes = [1000, 2000, 4000, 8000, 16000]
    anchor = [(s, 1 - 50 / s, result()) for s in sizes]
    half = [(s / 2, q, r) for s, q, r in anchor]
    delta = bjontegaard_delta(anchor, half, "box")
    assert delta.rate == pytest.approx(-50, abs=0.01)
    assert 0 < delta.quality < 0.025
    errors = [[(s, 1 - q, r) for s, q, r in points] for points in (anchor, half)]
    mirrored = bjontegaard_delta(*errors, "box", falling=True)
    assert mirrored.rate == pytest.approx(delta.rate) and mirrored.quality == pytest.approx(-delta.quality)
    assert delta.overlap > 0.97


@given(st.lists(st.tuples(st.floats(100, 1e5), st.floats(0, 1)), min_size=1, max_size=30), st.booleans())
def test_hull_is_concave_and_nothing_lies_above_it(pairs, falling):
    points = [(x, y, result()) for x, y in pairs]
    best = hull(points, falling)
    sign = -1 if falling else 1
    xs, ys = np.log([p[0] for p in best]), sign * np.array([p[1] for p in best])
    assert (np.diff(xs) > 0).all() and (np.diff(ys) > 0).all()
    slopes = np.diff(ys) / np.diff(xs)
    assert (np.diff(slopes) < 0).all()
    for x, y, _ in points:
        if np.log(x) >= xs[0]:
            assert sign * y <= np.interp(np.log(x), xs, ys) + 1e-9


def test_near_twins_do_not_disturb_a_delta():
    """Two sizes that differ by a byte made the interpolation overshoot."""
    anchor = [(s, 1 - 50 / s, result()) for s in (1000, 2000, 4000, 8000, 16000)]
    twins = sorted([*anchor, (4001, 1 - 49 / 4000, result())], key=lambda p: p[0])
    assert abs(bjontegaard_delta(anchor, twins, "box").quality) < 1e-3
    assert abs(bjontegaard_delta(anchor, twins, "box").rate) < 3


def test_curves_without_a_common_size_have_no_delta_of_quality():
    """The package made a NaN of it, which no JSON reader takes."""
    small = [(s, 1 - 50 / s, result()) for s in (1000, 1500, 2000, 4000)]
    large = [(10 * s, q, r) for s, q, r in small]
    delta = bjontegaard_delta(large, small, "box")
    assert delta.quality is None and delta.rate == pytest.approx(-90, abs=0.01)


def test_delta_is_refused_where_it_would_mean_nothing():
    low, high = ([(s, q - 50 / s, result()) for s in (1000, 2000, 3000, 4000)] for q in (0.5, 0.9))
    with pytest.raises(ValueError, match="share 0 %"):
        bjontegaard_delta(low, high, "box")
    with pytest.raises(ValueError, match="the second method has 3 points"):
        bjontegaard_delta(low, low[:3], "box")


def test_mean_curve_covers_what_all_scenes_cover():
    a = [(s, q, result()) for s, q in ((100, 0.1), (1000, 0.3))]
    b = [(s, q, result()) for s, q in ((200, 0.2), (2000, 0.2))]
    x, y = mean_curve([a, b])
    assert x[0] == pytest.approx(200) and x[-1] == pytest.approx(1000)
    assert y[-1] == pytest.approx(0.25)
    assert mean_curve([a, []]) is None


def test_measures(tmp_path):
    with pytest.raises(ValueError, match="no result has a quality 'psnr': there are iou"):
        measure_of([result()], "psnr")
    with pytest.raises(ValueError, match="several datasets"):
        measure_of([result(), result(dataset="photographs")], None)


def test_two_datasets_in_one_folder(tmp_path):
    for size in (1000, 2000, 4000, 8000, 16000):
        for method in ("sine", "draco"):
            small = result(size, 1 - 50 / size - 0.01 * (method == "draco"), method=method)
            photograph = replace(small, dataset="photographs", scene="fern", quality={"psnr": 20.0 + size / 1e4})
            saved(tmp_path, *((small, photograph) if method == "sine" else (small,)))
    drawn = answer("plot", tmp_path, "--output", tmp_path / "out")
    assert drawn.returncode == 0, drawn.stderr
    assert {"iou-bytes.png", "psnr-bytes.png"} <= {p.name for p in (tmp_path / "out").iterdir()}
    only = answer("plot", tmp_path, "--output", tmp_path / "one", "--quality", "psnr")
    assert only.returncode == 0 and not list((tmp_path / "one").glob("iou*"))
    refused = answer("plot", tmp_path, "--html", tmp_path / "page.html")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "give the folder of one" in refused.stderr
    delta = answer("bd", "draco", "sine", tmp_path)  # draco is in one of the two
    assert delta.returncode == 0 and "box" in delta.stdout, delta.stderr


def test_what_took_no_time_is_not_drawn_against_time():
    quick = [result(size, 0.9, seconds=0.0) for size in (1000, 2000)]
    assert points_of(quick, "box", "sine", "iou", "seconds") == []
    svg, keys = drawing([*quick, result(3000, 0.95)], "iou", "seconds")
    assert len(keys) == 1 and svg.count('<use id="marks-') == 1


@pytest.mark.parametrize("measure", ["iou", "chamfer_l1"])
def test_an_axis_without_points_leaves_the_other_plots(tmp_path, measure):
    """Draco's meshes have no parameters."""
    meshes = [result(size, method="draco", parameters=None, quality={measure: 0.9}) for size in (1000, 2000)]
    for results in (meshes, [replace(mesh, scene=scene) for mesh in meshes for scene in "ab"]):
        names = {path.name for path in save_plots(results, measure, tmp_path, ("bytes", "parameters"))}
        assert {f"{measure}-bytes.png", f"{measure}.csv"} <= names
        assert drawing(results, measure, "parameters")[1] == {} and len(drawing(results, measure, "bytes")[1]) > 1


def test_finding():
    results = [result(1000, 0.90), result(2000, 0.95), result(1500, 0.85)]
    assert best_within(results, 1999, "iou").size == 1000
    assert best_within(results, 999, "iou") is None
    assert smallest_of(results, 0.91, "iou").size == 2000
    assert smallest_of(results, 0.96, "iou") is None


def test_plot_marks_every_point_and_page_tells_its_settings(tmp_path):
    settings = {"minutes": 1.0, "name": "</script>"}
    results = [
        result(
            size,
            1 - (20 + 20 * m) / size,
            scene,
            name,
            settings=settings,
            source=tmp_path / f"{scene}{name}{size}.json",
        )
        for scene in ("a", "b")
        for m, name in enumerate(("sine", "draco"))
        for size in (1000, 2000, 4000)
    ]
    made, marks = figure(results, "iou", "bytes")
    assert sum(map(len, marks.values())) == 12 and len(made.axes) == 3
    mean = made.axes[2].lines
    assert len(mean) == 2 and mean[0].get_ydata().min() > mean[1].get_ydata().min()
    (tmp_path / "asine1000.png").write_bytes(b"png")
    save_page(results, "iou", tmp_path / "page.html", ("bytes",))
    page = (tmp_path / "page.html").read_text()
    for name, group in marks.items():  # the page counts on the marks of a group being in order
        drawn = page.split(f'<g id="{name}-bytes">')[1].split("</g>")[0]
        assert [f'id="{name}-bytes-{i}"' in drawn for i in range(len(group) + 1)] == [True] * len(group) + [False]
        assert drawn.count("<use") == len(group)
    assert page.count("</script>") == 1 and "data:image/png;base64" in page and "http" not in page.split("<script>")[1]
    assert len(save_plots(results, "iou", tmp_path / "out", ("bytes",))) == 3


def test_draco_keeps_the_shape():
    ball = trimesh.creation.icosphere(subdivisions=4)
    small, fine = draco(ball, 200, 8), draco(ball, 2000, 12)
    assert len(small) < len(fine) < 6000
    assert abs(undraco(fine).volume / ball.volume - 1) < 0.01
    assert points_of([result()], "box", "sine", "iou")[0][0] == 1000
