"""ViT: the paper's parameter counts, and the training script with its real command."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

timm = pytest.importorskip("timm")
from sinenerf import bake, factorize  # noqa: E402

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import run_plan  # noqa: E402
import train_vit  # noqa: E402
from support.classes_of_pictures import save_pictures  # noqa: E402

MILLIONS = {1: 30.0, 20: 31.8, 250: 53.0}


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["sine", "low-rank"])
def test_the_papers_parameter_counts_of_vit_base(layer):
    model = timm.create_model("vit_base_patch16_224", num_classes=1000)
    dense = sum(p.numel() for p in model.parameters())
    for rank, millions in MILLIONS.items():
        reports = []
        made = factorize(model, rank, layer, train_vit.FEED_FORWARD, inplace=False, report=reports.append)
        count = sum(p.numel() for p in made.parameters())
        assert round(count / 1e6, 1) == millions
        assert len(reports[0].rows) == 24 and all(".mlp.fc" in row.name for row in reports[0].rows)
        assert dense - count == 24 * (768 * 3072 - rank * (768 + 3072))
        assert type(made.blocks[0].attn.qkv) is torch.nn.Linear


def test_vit_small():
    model = timm.create_model("vit_small_patch16_224", num_classes=1000).eval()
    images = torch.randn(1, 3, 224, 224)
    factorize(model, 20, include=train_vit.FEED_FORWARD, report=None)
    assert sum(p.numel() for p in model.parameters()) == 22_050_664 - 24 * (384 * 1536 - 20 * (384 + 1536))
    with torch.no_grad():
        before = model(images)
        torch.testing.assert_close(bake(model)(images), before, atol=1e-4, rtol=1e-3)
    fresh = timm.create_model("vit_small_patch16_224", num_classes=1000)
    fresh.load_state_dict(model.state_dict())  # a baked state is timm's own


def run(*arguments, folder):
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "train_vit.py"), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_training_resumes_and_learns(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    options = train_vit.Options(rank=2, epochs=9, rate=3e-3, output=tmp_path / "vit.pt")
    whole_epoch = train_vit.train_epoch

    def interrupted(run, options, data):
        if run.epoch == 8:
            raise KeyboardInterrupt
        return whole_epoch(run, options, data)

    monkeypatch.setattr(train_vit, "train_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_vit.main(options)
    assert (tmp_path / "vit.checkpoint").is_file() and not options.output.exists()
    ended = run("--rank", 2, "--epochs", 9, "--rate", 3e-3, "--output", options.output, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "resumes after epoch 8" in ended.stdout and "epoch 9/9" in ended.stdout
    score = float(ended.stdout.split("test ")[1].split(" %")[0])
    assert score > 40  # chance is 10
    assert not (tmp_path / "vit.checkpoint").exists()
    monkeypatch.undo()
    dense = train_vit.build(train_vit.Options(layer="dense"), 10)
    dense.load_state_dict(torch.load(options.output, weights_only=True))
    data = train_vit.read(options)
    assert 100 * train_vit.accuracy(dense, data.test()) == pytest.approx(score, abs=0.5)
    # its matrices are taken over by a fit: rank 2 of the sine is all there is in them
    fitted = train_vit.Options(layer="sine", rank=16, pretrained=options.output)
    model = train_vit.build(fitted, 10, report=None)
    assert train_vit.accuracy(model, data.test()) > 0.4


@pytest.mark.slow
def test_the_plans_of_the_paper_run(tmp_path, capfd):
    """One run for one epoch, on digits, whose network is that of both plans; a run with a result is not made again."""
    pytest.importorskip("sklearn")
    values = ("dataset=digits", "data=none", "epochs=1", "batch=500", "precision=float32", "workers=0")
    base, small = (SCRIPTS.parent / "configs" / "paper" / f"vit-{size}.toml" for size in ("base", "small"))
    options = run_plan.Options(base, values, ("layer=sine", "rank=1"), tmp_path)
    assert run_plan.main(options) == 0
    assert "epoch 1/1" in capfd.readouterr().out and (tmp_path / "layer-sine-rank-1" / "vit.pt").is_file()
    assert run_plan.main(options) == 0
    said = capfd.readouterr().out
    assert "epoch" not in said.split("{")[0] and '"init": "paper"' in said and '"omega": "200.0"' in said
    assert len(run_plan.read_runs(replace(options, only=()))) == 15
    assert len(run_plan.read_runs(replace(options, only=(), plan=small))) == 13


@pytest.mark.slow
def test_pictures_have_the_size_that_the_model_takes(tmp_path):
    save_pictures(tmp_path)
    options = train_vit.Options(dataset="imagenet", data=tmp_path, batch=2, workers=0, output=tmp_path / "vit.pt")
    small = replace(options, model="vit_tiny_patch16_384", rank=2, epochs=1)
    train_vit.main(small)
    assert small.output.is_file()


def test_a_dataset_on_disk_needs_its_folder(tmp_path):
    with pytest.raises(ValueError, match=r"^--data is missing: give the folder of cifar100"):
        train_vit.main(train_vit.Options(dataset="cifar100", output=tmp_path / "vit.pt"))
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vit_of_nobody", "resnet18"])
def test_a_model_that_timm_has_not_is_one_line(model, tmp_path):
    (tmp_path / "cifar").mkdir()
    said = run("--dataset", "cifar100", "--data", "cifar", "--model", model, folder=tmp_path)
    assert said.returncode == 1 and said.stderr == f"train_vit: --model {model}: timm has no ViT of this name\n"


def test_a_pretrained_state_is_loaded_but_for_the_head_or_named(tmp_path):
    path = tmp_path / "state.pt"
    options = train_vit.Options(layer="dense", pretrained=path)
    state = train_vit.build(train_vit.Options(layer="dense", seed=7), 3).state_dict()
    torch.save(state, path)
    made = train_vit.build(options, 10)
    assert made.head.out_features == 10
    assert all(torch.equal(v, state[n]) for n, v in made.state_dict().items() if not n.startswith("head"))
    missing = {name: value for name, value in state.items() if name != "blocks.0.attn.qkv.weight"}
    wrong = {**state, "pos_embed": torch.zeros(1, 2, 64)}
    for content, said in (
        (missing, r"is of another model: blocks\.0\.attn\.qkv\.weight"),
        (wrong, "is of another model: pos_embed"),
        ([1], "is not a state dict"),
    ):
        torch.save(content, path)
        with pytest.raises(ValueError, match=f"^--pretrained {path}: {said}"):
            train_vit.build(options, 10)
    path.write_text("hello")
    with pytest.raises(ValueError, match="is not a state dict that torch can load"):
        train_vit.build(options, 10)


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line(tmp_path):
    pytest.importorskip("sklearn")
    program = [sys.executable, str(SCRIPTS / "train_vit.py"), "--epochs", "9999", "--output", str(tmp_path / "vit.pt")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert any(line.startswith("epoch 1/") for line in running.stdout)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
    assert running.returncode == 130
    assert errors == "train_vit: stopped. The same command resumes after the last complete epoch\n"
