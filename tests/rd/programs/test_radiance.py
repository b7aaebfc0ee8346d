"""Sweeps over photographs: our presets and nerfstudio's own methods, killed and resumed."""

import json
import shutil

import pytest
import torch
from PIL import Image
from support.capture_changes import edit_table, picture, resave
from support.commands import call_sinenerf, run_sinenerf
from support.kill_loop import saving_often, stop_when
from support.sweep_results import with_methods

import sinenerf
from sinenerf.datasets.synthetic_capture import generate_scene
from sinenerf.photographs.reading import read_photographs
from sinenerf.plugin.budgeted_training import TimedTraining
from sinenerf.plugin.dataparser import SineDataParserConfig
from sinenerf.rd.plan import read_plan
from sinenerf.rd.programs.radiance import fingerprint, parser_settings, scene_files
from sinenerf.rd.programs.registry import PROGRAMS
from sinenerf.rd.results import read_results
from sinenerf.rd.sweep import run_job

PLAN = """
dataset = "photographs"
scenes = ["scene"]

[settings]
steps = 12
downscale = 1

[[methods]]
name = "sine"
settings = { layer = "sine", rank = 2, width = 16, coarse_samples = 8, fine_samples = 4, bits = 12 }

[[methods]]
name = "thin dense"
settings = { layer = "dense", width = 12, coarse_samples = 8, fine_samples = 4, bits = 12 }

[[methods]]
name = "vanilla-nerf"
program = "nerfstudio"

[methods.settings]
method = "vanilla-nerf"
bits = 8
stride = 6

[methods.settings.options]
"pipeline.datamanager.train_num_rays_per_batch" = 4
"pipeline.model.num_coarse_samples" = 8
"pipeline.model.num_importance_samples" = 8

[[methods]]
name = "nerfacto"
program = "nerfstudio"

[methods.settings]
method = "nerfacto"
stride = 3

[methods.settings.options]
"pipeline.datamanager.train_num_rays_per_batch" = 16
"pipeline.model.implementation" = "torch"
"pipeline.model.log2_hashmap_size" = 10
"""


def sweep(*arguments, **options):
    return run_sinenerf("sweep", *arguments, **options)


@pytest.mark.slow
def test_our_presets_and_nerfstudios_methods_are_swept(scene, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    run = sweep(path, "--data", scene.parent, "--output", tmp_path / "results")
    assert run.returncode == 0 and "4 run, 0 already had results, 0 failed" in run.stdout, run.stdout + run.stderr
    assert "Warning" not in run.stderr and "Exception" not in run.stderr
    results = {made.method: made for made in read_results(tmp_path / "results")[0]}
    for made in results.values():
        artefact = made.source.with_suffix(".sine" if made.program == "nerf" else ".weights")
        assert artefact.stat().st_size == made.size
        assert made.quality["psnr"] > 3 and made.source.with_suffix(".jpg").is_file()
        assert [look["step"] for look in made.history] == sorted(look["step"] for look in made.history)
        assert len(made.history) >= 3 and made.history[-1]["seconds"] <= made.seconds
        if made.program == "nerf":
            assert 0 < made.quality["ssim"] < 1 and made.size <= 12 * made.parameters / 8
    assert results["vanilla-nerf"].size < 1.01 * results["vanilla-nerf"].parameters
    assert 4 * results["nerfacto"].parameters <= results["nerfacto"].size < 4.1 * results["nerfacto"].parameters
    assert not [p for p in (tmp_path / "results").rglob(".*")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 12", "stepts = 12", "no setting is called 'stepts'"),
        ("width = 16", "width = -1", "width is -1: it must be 2 or more"),
        ("rank = 2", "rank = 17", "rank 17 does not fit"),
        ("rank = 2", 'preset = "sine-nerf-huge"', "no preset is called 'sine-nerf-huge'"),
        ("rank = 2", 'optimizer = "sgd"', "no optimizer is called 'sgd': choose adam or soap"),
        ("steps = 12", "", "give minutes or steps"),
        ("steps = 12", "steps = -1", "steps is -1: it must be positive"),
        ("steps = 12", "steps = 12.0", "steps is 12.0: it must be a whole number"),
        ("rank = 2", "rays = 4e3", "rays is 4000.0: it must be a whole number"),
        ('method = "nerfacto"', 'method = "splatfacto"', "method is 'splatfacto': choose vanilla-nerf"),
        ("bits = 8", "bits = 5", "bits is 5: weights are stored in 8 or 32"),
        ("stride = 3", "stride = 0", "stride is 0"),
        ("pipeline.model.num_coarse_samples", "pipeline.model.number", "no option of vanilla-nerf is called"),
        ('log2_hashmap_size" = 10', 'predict_normals" = false\n[methods.grid]\nbits = [8]', "nerfacto has up to 19,"),
    ],
)
def test_bad_plan_is_refused(tmp_path, old, new, said):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN.replace(old, new))
    with pytest.raises(ValueError, match=said) as refused:
        read_plan(path, tmp_path)
    assert str(refused.value).startswith(f"{path}: ") and "\n" not in str(refused.value)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_choice_is_refused(tmp_path):
    wrong = {
        'sampling = "propsal"': "no sampling is called 'propsal': choose coarse-fine or proposal",
        'density_activation = "relu"': "no density_activation is called 'relu': choose softplus or exp",
        'background_color = "grey"': "no background is called 'grey': choose last_sample or white or black",
        'factored = ["hiden"]': "no entry of factored is called 'hiden': choose input or hidden or head",
        'precision = "float16"': "no precision is called 'float16': choose auto or float32 or bfloat16",
        'layer = "sin"\nfactored = []': "no layer is called 'sin': choose sine or low-rank or dense",
    }
    path = tmp_path / "plan.toml"
    for setting, said in wrong.items():
        plan = with_methods(PLAN, "sine").replace('layer = "sine", ', "")
        path.write_text(plan.replace("steps = 12", f"steps = 12\n{setting}"))
        with pytest.raises(ValueError) as refused:
            read_plan(path, tmp_path)
        assert str(refused.value) == f"{path}: method 'sine': {said}"


