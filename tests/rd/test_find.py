"""The best setting for a target, from existing results and by running missing jobs."""

import re
import shutil
from dataclasses import astuple

import pytest
from support.commands import call_sinenerf, run_sinenerf
from support.sweep_results import PLAN, result, save_results, with_methods

from sinenerf.rd import find
from sinenerf.rd.find import best_within, smallest_of
from sinenerf.rd.results import Result


def test_finding_from_the_command_line(tmp_path):
    scores = ((1000, 21.0), (3000, 23.0), (2000, 22.0))
    save_results(
        tmp_path / "p",
        *(result(size, dataset="photographs", program="nerf", quality={"psnr": psnr}) for size, psnr in scores),
    )
    save_results(tmp_path / "s", result(1000, 0.9), result(2000, 0.95), result(1500, 0.9, "other"))
    for place, target, code, lines in (
        ("p", ("--psnr", 21.5), 0, ["2,000 bytes, psnr 22.0000"]),
        ("p", ("--bytes", 2999), 0, ["2,000 bytes, psnr 22.0000"]),
        ("s", ("--bytes", 1999), 0, ["1,000 bytes, iou 0.9000", "1,500 bytes, iou 0.9000"]),
        ("s", ("--iou", 0.92, "--scene", "box"), 0, ["2,000 bytes, iou 0.9500"]),
        ("s", ("--iou", 0.92), 1, ["2,000 bytes", "other: nothing meets iou 0.92: sweep more, or give --plan"]),
    ):
        said = call_sinenerf("find", tmp_path / place, *target)
        assert said.returncode == code and len(said.stdout.splitlines()) == len(lines), (target, said)
        assert all(part in line for part, line in zip(lines, said.stdout.splitlines(), strict=True)), said.stdout
    for more, reason in (
        ((), "give one target"),
        (("--bytes", 9, "--iou", 1), "give one target"),
        (("--bytes", 9, "--data", tmp_path), "give --plan, too, or neither"),
    ):
        refused = call_sinenerf("find", tmp_path / "s", *more)
        assert refused.returncode == 1 and reason in refused.stderr and refused.stderr.count("\n") == 1


def test_of_several_datasets_find_takes_those_that_have_the_measure(tmp_path):
    scene = result(2000, scene="fern", dataset="photographs", program="nerf", quality={"psnr": 22.0})
    save_results(tmp_path, scene, result(1000, 0.9))
    for target, line in (("--iou", "box, sine"), ("--psnr", "fern, sine")):
        found = call_sinenerf("find", tmp_path, target, 0.5)
        assert found.returncode == 0 and found.stdout.startswith(line) and found.stdout.count("\n") == 1, found


@pytest.mark.slow
def test_find_runs_missing_jobs(plan, data, tmp_path):
    run = run_sinenerf("find", tmp_path / "r", "--iou", 0.1, "--plan", plan, "--data", data, "--method", "draco")
    assert run.returncode == 0 and "draco faces=100" in run.stdout, run.stderr
    assert call_sinenerf("find", tmp_path / "r", "--iou", 1.1).returncode == 1


def test_find_looks_where_the_sweep_wrote(plan, data, tmp_path):
    """Whether it is given the folder of results or the dataset's in it."""
    draco = with_methods(PLAN, "draco")
    plan.write_text(draco.replace("faces = [100]", "faces = [12]"))
    assert call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "r").returncode == 0
    plan.write_text(draco.replace("faces = [100]", "faces = [12, 100]"))
    for folder in (tmp_path / "r" / "shapes", tmp_path / "r"):
        assert call_sinenerf("find", folder, "--iou", 0.1, "--plan", plan, "--data", data).returncode == 0
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

    monkeypatch.setattr("sinenerf.rd.sweep.run_job", run)
    settings = PLAN[: PLAN.index("points = [{")]
    plan.write_text(settings.replace("rank = 1", "rank = 2") + "grid = { bytes = [1000, 2000, 4000, 8000] }")
    return plan, ran


NAMES = ((("--scene", "bx"), "no scene is called 'bx': there are box"),
         (("--method", "sien"), "no method is called 'sien': there are sine"))  # fmt: skip


