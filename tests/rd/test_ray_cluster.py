"""Sweeps on a real Ray cluster: two nodes on loopback, one of which is killed in the middle of its job."""

import os
import signal
import socket
import subprocess
import sys
import time
from tempfile import TemporaryDirectory

import psutil
import pytest
from support.sweep_results import with_methods

from sinenerf.rd.plan import read_plan
from sinenerf.rd.ray_cluster import connect
from sinenerf.rd.results import read_results
from sinenerf.rd.sweep import run_sweep

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'sinenerf[ray]'")

PLAN = """
dataset = "shapes"
scenes = ["box", "absent"]

[settings]
steps = 20
batch = 256
pool = 2000

[evaluation]
points = 20000
resolution = 32

[[methods]]
name = "sine"
settings = { layer = "sine", width = 16, bits = 8 }
grid = { rank = [1, 2] }

[[methods]]
name = "draco"
program = "draco"
grid = { faces = [100], bits = [8] }
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two nodes of one processor each, used by this test alone."""
    from ray.cluster_utils import Cluster

    # a socket's path may have 107 letters, too few for one of pytest's folders
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(ignore_cleanup_errors=True) as short:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray writes a token into the home folder
        patch.setenv("RAY_TMPDIR", short)
        scratch = tmp_path_factory.mktemp("scratch")
        patch.setenv("TMPDIR", str(scratch))
        patch.setenv("OMP_NUM_THREADS", "1")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.second, cluster.scratch = cluster.add_node(num_cpus=1), scratch
        yield cluster
        cluster.shutdown()


def command(plan, data, output, *more):
    arguments = ["sweep", plan, "--data", data, "--output", output, *more]
    return [sys.executable, "-m", "sinenerf", *map(str, arguments)]


def start(plan, data, output, address):
    line = command(plan, data, output, "--ray", address)
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def processes_of(node):
    """The process of a node that starts its workers, and those workers."""
    raylet = psutil.Process(next(info.process.pid for info in node.all_processes["raylet"]))
    return [raylet, *raylet.children(recursive=True)]


def wait_for_job(nodes):
    """Wait until a node runs a job, and return the processes of that node."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for node in nodes:
            processes = processes_of(node)
            if any("ray::box" in " ".join(process.cmdline()) for process in processes[1:]):
                return processes
        time.sleep(0.2)
    raise AssertionError("no job was started")


@pytest.mark.slow
def test_ctrl_c_ends_the_sweep_and_its_jobs(cluster, data, tmp_path):
    plan, output = tmp_path / "plan.toml", tmp_path / "results"
    plan.write_text(PLAN.replace(', "absent"', "").replace("steps = 20", "minutes = 5.0"))
    with start(plan, data, output, cluster.address) as run:
        workers = wait_for_job([cluster.head_node, cluster.second])[1:]
        os.kill(run.pid, signal.SIGINT)
        said, errors = run.communicate(timeout=60)
    assert run.returncode == 130 and "0 run" in said and "Traceback" not in errors, said + errors
    deadline = time.monotonic() + 30
    while any("ray::box" in " ".join(w.cmdline()) for w in workers if w.is_running()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any("ray::box" in " ".join(w.cmdline()) for w in workers if w.is_running())


@pytest.mark.slow
def test_a_cluster_gives_the_results_of_one_machine_even_if_a_worker_dies(cluster, data, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    with start(plan, data, tmp_path / "far", cluster.address) as run:
        doomed = wait_for_job([cluster.second])
        cluster.remove_node(cluster.second, allow_graceful=False)
        for process in doomed[1:]:
            if process.is_running():
                process.kill()
        said, errors = run.communicate(timeout=200)
    report = run_sweep(read_plan(plan, data), tmp_path / "near")
    assert report.done == 3 and len(report.failed) == 3
    assert run.returncode == 1 and "3 run, 0 already had results, 3 failed" in said, said + errors
    for job, reason in report.failed:  # the same words, though the worker looked elsewhere
        assert f"{job.method}" in said and reason == f"{data}/absent.ply: no such file"
    assert [line for line in said.splitlines() if line.startswith("failed: ")] == [
        f"failed: {job.title}: {reason}" for job, reason in report.failed
    ]
    far, near = ({r.source.name: r for r in read_results(tmp_path / place)[0]} for place in ("far", "near"))
    assert set(far) == set(near)
    for name, result in far.items():
        assert result.quality == pytest.approx(near[name].quality, abs=0.02) and result.bytes == near[name].bytes
        artefact = result.source.with_suffix(".sine" if result.program == "field" else ".drc")
        assert artefact.stat().st_size == result.size
    assert not [p for p in (tmp_path / "far").rglob(".*")]
    assert not list(cluster.scratch.glob("sinenerf-sweep-*"))  # neither the dead worker's nor those of Ctrl-C


@pytest.mark.slow
def test_an_unreachable_address_is_reported_within_seconds(data, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
        begin = time.monotonic()
        for address, said in (
            (nobody, "no cluster answers"),
            ("nowhere.invalid:6379", "no cluster answers"),
            ("somewhere", "is not HOST:PORT"),
        ):
            with pytest.raises(ValueError, match=f"--ray {address}: {said}") as refused, connect(address):
                pass
            assert "\n" not in str(refused.value)
        assert time.monotonic() - begin < 20
        line = command(plan, data, tmp_path / "results", "--ray", nobody)
        run = subprocess.run(line, capture_output=True, text=True, check=False)
    assert run.returncode == 1 and run.stderr.startswith(f"sinenerf: --ray {nobody}: ") and run.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_default_needs_no_ray(data, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(with_methods(PLAN, "draco"))
    code = "import sys; sys.modules['ray'] = None; from sinenerf.cli import main; main()"
    line = [sys.executable, "-c", code, *command(plan, data, tmp_path / "results")[3:]]
    without = subprocess.run(line, capture_output=True, text=True, check=False)
    assert "1 run, 0 already had results, 1 failed" in without.stdout, without.stderr
    refused = subprocess.run([*line, "--ray", "local"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and refused.stderr == "sinenerf: --ray needs Ray: pip install 'sinenerf[ray]'\n"