@pytest.mark.slow
def test_missing_scene_fails_alone(scene, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(with_methods(PLAN, "sine", "thin dense").replace('["scene"]', '["scene", "absent"]'))
    run = call_sinenerf("sweep", path, "--data", scene.parent, "--output", tmp_path / "results")
    assert run.returncode == 1 and "2 run, 0 already had results, 2 failed" in run.stdout, run.stdout + run.stderr
    assert f"{scene.parent}/absent: no such folder" in run.stdout


@pytest.mark.slow
def test_a_killed_job_resumes_from_its_checkpoint(scene, tmp_path):
    path, output = tmp_path / "plan.toml", tmp_path / "results"
    path.write_text(with_methods(PLAN, "sine").replace("steps = 12", "minutes = 0.05"))
    command = saving_often("sweep", path, "--data", scene.parent, "--output", output, every=0.5)
    stop_when(lambda: any(output.rglob("checkpoint.pt")), command)
    (checkpoint,) = output.rglob("checkpoint.pt")
    before = torch.load(checkpoint, weights_only=True)
    assert before["step"] > 0 and before["seconds"] >= 0.5
    run = sweep(path, "--data", scene.parent, "--output", output)
    assert run.returncode == 0, run.stderr
    (result,) = read_results(output)[0]
    assert result.history[: len(before["history"])] == before["history"] and result.seconds == pytest.approx(3, abs=2)
    assert not checkpoint.parent.exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["sine", "nerfacto"])
def test_a_job_keeps_its_checkpoint_until_its_result_is_written(method, scene, tmp_path, monkeypatch):
    path, output = tmp_path / "plan.toml", tmp_path / "results"
    path.write_text(PLAN)
    job = next(job for job in read_plan(path, scene.parent).jobs if job.method == method)
    monkeypatch.setattr("sinenerf.plugin.budgeted_training.SAVE_EVERY", 0.0)  # else one this short has none
    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.sweep.measured_on", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_job(job, scene, output)
    (kept,) = output.rglob("checkpoint.pt")
    steps = torch.load(kept, weights_only=True)["step"]
    seen = []
    with monkeypatch.context() as patch:
        iterate = TimedTraining._train_step
        patch.setattr(TimedTraining, "_train_step", lambda training: (seen.append(training.step), iterate(training)))
        assert run_job(job, scene, output).history
    assert seen == list(range(steps, 12)) and not kept.parent.exists()


