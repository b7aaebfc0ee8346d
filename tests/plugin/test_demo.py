"""The checks and the report of the demo; tests/cli runs all of it."""

import json
from types import SimpleNamespace

import pytest
from support.commands import call_sinenerf

pytest.importorskip("nerfstudio", reason="needs nerfstudio")

from sinenerf.plugin import demo


@pytest.mark.parametrize("option", ["frames", "minutes", "steps"])
@pytest.mark.parametrize("value", [0, -1])
def test_settings_that_are_not_positive_are_refused_before_training(option, value, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "make_trainer", lambda *arguments: pytest.fail("it began"))
    refused = call_sinenerf("demo", "--scene", tmp_path, "--output", tmp_path / "demo", f"--{option}", value)
    assert refused.returncode == 1 and refused.stderr.startswith(f"sinenerf: {option} is {value}"), refused.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize(("steps", "planned", "made"), [(40, [], 40), (30, [], 40), (60, [35], 40), (60, [50], 50)])
def test_a_resumed_demo_reports_the_steps_that_were_made(steps, planned, made, tmp_path, monkeypatch, capsys):
    """Killed at step 40. The speed is not measured where no training is left."""
    stand_ins = {
        "make_trainer": lambda *arguments: SimpleNamespace(
            _start_step=40, device="cpu", pipeline=SimpleNamespace(model=SimpleNamespace(eval=lambda: None))
        ),
        "plan_steps": lambda *arguments: planned.pop(),
        "train": lambda trainer, steps, console: 0.0,
        "score_model": lambda *arguments: {"psnr": 20.0, "ssim": 0.5, "parameters": 10},
        "capture_of_run": lambda pipeline: SimpleNamespace(spiral=lambda frames: []),
        "nerfstudio_cameras": lambda views: views,
        "render_film": lambda *arguments: None,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(demo, name, stand_in)
    monkeypatch.setattr(demo, "read_poses_bounds", lambda path: None)
    scene = tmp_path / "scene"
    demo.run_demo(scene, tmp_path / "demo", steps, 1.0, 2)
    result = json.loads((tmp_path / "demo" / "scene" / "result.json").read_text())
    assert (result["steps"], result["from_step"]) == (made, 40) and not planned
    assert f"0 s from step 40 on, {made} steps" in capsys.readouterr().out  # seconds of this part alone


def test_another_scene_of_the_same_name_replaces_nothing(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "make_trainer", lambda *arguments: pytest.fail("it began"))
    target = tmp_path / "demo" / scene.name
    model = target / demo.METHOD / "run" / "step-000000100.ckpt"
    model.parent.mkdir(parents=True)
    for path in (model, target / "result.json"):
        path.write_text("{}")
    (target / "scene.txt").write_text("/elsewhere/fern")
    for other, message in (
        (scene, "holds the demo of /elsewhere/fern"),
        (tmp_path / "gone" / scene.name, "no such file"),
    ):
        refused = call_sinenerf("demo", "--scene", other, "--output", tmp_path / "demo")
        assert refused.returncode == 1 and message in refused.stderr, refused.stderr
        assert model.exists() and (target / "result.json").exists()
