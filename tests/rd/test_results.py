"""Result files: the machine that they record, damaged files, and which results may be compared."""

import json
import subprocess
from dataclasses import astuple
from importlib.metadata import PackageNotFoundError

import pytest
from support.commands import call_sinenerf
from support.sweep_results import result, save_results

from sinenerf import __version__
from sinenerf.common.hardware import measured_on
from sinenerf.rd.plan import read_plan
from sinenerf.rd.results import Job, Result, check_comparable, read_results
from sinenerf.rd.sweep import missing_jobs


def test_two_results_that_disagree_are_named(tmp_path):
    save_results(tmp_path, result(1000), result(2000, settings={"minutes": 2.0}))
    for command in (("plot", tmp_path), ("bd", "sine", "sine", tmp_path), ("find", tmp_path, "--bytes", 5000)):
        refused = call_sinenerf(*command)
        assert refused.returncode == 1 and refused.stderr.count("\n") == 1
        assert "disagree on minutes: " in refused.stderr and refused.stderr.count(str(tmp_path)) == 2


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
    monkeypatch.setattr("sinenerf.common.hardware.PACKAGE", package)
    commit = git(tmp_path, "rev-parse", "--short", "HEAD").strip()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.json").write_text("{}")  # of the job before
    assert measured_on()["commit"] == commit
    (package / "a.py").write_text("changed = True")
    assert measured_on()["commit"] == f"{commit}+changes"
    installed = tmp_path / ".venv" / "sinenerf"  # within another project's tree
    installed.mkdir(parents=True)
    monkeypatch.setattr("sinenerf.common.hardware.PACKAGE", installed)
    assert measured_on()["commit"] == ""


def test_a_machine_without_git_names_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert measured_on()["commit"] == ""


