"""Sweeps on a real Ray cluster: two nodes on loopback, one of which is killed in the middle of its job."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
import trimesh

from sinenerf.rd.plan import read_plan
from sinenerf.rd.results import read_results
from sinenerf.rd.sweep import run_sweep

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'sinenerf[ray]'")

PLAN = """
dataset = "shapes"
scenes = ["ball", "absent"]

[settings]
steps = 60
batch = 256
pool = 2000

[evaluation]
points = 20000
resolution = 32

[[methods]]
name = "sine"
settings = { layer = "sine", width = 16, bits = 16 }
grid = { rank = [1, 2] }

[[methods]]
name = "draco"
program = "draco"
grid = { faces = [100], bits = [8] }
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes of one processor each, with nobody but this test's processes in it."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray writes a token into the home folder
        patch.setenv("RAY_TMPDIR", str(tmp_path_factory.mktemp("ray", numbered=True)))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.second = cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "meshes"
    folder.mkdir()
    trimesh.creation.icosphere(subdivisions=3).export(folder / "ball.ply")
    return folder


def command(plan, data, output, address):
    arguments = ["sweep", plan, "--data", data, "--output", output, "--ray", address]
    return [sys.executable, "-m", "sinenerf", *map(str, arguments)]


def processes_of(node):
    """The process of a node that starts its workers, and these."""
    raylet = psutil.Process(next(info.process.pid for info in node.all_processes["raylet"]))
    return [raylet, *raylet.children(recursive=True)]


def wait_for_job(nodes):
    """Until one of the nodes runs a job; the processes of the first that does."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for node in nodes:
            processes = processes_of(node)
            if any("ray::ball" in " ".join(process.cmdline()) for process in processes[1:]):
                return processes
        time.sleep(0.2)
    raise AssertionError("no job was started")


def start(*arguments):
    return subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_cluster_makes_what_one_machine_makes(cluster, data, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    run = subprocess.run(
        command(plan, data, tmp_path / "far", cluster.address), capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 1, run.stderr
    lines = []
    report = run_sweep(read_plan(plan, data), tmp_path / "near", lines.append)
    assert report.done == 3 and len(report.failed) == 3
    assert "3 done, 0 were there, 3 failed" in run.stdout
    for job, reason in report.failed:  # the same words, though the worker looked elsewhere
        assert f"{job.method}" in run.stdout and reason == f"{data}/absent.ply: no such file"
    assert [line for line in run.stdout.splitlines() if line.startswith("failed: ")] == [
        f"failed: {line.removeprefix('sinenerf: ').replace(' failed:', ':', 1)}" for line in lines if "failed" in line
    ]
    far, near = ({r.source.name: r for r in read_results(tmp_path / place)[0]} for place in ("far", "near"))
    assert set(far) == set(near)
    for name, result in far.items():
        assert result.quality == pytest.approx(near[name].quality, abs=0.02) and result.bytes == near[name].bytes
        artefact = result.source.with_suffix(".sine" if result.program == "field" else ".drc")
        assert artefact.stat().st_size == result.size
    assert not [p for p in (tmp_path / "far").rglob(".*")]


def test_ctrl_c_ends_the_sweep_and_its_jobs(cluster, data, tmp_path):
    plan, output = tmp_path / "plan.toml", tmp_path / "results"
    plan.write_text(PLAN.replace(', "absent"', "").replace("steps = 60", "minutes = 5.0"))
    with start(plan, data, output, cluster.address) as run:
        workers = wait_for_job([cluster.head_node, cluster.second])[1:]
        os.kill(run.pid, signal.SIGINT)
        said, errors = run.communicate(timeout=60)
    assert run.returncode == 130 and "0 done" in said and "Traceback" not in errors, said + errors
    deadline = time.monotonic() + 30
    while any("ray::ball" in " ".join(w.cmdline()) for w in workers if w.is_running()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any("ray::ball" in " ".join(w.cmdline()) for w in workers if w.is_running())


def test_job_of_a_dead_worker_runs_elsewhere(cluster, data, tmp_path):
    plan, output = tmp_path / "plan.toml", tmp_path / "results"
    plan.write_text(PLAN.replace(', "absent"', "").replace("steps = 60", "minutes = 0.1"))
    with start(plan, data, output, cluster.address) as run:
        doomed = wait_for_job([cluster.second])
        cluster.remove_node(cluster.second, allow_graceful=False)
        for process in doomed[1:]:
            if process.is_running():
                process.kill()
        said, errors = run.communicate(timeout=200)
    assert run.returncode == 0 and "3 done, 0 were there, 0 failed" in said, said + errors
    assert len(list(output.glob("shapes/ball/*.json"))) == 3 and len(read_results(output)[0]) == 3


def test_nobody_at_the_address_is_said_within_seconds(data, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        for address, said in (
            (nobody, "nobody answers there"),
            ("nowhere.invalid:6379", "nobody answers there"),
            ("somewhere", "is no HOST:PORT"),
        ):
            begin = time.monotonic()
            run = subprocess.run(
                command(plan, data, tmp_path / "results", address), capture_output=True, text=True, check=False
            )
            assert run.returncode == 1 and run.stderr.count("\n") == 1, run.stderr
            assert run.stderr.startswith(f"sinenerf: --ray {address}: ") and said in run.stderr
            assert time.monotonic() - begin < 40
    assert not (tmp_path / "results").exists()


def test_default_needs_no_ray(data, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.replace("steps = 60", "steps = 5"))
    code = "import sys; sys.modules['ray'] = None; from sinenerf.cli import main; sys.argv[0] = 'sinenerf'; main()"
    arguments = command(plan, data, tmp_path / "results", "local")[3:]
    without = subprocess.run([sys.executable, "-c", code, *arguments[:-2]], capture_output=True, text=True, check=False)
    assert "3 done, 0 were there, 3 failed" in without.stdout, without.stderr
    refused = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and refused.stderr == "sinenerf: --ray needs Ray: pip install 'sinenerf[ray]'\n"
