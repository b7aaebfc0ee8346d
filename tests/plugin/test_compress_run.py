"""Runs compressed to .sine files, and what the real commands do with the files."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from support.commands import call_command, call_sinenerf
from support.kill_loop import kill_and_run_again, saving_often

import sinenerf
from sinenerf.radiance.camera_files import read_cameras
from sinenerf.radiance.split import Split, checksum_of

TRAIN = """
ns-train sine-nerf-small --vis tensorboard --max-num-iterations 40 --steps-per-eval-image 0 --steps-per-eval-batch 0
--steps-per-eval-all-images 0 --steps-per-save 20 --save-only-latest-checkpoint False
--timestamp run --viewer.quit-on-train-completion True
--pipeline.model.width 24 --pipeline.model.rank 3 --pipeline.model.coarse-samples 8 --pipeline.model.fine-samples 6
--pipeline.model.bits 10 --pipeline.datamanager.train-num-rays-per-batch 64 --output-dir {output}
sine-data --data {scene} --downscale-factor 1
"""


@pytest.fixture(scope="module")
def run(scene, tmp_path_factory):
    """A run that was trained with quantisation."""
    output = tmp_path_factory.mktemp("runs")
    call_command(*TRAIN.format(output=output, scene=scene).split())
    return next(output.rglob("config.yml")).parent


@pytest.mark.slow
def test_the_file_of_a_run_renders_the_same(run, scene, tmp_path):
    from sinenerf.plugin.runs import field_of, open_run
    from sinenerf.plugin.scoring import model_renderer, score_held_out
    from sinenerf.radiance.evaluate import mean_metrics

    path = run / "scene.sine"
    described = json.loads(call_sinenerf("info", path, "--json").stdout)
    assert described["kind"] == "radiance field" and described["bits_per_parameter"] <= 10
    field, pipeline = sinenerf.load(path), open_run(run)
    assert pipeline.model.quantiser.active
    assert field_of(pipeline).to_bytes() == path.read_bytes()  # rounding a run to the budget is deterministic
    assert field.capture.split == Split("every", 8, checksum_of(pipeline.datamanager.eval_dataset.image_filenames))
    field.precision = pipeline.model.field.precision = "float32"
    views = read_cameras(scene / "poses_bounds.npy", field.capture)
    trained = [i for i in range(len(views)) if i % 8]
    for index, wanted in enumerate(trained[:2]):
        camera = pipeline.datamanager.train_dataset.cameras[index : index + 1]
        with torch.no_grad():
            truth = pipeline.model.get_outputs_for_camera(camera)
        shown = field.render(views[wanted], normals=True)
        torch.testing.assert_close(shown["rgb"], truth["rgb"], atol=2e-3, rtol=0)
        torch.testing.assert_close(shown["accumulation"], truth["accumulation"], atol=2e-3, rtol=0)
    assert set(field.coded) == {name for name, _ in field.named_parameters()}

    scored = call_sinenerf("eval", path, scene, "--json", "--picture", tmp_path / "held_out.png")
    result = json.loads(scored.stdout)
    assert result["bytes"] == path.stat().st_size and result["views"] == 2, scored.stderr
    wanted = mean_metrics([score.metrics for score in score_held_out(pipeline, model_renderer(pipeline))])
    assert result["psnr"] == pytest.approx(wanted["psnr"], abs=0.05)
    assert result["ssim"] == pytest.approx(wanted["ssim"], abs=0.01)

    made = call_sinenerf("render", path, "--output", tmp_path / "views", "--cameras", scene / "poses_bounds.npy")
    assert made.returncode == 0 and len(list((tmp_path / "views").glob("*.png"))) == 9, made.stderr
    for what in ("depth", "normals"):
        film = call_sinenerf("render", path, "--output", tmp_path / f"{what}.mp4", "--frames", 3, "--what", what)
        assert film.returncode == 0 and (tmp_path / f"{what}.mp4").stat().st_size > 500, film.stderr


@pytest.mark.slow
def test_a_run_is_compressed_within_a_budget(run, tmp_path):
    path = tmp_path / "small.sine"
    made = call_sinenerf("compress", run, "--output", path, "--bytes", 4500, "--steps", 20)
    assert made.returncode == 0 and path.stat().st_size <= 4500, made.stderr
    exact = call_sinenerf("compress", run, "--output", tmp_path / "exact.sine", "--bits", 32)
    assert exact.returncode == 0, exact.stderr
    field = sinenerf.load(tmp_path / "exact.sine")
    assert not field.coded and (tmp_path / "exact.sine").stat().st_size > 4 * field.parameters_count
    same = call_sinenerf("compress", run, "--output", tmp_path / "same.sine")
    assert same.returncode == 0 and (tmp_path / "same.sine").read_bytes() == (run / "scene.sine").read_bytes()


@pytest.mark.slow
def test_a_run_that_stopped_before_rounding_keeps_its_bits(run, tmp_path):
    """Not the default of 8."""
    stopped = shutil.copytree(run, tmp_path / "stopped")
    last = max((stopped / "nerfstudio_models").iterdir())
    last.unlink()
    path = tmp_path / "scene.sine"
    made = call_sinenerf("compress", stopped, "--output", path, "--steps", 20)
    assert made.returncode == 0, made.stderr
    assert 9 < json.loads(call_sinenerf("info", path, "--json").stdout)["bits_per_parameter"] <= 10


@pytest.mark.slow
def test_killed_compression_resumes(run, tmp_path):
    options = ["--output", tmp_path / "small.sine", "--bytes", 4500, "--minutes", 0.05]
    line = saving_often("compress", run, *options, every=0.2)
    kill_and_run_again(line, tmp_path / ".small.sine.checkpoint")
    assert [p.name for p in tmp_path.iterdir()] == ["small.sine"]
    assert (tmp_path / "small.sine").stat().st_size <= 4500


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, b"what took an hour"])
def test_interrupted_compression_resumes(before, run, tmp_path, monkeypatch):
    """An existing file is kept until the new one is finished."""
    from sinenerf.plugin.compress_run import FineTuning, compress_run

    steps, train_step = [], FineTuning._train_step

    def ctrl_c_at_seven(self):
        steps.append(self.step)
        if steps == list(range(8)):
            os.kill(os.getpid(), signal.SIGINT)
        train_step(self)

    monkeypatch.setattr(FineTuning, "_train_step", ctrl_c_at_seven)
    path = tmp_path / "small.sine"
    if before is not None:
        path.write_bytes(before)
    stopped = call_sinenerf("compress", run, "--output", path, "--bytes", 4500, "--steps", 12)
    assert (stopped.returncode, stopped.stdout) == (130, "")  # nothing that looks like a result
    assert ("is unchanged" if before else "holds the field in its current state") in stopped.stderr
    assert "run the same command to resume" in stopped.stderr
    assert (path.read_bytes() == before) if before else sinenerf.load(path)
    assert compress_run(run, path, bytes=4500, steps=12).complete and steps == list(range(12))
    assert [p.name for p in tmp_path.iterdir()] == ["small.sine"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--steps", 0), "steps is 0: it must be positive"),
        (("--steps", -5), "steps is -5: it must be positive"),
        (("--minutes", 0), "minutes is 0.0: it must be positive"),
        (("--minutes", -1), "minutes is -1.0: it must be positive"),
        (("--minutes", 1, "--steps", 5), "minutes or steps, not both"),
        (("--bits", 8, "--bytes", 5000), "bits or bytes, not both"),
        (("--mesh", "shape.ply"), "is a run, for which --mesh does nothing"),
        (("--thickness", "2%"), "is a run, for which --thickness does nothing"),
    ],
)
def test_a_budget_is_checked_before_a_run_is_opened(options, message, tmp_path, monkeypatch):
    monkeypatch.setattr("sinenerf.plugin.compress_run.open_run", lambda run: pytest.fail("it was opened"))
    refused = call_sinenerf("compress", tmp_path, "--output", tmp_path / "x.sine", *options)
    assert refused.returncode == 1 and message in refused.stderr and refused.stderr.count("\n") == 1, refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compress", "{run}", "--output", "{tmp}/x.sine", "--bytes", "300"), "300 bytes: too few for"),
        (("compress", "{tmp}", "--output", "{tmp}/x.sine"), "not a run"),
        (
            ("compress", "{run}", "--output", "{tmp}/x.sine", "--bits", "32", "--steps", "9"),
            "leave --minutes and --steps",
        ),
        (
            ("render", "{run}/scene.sine", "--output", "{tmp}/x", "--cameras", "{tmp}", "--frames", "9"),
            "leave one of them",
        ),
        (("mesh", "{run}", "--output", "{tmp}/x.ply", "--largest-component", "--min-faces", "9"), "not both"),
        (("compress", "{run}", "--output", "{tmp}/no/x.sine"), "the folder"),
        (("render", "{run}/scene.sine", "--output", "{tmp}/x.mp4", "--scale", "0"), "must be positive"),
        (("render", "{golden}", "--output", "{tmp}/x.mp4"), "holds a shape, not a radiance field"),
        (("render", "{run}/scene.sine", "--output", "{tmp}/x", "--cameras", "{golden}"), "not a camera file"),
    ],
)
def test_bad_input_is_one_line(run, tmp_path, arguments, message):
    golden = Path(__file__).parents[1] / "golden" / "sine.sine"
    made = call_sinenerf(*(a.format(run=run, tmp=tmp_path, golden=golden) for a in arguments))
    assert made.returncode == 1 and message in made.stderr, made.stderr
    assert made.stderr.count("\n") == 1 and not (tmp_path / "x.sine").exists()


def test_a_scene_meshes(run, tmp_path):
    field = sinenerf.load(run / "scene.sine")
    with torch.no_grad():
        level = float(
            field.density(torch.rand(4000, 3) * 2 - 1).quantile(0.8)
        )  # forty steps do not make the surface opaque
    mesh = field.mesh(32, level=level, min_faces=1)
    assert len(mesh.faces) and mesh.visual.vertex_colors.shape == (len(mesh.vertices), 4)