@pytest.mark.parametrize(
    ("target", "reason"),
    [(("--iou", 0.9, *name), reason) for name, reason in NAMES]
    + [(("--psnr", 30), "no result has a quality 'psnr': there are iou")],
)
def test_what_nothing_can_meet_is_refused_before_a_job_is_run(budgets, data, tmp_path, target, reason):
    """All jobs of a plan were run for a measure of another dataset."""
    plan, ran = budgets
    save_results(tmp_path / "known", result(settings={"steps": 20}))
    planned = ("--plan", plan, "--data", data)
    for line in (("known", *target), ("known", *target, *planned), ("none", *target, *planned)):
        found = call_sinenerf("find", tmp_path / line[0], *line[1:])
        assert (found.returncode, found.stdout, found.stderr) == (1, "", f"sinenerf: {reason}\n")
    assert not ran


def test_find_runs_the_budget_nearest_below_a_size_once(budgets, data, tmp_path):
    plan, ran = budgets
    for _ in range(2):
        found = call_sinenerf("find", tmp_path / "r", "--bytes", 3000, "--plan", plan, "--data", data)
        assert found.returncode == 0 and "1,994 bytes" in found.stdout, found.stderr
    assert ran == [2000]


def test_find_runs_nothing_that_could_not_be_smaller(budgets, data, tmp_path):
    plan, ran = budgets
    for runs, *target in (([4000], "--bytes", 7999), ([1000, 2000], "--iou", 0.97), ([8000], "--iou", 0.98)):
        found = call_sinenerf("find", tmp_path / "r", *target, "--plan", plan, "--data", data)
        assert found.returncode == 0 and ran == runs, found.stderr
        ran.clear()


def test_a_job_that_fails_leaves_the_others_to_find(budgets, data, tmp_path, monkeypatch):
    from sinenerf.rd import sweep

    plan, ran = budgets
    run = sweep.run_job

    def fail_first(job, *rest):
        return run(job, *rest) if job.settings["bytes"] > 1000 else {}["of a library"]

    monkeypatch.setattr(sweep, "run_job", fail_first)
    found = call_sinenerf("find", tmp_path / "r", "--iou", 0.9, "--plan", plan, "--data", data)
    assert found.returncode == 0 and ran == [2000] and "1,994 bytes" in found.stdout, found.stderr
    counted, failed, done = found.stderr.splitlines()
    assert counted.startswith("sinenerf: jobs that may run: 4;") and done.startswith("sinenerf: box, sine ")
    assert re.search(r"sinenerf: box, sine .* bytes=1000 \(\w{8}\) failed: KeyError: 'of a library'$", failed)
    assert "1,994 bytes, iou 0.9500" in done


def test_no_other_sweep_starts_between_two_scenes(plan, data, tmp_path, monkeypatch):
    shutil.copy(data / "box.ply", data / "other.ply")
    plan.write_text(with_methods(PLAN, "draco").replace('["box"]', '["box", "other"]'))
    refused, run_towards = [], find.run_towards

    def between(*given):
        refused.append(call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "r").stderr)
        return run_towards(*given)

    monkeypatch.setattr(find, "run_towards", between)
    monkeypatch.setattr("sinenerf.rd.sweep.run_job", lambda *job: {}["nothing"])
    call_sinenerf("find", tmp_path / "r", "--iou", 0.1, "--plan", plan, "--data", data)
    assert len(refused) == 2 and all("another sweep writes to" in line for line in refused)


def test_results_of_an_unknown_size_are_not_called_bad(tmp_path):
    save_results(tmp_path, result(1, 0.9, bytes={"total": None}), result(2, 0.95, bytes={"total": None}))
    found = call_sinenerf("find", tmp_path, "--iou", 0.92)
    assert found.returncode == 1
    assert found.stdout == "box: of the results that meet iou 0.92, 1 in all, no file's size is known\n"


def test_find_does_not_run_what_it_could_not_compare(plan, data, tmp_path):
    save_results(tmp_path, result(settings={"steps": 7}))
    refused = call_sinenerf("find", tmp_path, "--iou", 0.1, "--plan", plan, "--data", data)
    assert refused.returncode == 1 and "the plan's sine disagree on steps: 7 and 20" in refused.stderr
    assert len(list(tmp_path.glob("shapes/box/*.json"))) == 1


def test_finding():
    results = [result(1000, 0.90), result(2000, 0.95), result(1500, 0.85)]
    assert best_within(results, 1999, "iou").size == 1000
    assert best_within(results, 999, "iou") is None
    assert smallest_of(results, 0.91, "iou").size == 2000
    assert smallest_of(results, 0.96, "iou") is None
