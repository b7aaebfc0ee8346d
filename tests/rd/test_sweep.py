"""Sweeps end to end on a tiny shape, and the use of their results."""

import os
import re
import signal
import sys

import pytest
from support.commands import call_sinenerf, run_sinenerf
from support.kill_loop import stop_when
from support.sweep_results import PLAN, with_methods

from sinenerf.occupancy.training import Training
from sinenerf.rd.plan import read_plan
from sinenerf.rd.results import read_results
from sinenerf.rd.sweep import lock_results, run_sweep


@pytest.mark.slow
def test_sweep_plots_and_delta_from_the_command_line(plan, data, tmp_path):
    output = tmp_path / "results"
    listed = call_sinenerf("sweep", plan, "--data", data, "--output", output, "--dry-run")
    assert listed.returncode == 0 and listed.stdout.startswith(f"{plan}: 5 jobs, 5 to run"), listed.stderr
    assert not output.exists()

    run = run_sinenerf("sweep", plan, "--data", data, "--output", output)
    assert run.returncode == 0 and "5 run, 0 already had results, 0 failed" in run.stdout, run.stderr
    assert len(list(output.glob("shapes/box/*.json"))) == 5
    results, problems = read_results(output)
    assert not problems
    for made in results:
        artefact = made.source.with_suffix(".sine" if made.program == "field" else ".drc")
        assert artefact.stat().st_size == made.size and made.decode_seconds > 0
        if made.program == "field":
            assert made.size == made.bytes["header"] + made.bytes["tables"] + made.bytes["numbers"]
    assert sum(made.program == "field" and made.settings["bits"] == 8 for made in results) == 2

    again = call_sinenerf("sweep", plan, "--data", data, "--output", output)
    assert "0 run, 5 already had results" in again.stdout

    drawn = run_sinenerf("plot", output, "--html", tmp_path / "page.html")
    assert drawn.returncode == 0, drawn.stderr
    assert {p.name for p in output.glob("iou*")} == {
        *(f"iou-{axis}.{suffix}" for axis in ("bytes", "parameters", "seconds") for suffix in ("png", "svg")),
        "iou.csv",
    }
    header, *lines = (output / "iou.csv").read_text().splitlines()
    names = header.split(",")
    assert len(lines) == 5 and len(set(names)) == len(names) and "bytes_setting" in names
    refused = call_sinenerf("bd", "draco", "sine", output)
    assert refused.returncode == 1 and "too few" in refused.stdout
    found = call_sinenerf("find", output, "--bytes", 2000, "--method", "draco")
    assert found.returncode == 0 and "draco faces=100 bits=8" in found.stdout


FINISHED = "shapes/box/[!.]*.json"  # a kill may leave a partial file, whose name begins with a dot


@pytest.mark.slow
def test_killed_sweep_goes_on(plan, data, tmp_path):
    output = tmp_path / "results"
    plan.write_text(PLAN.replace("steps = 20", "steps = 400").replace("{ rank = 1 }, ", ""))
    command = [sys.executable, "-m", "sinenerf", "sweep", plan, "--data", data, "--output", output]
    stop_when(lambda: any(output.glob(FINISHED)), command)
    before = {path: path.stat().st_mtime_ns for path in output.glob(FINISHED)}
    assert before
    run = call_sinenerf("sweep", plan, "--data", data, "--output", output)
    assert run.returncode == 0, run.stderr
    assert len(list(output.glob(FINISHED))) == 3
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())


def test_an_unexpected_error_leaves_the_other_jobs(plan, data, tmp_path, monkeypatch):
    def fit(error):
        def fail(*arguments, **named):
            raise error

        monkeypatch.setattr("sinenerf.rd.programs.occupancy.fit", fail)
        return run_sweep(read_plan(plan, data), tmp_path / "results")

    report = fit(TypeError("of a\nlibrary"))
    assert report.done == 1 and [reason for _, reason in report.failed] == ["TypeError: of a library"] * 4
    with pytest.raises(KeyboardInterrupt):
        fit(KeyboardInterrupt())


def test_two_sweeps_do_not_write_to_one_folder(plan, data, tmp_path):
    begin, draco = (PLAN.index(f'[[methods]]\nname = "{name}"') for name in ("sine", "draco"))
    plan.write_text(PLAN[:begin] + PLAN[draco:])
    output = tmp_path / "results"
    sweep = ("sweep", plan, "--data", data, "--output", output)
    with lock_results(output):
        for command in (sweep, ("find", output, "--iou", 0.1, "--plan", plan, "--data", data)):
            refused = call_sinenerf(*command)
            assert refused.returncode == 1 and refused.stderr.count("\n") == 1
            assert refused.stderr.startswith(f"sinenerf: another sweep writes to {output}: wait for it")
            assert not list(output.iterdir())
    assert call_sinenerf(*sweep).returncode == 0
    assert [path.name for path in output.iterdir()] == ["shapes"]


def test_methods_that_could_not_be_compared_are_not_run(plan, data, tmp_path):
    plan.write_text(PLAN.replace("{ rank = 2 }", "{ rank = 2, steps = 30 }"))
    run = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1 and run.stderr.count("\n") == 1 and "disagree on steps: 20 and 30" in run.stderr
    assert not (tmp_path / "results").exists()


def test_ctrl_c_leaves_no_result(plan, data, tmp_path, monkeypatch):
    step = Training._train_step

    def interrupted(training):
        if training.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(training)

    monkeypatch.setattr(Training, "_train_step", interrupted)
    plan.write_text(with_methods(PLAN, "sine"))
    run = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 130 and "0 run, 0 already had results, 0 failed" in run.stdout
    assert not list((tmp_path / "results").rglob("*.json"))


@pytest.mark.slow
def test_failing_job_leaves_the_others(plan, data, tmp_path):
    plan.write_text(with_methods(PLAN, "draco").replace('["box"]', '["absent", "box"]'))
    run = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1
    assert "1 run, 0 already had results, 1 failed" in run.stdout
    missing = re.escape(f"{data}/absent.ply: no such file")
    assert re.search(rf"failed: absent, draco faces=100 bits=8 \(\w{{8}}\): {missing}", run.stdout)


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
        ('name = "sine"', "name = 128", "method 128: name is 128: it must be text"),
        ('["box"]', "[1]", "scenes holds 1: each must be text, a scene's name"),
        ('"shapes"', '"shapes"\ndata = 5', "data is 5: it must be text"),
        ('"shapes"', '["shapes"]', "dataset is ['shapes']: it must be text"),
        ('program = "draco"', 'program = ["draco"]', "program is ['draco']: it must be text"),
    ],
)
def test_bad_plan_is_refused_before_anything_runs(plan, data, tmp_path, old, new, message):
    plan.write_text(PLAN.replace(old, new, 1))
    run = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1 and run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"sinenerf: {plan}: ") and message in run.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ('optimizer = "sgd"', "no optimizer is called 'sgd': choose adam or soap"),
        ('sampler = "sobol"', "no sampler is called 'sobol': choose surface or grid"),
        ("batch = 4e3", "batch is 4000.0: it must be a whole number"),
        ("seed = 0.5", "seed is 0.5: it must be a whole number"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_setting_of_a_wrong_kind(plan, data, tmp_path, setting, said):
    plan.write_text(PLAN.replace("batch = 256", setting))
    run = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert run.returncode == 1 and run.stderr == f"sinenerf: {plan}: method 'sine': {said}\n"
    assert not (tmp_path / "results").exists()
