"""sinenerf demo trains a scene, scores it and renders a film; after a kill it resumes."""

import json
import subprocess
import sys

import pytest
from PIL import Image
from support.commands import ENVIRONMENT, call_command
from support.kill_loop import stop_when

pytest.importorskip("nerfstudio", reason="needs nerfstudio")
pytestmark = pytest.mark.slow


def test_the_demo_trains_scores_and_films_a_scene(scene, tmp_path):
    output = call_command(
        "sinenerf", "demo", "--scene", scene, "--steps", 40, "--frames", 4, "--output", tmp_path / "demo"
    )
    target = tmp_path / "demo" / scene.name
    result = json.loads((target / "result.json").read_text())
    assert result["steps"] == 40 and result["held_out_views"] == 2 and result["psnr"] > 8
    assert "held-out PSNR" in output and f"{result['parameters']:,}" in output
    with Image.open(target / "truth_and_prediction.png") as picture:
        assert picture.size == (3 * 48, 2 * 36)
    assert (target / "flythrough.mp4").stat().st_size > 1000


def test_a_killed_demo_resumes_from_its_last_checkpoint(scene, tmp_path):
    frequent_saves = "from sinenerf.plugin.methods import sine_nerf_small as s; s.config.steps_per_save = 50; "
    command = [sys.executable, "-c", frequent_saves + "from sinenerf.cli import main; main()", "demo"]
    command += ["--scene", str(scene), "--steps", "2000", "--frames", "2", "--output", str(tmp_path)]
    folder = tmp_path / scene.name / "sine-nerf-small" / "run" / "nerfstudio_models"
    stop_when(lambda: any(folder.glob("step-*.ckpt")), command)
    assert not (tmp_path / scene.name / "result.json").exists()
    last = max(int(path.stem.removeprefix("step-")) for path in folder.glob("step-*.ckpt"))
    command[command.index("2000")] = str(last + 20)
    resumed = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert resumed.returncode == 0 and f"from step {last + 1}" in resumed.stdout, resumed.stderr
    assert (tmp_path / scene.name / "result.json").exists()
