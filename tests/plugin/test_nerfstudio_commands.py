"""nerfstudio's own commands on this package's methods: each as a user types it, on the CPU and a tiny scene."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pytest
import trimesh
from PIL import Image
from support.commands import BIN, ENVIRONMENT, call_command, open3d_or_skip, run_command
from support.kill_loop import stop_when
from support.tiny_runs import train_command

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
pytestmark = pytest.mark.slow


def ffmpeg_or_skip():
    """Skip a test where ffmpeg, which ns-render writes films with, is missing."""
    if shutil.which("ffmpeg", path=ENVIRONMENT["PATH"]) is None:
        pytest.skip("needs ffmpeg: apt-get install ffmpeg, or make setup")


def test_ns_train_lists_the_methods_their_options_and_the_data_parser(monkeypatch):
    monkeypatch.setenv("COLUMNS", ENVIRONMENT["COLUMNS"])
    methods = call_command("ns-train", "--help")
    assert "sine-nerf" in methods and "sine-nerf-small" in methods
    options = call_command("ns-train", "sine-nerf-small", "--help")
    for option in ("--pipeline.model.layer {sine,low-rank,dense}", "--pipeline.model.rank", "--pipeline.model.omega"):
        assert option in options
    assert "sine-data" in options


@pytest.mark.parametrize("layer", ["low-rank", "dense"])
def test_the_papers_network_trains_with_other_layers(scene, tmp_path, layer):
    call_command(*train_command(scene, tmp_path, f"--pipeline.model.layer={layer}", method="sine-nerf", steps=3))
    assert list(tmp_path.rglob("step-000000002.ckpt"))


def test_ns_eval_scores_a_run(trained, tmp_path):
    run_command(
        "ns-eval",
        f"--load-config={trained}",
        f"--output-path={tmp_path}/metrics.json",
        f"--render-output-path={tmp_path}",
    )
    results = json.loads((tmp_path / "metrics.json").read_text())["results"]
    assert 8 < results["psnr"] < 40 and 0 < results["ssim"] < 1


def test_a_run_resumes_from_its_checkpoint(trained, scene, tmp_path):
    options = [f"--load-dir={trained.parent}/nerfstudio_models"]
    output = call_command(*train_command(scene, tmp_path, *options, steps=5))
    assert "Done loading Nerfstudio checkpoint" in output
    assert list(tmp_path.rglob("step-000000154.ckpt"))


def test_resuming_with_other_settings_is_refused(trained, scene):
    """The checkpoint's parameters would mean something else under them. The refusal leaves the run unchanged."""
    before, folder = trained.read_bytes(), trained.parents[3]
    options = [f"--load-dir={trained.parent}/nerfstudio_models", "--pipeline.model.omega=50"]
    output = call_command(*train_command(scene, folder, *options, steps=5), ok=False)
    assert "is of a run with another omega, which is 3 in that run." in output
    assert trained.read_bytes() == before
    assert [path.name for path in trained.parent.glob("*/step-*")] == ["step-000000149.ckpt"]


def test_a_broken_scene_stops_before_training_with_one_line(scene, tmp_path):
    broken = shutil.copytree(scene, tmp_path / "broken")
    table = np.load(broken / "poses_bounds.npy")
    table[3, 0] = np.nan
    np.save(broken / "poses_bounds.npy", table)
    output = call_command(*train_command(broken, tmp_path / "runs"), ok=False)
    assert output.strip().splitlines()[-1].startswith(f"sinenerf: {broken}/poses_bounds.npy: view 3: has NaN")
    assert "Traceback" not in output
    assert not list((tmp_path / "runs").rglob("config.yml"))


