"""End to end: every command that the README lists, as a user types it, on the CPU and a tiny scene."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import trimesh
from PIL import Image
from support.commands import BIN, ENVIRONMENT, call_command, call_sinenerf, open3d_or_skip, run_command
from support.kill_loop import stop_when
from support.tiny_runs import train_command

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(scene, tmp_path_factory):
    """The config.yml of a small trained run."""
    folder = tmp_path_factory.mktemp("runs")
    run_command(*train_command(scene, folder))
    return next(folder.rglob("config.yml"))


def ffmpeg_or_skip():
    if shutil.which("ffmpeg", path=ENVIRONMENT["PATH"]) is None:
        pytest.skip("needs ffmpeg: apt-get install ffmpeg, or make setup")


def test_methods_and_parser_are_listed(monkeypatch):
    monkeypatch.setenv("COLUMNS", ENVIRONMENT["COLUMNS"])
    methods = call_command("ns-train", "--help")
    assert "sine-nerf" in methods and "sine-nerf-small" in methods
    options = call_command("ns-train", "sine-nerf-small", "--help")
    for option in ("--pipeline.model.layer {sine,low-rank,dense}", "--pipeline.model.rank", "--pipeline.model.omega"):
        assert option in options
    assert "llff-data" in options


@pytest.mark.parametrize("layer", ["low-rank", "dense"])
def test_train_paper_network_with_other_layers(scene, tmp_path, layer):
    call_command(*train_command(scene, tmp_path, f"--pipeline.model.layer={layer}", method="sine-nerf", steps=3))
    assert list(tmp_path.rglob("step-000000002.ckpt"))


def test_eval(trained, tmp_path):
    run_command(
        "ns-eval",
        f"--load-config={trained}",
        f"--output-path={tmp_path}/metrics.json",
        f"--render-output-path={tmp_path}",
    )
    results = json.loads((tmp_path / "metrics.json").read_text())["results"]
    assert 8 < results["psnr"] < 40 and 0 < results["ssim"] < 1


def test_resume(trained, scene, tmp_path):
    options = [f"--load-dir={trained.parent}/nerfstudio_models"]
    output = call_command(*train_command(scene, tmp_path, *options, steps=5))
    assert "Done loading Nerfstudio checkpoint" in output
    assert list(tmp_path.rglob("step-000000154.ckpt"))


def test_resume_with_other_settings(trained, scene):
    """What a checkpoint holds would train on as something else, or break in the middle: the run stays as it is."""
    before, folder = trained.read_bytes(), trained.parents[3]
    options = [f"--load-dir={trained.parent}/nerfstudio_models", "--pipeline.model.omega=50"]
    said = call_command(*train_command(scene, folder, *options, steps=5), ok=False)
    assert "is of a run with another omega, which is 3 there." in said
    assert trained.read_bytes() == before
    assert [path.name for path in trained.parent.glob("*/step-*")] == ["step-000000149.ckpt"]


def test_render_interpolate(trained, tmp_path):
    ffmpeg_or_skip()
    film = tmp_path / "film.mp4"
    run_command(
        "ns-render", "interpolate", f"--load-config={trained}", f"--output-path={film}", "--interpolation-steps=2"
    )
    assert film.stat().st_size > 1000


def test_render_dataset(trained, tmp_path):
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


def test_render_camera_path(trained, tmp_path, monkeypatch):
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
def test_export(trained, tmp_path, kind):
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
    options = [word for option in options for word in _words(option)]
    command = run_command if kind == "pointcloud" else call_command
    command("ns-export", kind, f"--load-config={trained}", f"--output-dir={tmp_path}", *options)
    name = {"pointcloud": "point_cloud.ply", "poisson": "poisson_mesh.ply", "tsdf": "tsdf_mesh.ply"}[kind]
    assert len(trimesh.load(tmp_path / name).vertices) > 100


def _words(option):
    name, _, values = option.partition("=")
    return [name, *values.split()] if " " in values else [option]


def test_export_mesh(trained, tmp_path):
    output = tmp_path / "scene.glb"
    said = call_command(
        "sinenerf", "export-mesh", trained.parent, "--output", output, "--resolution", 48, "--min-faces", 1
    )
    (mesh,) = trimesh.load(output).geometry.values()
    assert f"{len(mesh.faces):,} faces" in said
    assert mesh.visual.vertex_attributes["color"][:, :3].std() > 1
    assert (mesh.vertices[:, 2] < 0).all()  # in front of the cameras, y up


def test_export_mesh_says_which_level_to_use(trained, tmp_path):
    command = ["sinenerf", "export-mesh", trained.parent, "--output", tmp_path / "x.ply", "--resolution", 24]
    said = call_command(*command, "--level", 1e9, ok=False)
    line = said.strip().splitlines()[-1]
    assert line.startswith("sinenerf: no surface at level") and "Try --level" in line
    level = line.rsplit(" ", 1)[1]
    call_command(*command, "--level", level, "--min-faces", 1)
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "x.fbx"], "cannot write '.fbx'"),
        (["--output", "x.glb", "--box", "1", "0", "0", "0", "1", "1"], "smaller corner first"),
    ],
)
def test_export_mesh_bad_options(trained, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    refused = call_sinenerf("export-mesh", trained.parent, *arguments)
    assert refused.returncode == 1 and said in refused.stderr
    assert not list(tmp_path.iterdir())


def test_export_mesh_of_no_run(tmp_path):
    refused = call_sinenerf("export-mesh", tmp_path, "--output", tmp_path / "x.glb")
    assert refused.returncode == 1 and refused.stderr.startswith(f"sinenerf: {tmp_path}: no run there")


def test_viewer(trained):
    """The page answers, and the server is alive after a client has asked for it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [BIN / "ns-viewer", f"--load-config={trained}", f"--viewer.websocket-port={port}"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as viewer:
        try:
            page = _wait_for(f"http://127.0.0.1:{port}", viewer)
            time.sleep(2)
            assert viewer.poll() is None
        finally:
            viewer.kill()
    assert b"<html" in page.lower()


def _wait_for(address, process, seconds=120):
    for _ in range(seconds):
        assert process.poll() is None, process.stdout.read().decode()[-3000:]
        try:
            return urllib.request.urlopen(address, timeout=2).read()
        except OSError:
            time.sleep(1)
    raise AssertionError(f"{address} did not answer")


def test_a_broken_scene_stops_before_training_with_one_line(scene, tmp_path):
    broken = shutil.copytree(scene, tmp_path / "broken")
    table = np.load(broken / "poses_bounds.npy")
    table[3, 0] = np.nan
    np.save(broken / "poses_bounds.npy", table)
    said = call_command(*train_command(broken, tmp_path / "runs"), ok=False)
    assert said.strip().splitlines()[-1].startswith(f"sinenerf: {broken}/poses_bounds.npy: view 3: NaN")
    assert "Traceback" not in said
    assert not list((tmp_path / "runs").rglob("config.yml"))


def test_kill_during_a_save_leaves_a_run_that_resumes(scene, tmp_path):
    """Kill -9 again and again while checkpoints are written at every step: what is left always resumes."""
    command = train_command(scene, tmp_path, "--steps-per-save=1", steps=100_000)
    command[0] = str(BIN / command[0])
    for attempt in range(2):
        stop_when(lambda: any(tmp_path.rglob("step-*.ckpt")), command, delay=1 + 0.37 * attempt)
        (folder,) = tmp_path.rglob("nerfstudio_models")
        (folder.parent / ".step-000000999.ckpt.partial").write_bytes(b"what a kill in the middle of a write leaves")
        (folder / "step-000099999.ckpt").write_bytes(b"a broken checkpoint of another tool")
        output = run_command(*train_command(scene, tmp_path / "resumed", f"--load-dir={folder}", steps=2))
        assert "step-000099999.ckpt is passed over" in output and "Done loading Nerfstudio checkpoint" in output
        shutil.rmtree(folder.parent)


def test_demo(scene, tmp_path):
    said = call_command(
        "sinenerf", "demo", "--scene", scene, "--steps", 40, "--frames", 4, "--output", tmp_path / "demo"
    )
    target = tmp_path / "demo" / scene.name
    result = json.loads((target / "result.json").read_text())
    assert result["steps"] == 40 and result["held_out_views"] == 2 and result["psnr"] > 8
    assert "held-out PSNR" in said and f"{result['parameters']:,}" in said
    with Image.open(target / "truth_and_prediction.png") as picture:
        assert picture.size == (3 * 48, 2 * 36)
    assert (target / "flythrough.mp4").stat().st_size > 1000


def test_demo_goes_on_where_it_was_killed(scene, tmp_path):
    often = "from sinenerf.plugin.methods import sine_nerf_small as s; s.config.steps_per_save = 50; "
    command = [sys.executable, "-c", often + "from sinenerf.cli import main; main()", "demo", "--scene", str(scene)]
    command += ["--steps", "2000", "--frames", "2", "--output", str(tmp_path)]
    folder = tmp_path / scene.name / "sine-nerf-small" / "run" / "nerfstudio_models"
    stop_when(lambda: any(folder.glob("step-*.ckpt")), command)
    assert not (tmp_path / scene.name / "result.json").exists()
    kept = max(int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.ckpt"))
    command[command.index("2000")] = str(kept + 20)
    again = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 0 and f"from step {kept + 1}" in again.stdout, again.stderr
    assert (tmp_path / scene.name / "result.json").exists()


def test_help_starts_without_heavy_libraries():
    code = (
        "import sys; sys.argv = ['sinenerf', '--help']\n"
        "from sinenerf.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'nerfstudio', 'open3d', 'trimesh'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("demo", "export-mesh", "make-scene", "download", "doctor"):
        assert command in done.stdout
