"""Occupancy fields as a program: what is trained again, and which settings belong to the job."""

import pytest
import trimesh
from support.sweep_results import PLAN

from sinenerf.rd.plan import read_plan
from sinenerf.rd.sweep import run_job


@pytest.mark.slow
def test_a_field_that_was_stopped_before_its_result_is_not_trained_again(plan, data, tmp_path, monkeypatch):
    read = read_plan(plan, data)
    job, output = read.jobs[0], tmp_path / "results"

    def stopped(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.programs.occupancy.surface_of", stopped)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, read.scenes["box"], output)
    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.programs.occupancy.fit", stopped)
        scored = run_job(job, read.scenes["box"], output)
    assert scored.history and scored.history[-1]["step"] == 20 and scored.seconds == scored.history[-1]["seconds"]
    assert scored.size == job.path(output).with_suffix(".sine").stat().st_size and 0 < scored.quality["iou"] <= 1
    assert len(list((output / "shapes" / "box").glob(".*"))) == 0
    job.path(output).unlink()  # what was scored is made anew
    assert run_job(job, read.scenes["box"], output).quality == scored.quality


def test_a_field_of_another_mesh_is_trained_again(plan, data, tmp_path, monkeypatch, capsys):
    read = read_plan(plan, data)
    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.programs.occupancy.surface_of", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_job(read.jobs[0], read.scenes["box"], tmp_path)
    trimesh.creation.icosphere(subdivisions=2).export(read.scenes["box"])
    monkeypatch.setattr("sinenerf.rd.programs.occupancy.fit", lambda *arguments, **named: 1 / 0)
    capsys.readouterr()
    with pytest.raises(ZeroDivisionError):
        run_job(read.jobs[0], read.scenes["box"], tmp_path)
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("sinenerf: ignoring ") and "other input" in output.err


def test_what_the_machine_chooses_is_of_the_job_where_it_is_given(plan, data):
    assert not {"device", "precision"} & set(read_plan(plan, data).jobs[0].settings)
    plan.write_text(PLAN.replace("steps = 20", 'steps = 20\nprecision = "float32"'))
    given = read_plan(plan, data).jobs[0].settings
    assert given["precision"] == "float32" and "device" not in given
