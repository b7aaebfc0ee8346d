"""`sinenerf sweep --dry-run` and the bar of a sweep: a time is given only where it is known on any hardware."""

import pytest
from support.commands import call_sinenerf

from sinenerf.cli.sweeps import time_left
from sinenerf.rd.plan import read_plan


@pytest.fixture
def timed_plan(plan):
    plan.write_text(plan.read_text().replace("steps = 20", "minutes = 0.4"))
    return plan


def listed(plan, data, tmp_path):
    said = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results", "--dry-run")
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def test_a_budget_of_minutes_is_a_time(timed_plan, data, tmp_path):
    head, *jobs = listed(timed_plan, data, tmp_path)
    assert head == f"{timed_plan}: 5 jobs, 5 to run, about 2 minutes"
    assert sum(job.endswith(": about 30 s") for job in jobs) == 4


def test_a_budget_of_steps_is_no_time(plan, data, tmp_path):
    head, *jobs = listed(plan, data, tmp_path)
    assert head == f"{plan}: 5 jobs, 5 to run; the time of 4, given in steps, depends on the hardware"
    assert sum(job.endswith(": 20 steps") for job in jobs) == 4 and "minutes" not in head
    assert sum(job.endswith(": about 3 s") for job in jobs) == 1  # Draco


@pytest.mark.parametrize("program", ["nerf", "nerfstudio"])
@pytest.mark.parametrize(("budget", "said"), [("minutes = 2", "about 3 minutes|about 4 minutes"), ("steps = 6000", "")])
def test_photographs_likewise(program, budget, said, tmp_path):
    path = tmp_path / "plan.toml"
    method = '\nsettings = { method = "nerfacto" }' if program == "nerfstudio" else ""
    path.write_text(
        f'dataset = "photographs"\nscenes = ["fern"]\n[settings]\n{budget}\n'
        f'[[methods]]\nname = "a"\nprogram = "{program}"{method}\n'
    )
    (tmp_path / "fern").mkdir()
    head, job = listed(path, tmp_path, tmp_path)
    if said:
        assert head.endswith(tuple(said.split("|"))) and "about" in job
    else:
        assert head.endswith("the time of 1, given in steps, depends on the hardware") and job.endswith(": 6,000 steps")


@pytest.mark.parametrize("photographs", [True, False])
def test_a_sweep_of_photographs_says_why_it_has_no_lpips(photographs, plan, data, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no weights"))
    monkeypatch.setattr("sinenerf.rd.sweep.run_job", lambda *job: None)  # as after Ctrl-C
    if photographs:
        (data / "fern").mkdir()
        plan = tmp_path / "photographs.toml"
        plan.write_text('dataset = "photographs"\nscenes = ["fern"]\n[settings]\nsteps = 1\n[[methods]]\nname = "a"\n')
    said = call_sinenerf("sweep", plan, "--data", data, "--output", tmp_path / "results")
    assert said.returncode == 130 and said.stderr.count("LPIPS is left out: for it, put vgg16") == photographs


def test_the_bar_goes_by_the_finished_jobs_where_the_time_is_not_known(plan, data):
    jobs = read_plan(plan, data).jobs
    assert time_left(jobs, slots=1, done=0, seconds=5.0) == jobs[0].title
    assert time_left(jobs[2:], slots=1, done=2, seconds=240.0) == f"about 6 min left: {jobs[2].title}"
    assert time_left([], slots=1, done=5, seconds=240.0) == ""


def test_the_bar_knows_the_time_of_a_budget_of_minutes(timed_plan, data):
    jobs = read_plan(timed_plan, data).jobs
    fields = [job for job in jobs if job.program == "field"]
    assert time_left(fields, slots=1, done=0, seconds=0.0) == f"about 2 min left: {fields[0].title}"
    assert time_left(fields, slots=2, done=0, seconds=0.0) == f"about 1 min left: {fields[0].title}"