@pytest.mark.slow
def test_a_job_on_other_photographs_starts_anew(scene, tmp_path, monkeypatch):
    path, output = tmp_path / "plan.toml", tmp_path / "results"
    path.write_text(PLAN)
    copy = shutil.copytree(scene, tmp_path / "data" / "scene")
    job = read_plan(path, copy.parent).jobs[0]
    monkeypatch.setattr("sinenerf.plugin.budgeted_training.SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr("sinenerf.rd.sweep.measured_on", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_job(job, copy, output)
    first, second = sorted((copy / "images").iterdir())[1:3]
    first.write_bytes(second.read_bytes())
    steps, iterate = [], TimedTraining._train_step
    monkeypatch.setattr(TimedTraining, "_train_step", lambda training: (steps.append(training.step), iterate(training)))
    run_job(job, copy, output)
    assert steps == list(range(12))


def test_a_fingerprint_is_of_what_is_trained_on_and_of_nothing_else(scene, tmp_path):
    """Any picture or text in the folder was part of it, and photographs and masks behind a link were not."""
    shutil.copytree(scene / "images", tmp_path / "disk")
    capture = tmp_path / "capture"
    capture.mkdir()
    shutil.copy(scene / "poses_bounds.npy", capture)
    (capture / "images").symlink_to(tmp_path / "disk")
    found = [fingerprint(read_photographs(capture))]
    shutil.copytree(scene / "images", capture / "renders")
    (capture / "notes.txt").write_text("no photograph")
    assert fingerprint(read_photographs(capture)) == found[0]
    resave(picture(capture), lambda image: image.rotate(180))
    found.append(fingerprint(read_photographs(capture)))
    edit_table(capture, lambda table: table * ([1] * 15 + [2, 2]))  # the depths
    found.append(fingerprint(read_photographs(capture)))
    (capture / "masks").mkdir()
    for shade in (200, 255):
        Image.new("L", (48, 36), shade).save(capture / "masks/image004.png")
        found.append(fingerprint(read_photographs(capture)))
    assert len(set(found)) == 5


def test_files_that_a_worker_needs(scene, tmp_path):
    program = PROGRAMS["nerf"]
    shutil.copytree(scene / "images", tmp_path / "images")
    shutil.copy(scene / "poses_bounds.npy", tmp_path)
    read = [*sorted((tmp_path / "images").iterdir()), tmp_path / "poses_bounds.npy"]
    (tmp_path / "images.zip").write_bytes(b"")  # no folder
    (tmp_path / "images" / "notes.md").write_text("no photograph")
    for downscale in (None, 1):
        assert program.files(tmp_path, {"downscale": downscale}) == read
    shutil.copytree(tmp_path / "images", tmp_path / "images_8")
    smaller = [tmp_path / "images_8" / path.name for path in read[:-1]]
    assert program.files(tmp_path, {"downscale": None}) == [tmp_path / "poses_bounds.npy", *smaller]


def test_cameras_and_masks_of_captures_of_every_kind_are_among_the_files(tmp_path):
    for name in ("transforms.json", "sparse/0/cameras.bin", "images/a.PNG", "masks/a.png", "database.db"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    read = ["images/a.PNG", "masks/a.png", "sparse/0/cameras.bin", "transforms.json"]
    assert [path.relative_to(tmp_path).as_posix() for path in scene_files(tmp_path, None)] == read
    (tmp_path / "poses_bounds.npy").write_bytes(b"1")
    assert {tmp_path / "poses_bounds.npy", tmp_path / "masks/a.png"} <= set(scene_files(tmp_path, None))


def test_files_behind_links_are_sent(tmp_path):
    """Workers got no photographs of such a capture. Links that lead back are not followed for ever."""
    for folder in ("disk/left", "capture"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("capture/transforms.json", "disk/left/a.png", "disk/.b.png"):
        (tmp_path / name).touch()
    (tmp_path / "capture/images").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/back").symlink_to(tmp_path / "capture")
    found = [path.relative_to(tmp_path / "capture").as_posix() for path in scene_files(tmp_path / "capture", None)]
    assert found == ["images/left/a.png", "transforms.json"]
    assert scene_files(tmp_path / "capture/transforms.json", None) == []


def test_photographs_are_trained_on_at_an_eighth_unless_a_plan_says_otherwise(tmp_path):
    """As results record it; images of a missing size are made."""
    scene = generate_scene(tmp_path / "scene", views=3, width=64, height=48)
    for downscale, width in ((None, 8), (2, 32)):
        parser = SineDataParserConfig(data=scene, **parser_settings(downscale)).setup()
        assert int(parser.get_dataparser_outputs().cameras.width[0]) == width


def test_file_of_a_sweep_opens(scene, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(with_methods(PLAN, "sine"))
    read = read_plan(path, scene.parent)
    artefact = tmp_path / "a.sine"
    made = PROGRAMS["nerf"].run(scene, json.loads(json.dumps(read.jobs[0].settings)), artefact)
    assert (
        made.bytes["total"] == artefact.stat().st_size and sinenerf.load(artefact).parameters_count == made.parameters
    )