def test_kill_during_a_save_leaves_a_run_that_resumes(scene, tmp_path):
    """Checkpoints are written at every step. Wherever kill -9 strikes, the run that is left resumes."""
    command = train_command(scene, tmp_path, "--steps-per-save=1", steps=100_000)
    command[0] = str(BIN / command[0])
    stop_when(lambda: any(tmp_path.rglob("step-*.ckpt")), command, delay=1)
    (folder,) = tmp_path.rglob("nerfstudio_models")
    (folder.parent / ".step-000000999.ckpt.partial").write_bytes(b"what a kill in the middle of a write leaves")
    (folder / "step-000099999.ckpt").write_bytes(b"a broken checkpoint of another tool")
    output = call_command(*train_command(scene, tmp_path / "resumed", f"--load-dir={folder}", steps=2))
    assert "step-000099999.ckpt is skipped" in output and "Done loading Nerfstudio checkpoint" in output


def test_ns_render_films_a_path_between_the_views(trained, tmp_path):
    ffmpeg_or_skip()
    film = tmp_path / "film.mp4"
    run_command(
        "ns-render", "interpolate", f"--load-config={trained}", f"--output-path={film}", "--interpolation-steps=2"
    )
    assert film.stat().st_size > 1000


def test_ns_render_writes_every_output_of_the_test_views(trained, tmp_path):
    call_command(
        "ns-render",
        "dataset",
        f"--load-config={trained}",
        f"--output-path={tmp_path}",
        "--split=test",
        "--rendered-output-names",
        "rgb",
        "depth",
        "normals",
        "accumulation",
    )
    for name in ("rgb", "depth", "normals", "accumulation"):
        pictures = sorted((tmp_path / "test" / name).iterdir())
        assert len(pictures) == 2
        with Image.open(pictures[0]) as image:
            assert image.size == (48, 36)


def test_ns_render_films_a_camera_path(trained, tmp_path, monkeypatch):
    ffmpeg_or_skip()
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    frame = {"camera_to_world": np.eye(4).ravel().tolist(), "fov": 50, "aspect": 1.5}
    path = {"camera_path": [frame, frame], "render_height": 24, "render_width": 36, "fps": 2, "seconds": 1}
    (tmp_path / "path.json").write_text(json.dumps({**path, "camera_type": "perspective"}))
    film = tmp_path / "film.mp4"
    call_command(
        "ns-render",
        "camera-path",
        f"--load-config={trained}",
        f"--camera-path-filename={tmp_path}/path.json",
        f"--output-path={film}",
    )
    assert film.stat().st_size > 500


@pytest.mark.parametrize("kind", ["pointcloud", "poisson", "tsdf"])
def test_ns_export_writes_points_and_meshes(trained, tmp_path, kind):
    open3d_or_skip()
    options = {
        "pointcloud": ["--num-points=2000", "--num-rays-per-batch=2048"],
        "poisson": ["--num-points=2000", "--num-rays-per-batch=2048", "--texture-method=point_cloud"],
        "tsdf": [
            "--resolution=48",
            "--downscale-factor=1",
            "--num-pixels-per-side=128",
            "--bounding-box-min=-4 -4 -10",
            "--bounding-box-max=4 4 0",
        ],
    }[kind]
    options = [word for option in options for word in words_of(option)]
    command = run_command if kind == "pointcloud" else call_command
    command("ns-export", kind, f"--load-config={trained}", f"--output-dir={tmp_path}", *options)
    name = {"pointcloud": "point_cloud.ply", "poisson": "poisson_mesh.ply", "tsdf": "tsdf_mesh.ply"}[kind]
    assert len(trimesh.load(tmp_path / name).vertices) > 100


def words_of(option):
    """The words of a command line for an option, of which several values are words of their own."""
    name, _, values = option.partition("=")
    return [name, *values.split()] if " " in values else [option]


def test_ns_viewer_serves_its_page_and_keeps_running(trained):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [BIN / "ns-viewer", f"--load-config={trained}", f"--viewer.websocket-port={port}"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as viewer:
        try:
            page = page_at(f"http://127.0.0.1:{port}", viewer)
            time.sleep(0.5)
            assert viewer.poll() is None
        finally:
            viewer.kill()
    assert b"<html" in page.lower()


def page_at(address, process, seconds=120):
    """The page at an address, as soon as the process serves it."""
    for _ in range(10 * seconds):
        assert process.poll() is None, process.stdout.read().decode()[-3000:]
        try:
            return urllib.request.urlopen(address, timeout=2).read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} did not answer")