def test_a_result_names_the_processor_and_the_gpu(monkeypatch):
    """The processor is named even with a GPU, since some programs do not use the GPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    without = measured_on()
    assert "gpu" not in without
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "NVIDIA H100")
    assert measured_on().items() >= {"processor": without["processor"], "gpu": "NVIDIA H100"}.items()


def test_a_source_tree_that_is_not_installed_names_its_version(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", absent)
    assert measured_on()["sinenerf"] == __version__


def test_key_follows_the_settings(plan, data):
    jobs = read_plan(plan, data).jobs
    assert len({job.key for job in jobs}) == len(jobs)
    turned = dict(reversed(jobs[0].settings.items()))
    assert Job(jobs[0].dataset, "else", jobs[0].method, jobs[0].program, turned).key == jobs[0].key


def test_damaged_result_is_run_again_and_passed_over(plan, data, tmp_path):
    output = tmp_path / "results"
    read = read_plan(plan, data)
    for job in read.jobs:
        Result(*astuple(job), {"iou": 0.9}, {"total": 900}, 9, 60.0).save(job.path(output))
    paths = [job.path(output) for job in read.jobs]
    paths[0].write_text(paths[0].read_text()[:-20])
    paths[1].write_text(json.dumps({"format": 2}))
    paths[2].write_text("[1, 2]")
    (output / "note.json").write_text("{}")
    edited = json.loads(paths[3].read_text())
    paths[3].write_text(json.dumps(edited | {"settings": edited["settings"] | {"rank": 9}}))
    results, problems = read_results(output)
    assert len(results) == 1 and len(problems) == 5 and all("\n" not in problem for problem in problems)
    assert sum("its settings do not match its name" in problem for problem in problems) == 1
    for reason in (
        "is damaged: it is not JSON",
        "has another version; this sinenerf reads format 1",
        "is not a result",
    ):
        assert sum(reason in p for p in problems) == 1 + (reason == "is not a result")
    assert len(missing_jobs(read, output)) == 4
    refused = call_sinenerf("plot", output, "--quality", "psnr")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 6
    assert refused.stderr.splitlines()[-1] == "sinenerf: no result has a quality 'psnr': there are iou"


@pytest.mark.parametrize(
    "damage",
    [
        {"history": [None]},
        {"history": [{"iou": 0.9}]},
        {"history": [{"seconds": 1.0, "iou": None}]},
        {"history": [{"seconds": "1.0", "iou": 0.9}]},
        {"parameters": "9"},
    ],
)
def test_a_damaged_look_or_count_is_passed_over(damage, tmp_path):
    save_results(tmp_path, result(1000), result(2000, **damage))
    results, (problem,) = read_results(tmp_path)
    assert [made.size for made in results] == [1000] and "is damaged: " in problem and "\n" not in problem


def test_different_budgets_are_not_compared():
    same = [result(), result(2000)]
    check_comparable(same)
    with pytest.raises(ValueError, match=r"disagree on minutes: 1\.0 and 2\.0"):
        check_comparable([*same, result(settings={"minutes": 2.0})])
    looked = [result(settings={"faces": 9, "eval_points": points}, program="draco") for points in (8, 9)]
    with pytest.raises(ValueError, match=r"disagree on points: 8 and 9\. Keep each in a results folder of its own"):
        check_comparable(looked)


def sized(size, minutes, method="sine"):
    return result(size, method=method, settings={"minutes": minutes, "bytes": size})


def test_a_budget_may_depend_on_the_size_alone():
    small, large = sized(1000, 0.5), sized(5000, 1.5)
    mesh = result(program="draco", method="draco", settings={"faces": 9, "bits": 8})
    check_comparable([small, large, sized(1000, 0.5, "dense"), sized(5000, 1.5, "dense"), mesh])
    with pytest.raises(ValueError, match=r"disagree on minutes: 1\.5 and 2\.0"):
        check_comparable([small, large, sized(5000, 2.0, "dense")])
    unsized = [result(settings={"minutes": minutes, "bits": 8}) for minutes in (0.5, 1.5)]
    for other in unsized:  # it has no size that its budget could depend on
        for known in ([small, large, other], [other, small, large]):
            with pytest.raises(ValueError, match=r"disagree on minutes: "):
                check_comparable(known)
    check_comparable([unsized[0], small])
    looked = [result(settings={"bytes": size, "minutes": 1.0, "eval_points": size}) for size in (1000, 5000)]
    with pytest.raises(ValueError, match="disagree on points"):
        check_comparable(looked)


def test_two_results_of_one_size_that_disagree_are_named(tmp_path):
    save_results(tmp_path, sized(1000, 0.5), sized(5000, 1.5), sized(5000, 2.0, "dense"))
    refused = call_sinenerf("plot", tmp_path)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert refused.stderr.count("bytes5000") == 2 and "1.5 and 2.0" in refused.stderr.replace(
        "2.0 and 1.5", "1.5 and 2.0"
    )
    assert list(tmp_path.glob("iou*")) == []


def test_pictures_of_different_sizes_are_not_compared():
    """Without `downscale` they are images_8."""
    unsaid, eighth, fourth = (result(settings={"minutes": 1.0, "downscale": factor}) for factor in (None, 8, 4))
    check_comparable([unsaid, eighth])
    for other in (unsaid, eighth):
        with pytest.raises(ValueError, match="disagree on downscale: 8 and 4"):
            check_comparable([other, fourth])


def test_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="sinenerf sweep"):
        read_results(tmp_path)


def test_titles_tell_jobs_apart_and_name_no_rank_of_a_dense_network():
    settings = {"layer": "dense", "width": 64, "rank": 32, "bits": 6}
    jobs = [Job("photographs", "fern", "thin dense", "nerf", settings | {"learning_rate": r}) for r in (4e-3, 8e-3)]
    assert len({job.title for job in jobs}) == 2
    assert jobs[0].title == f"fern, thin dense width=64 bits=6 ({jobs[0].key})"
    assert jobs[0].name == f"thin-dense-width64-bits6-{jobs[0].key}"


def test_titles_show_the_seeds_of_repeated_jobs():
    jobs = [Job("shapes", "dragon", "sine", "occupancy", {"bytes": 1000, "seed": seed}) for seed in (0, 1, 2)]
    assert [job.title for job in jobs] == [
        f"dragon, sine bytes=1000 ({jobs[0].key})",
        f"dragon, sine bytes=1000 seed=1 ({jobs[1].key})",
        f"dragon, sine bytes=1000 seed=2 ({jobs[2].key})",
    ]
    assert jobs[2].name == f"sine-bytes1000-seed2-{jobs[2].key}"
