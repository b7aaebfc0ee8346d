"""scripts/train_lora.py, offline, on a tiny random LLaMA: training, resuming, both kinds of file, and scoring."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import tyro

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")
SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))
import run_plan  # noqa: E402
import train_lora  # noqa: E402
from commonsense import ANSWERS, encode  # noqa: E402
from support.commonsense_questions import QUESTIONS, word_tokenizer  # noqa: E402

from sinenerf.adapters import SineLoraConfig, load_adapter  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
PLAN = SCRIPTS.parent / "configs" / "paper" / "lora.toml"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a model, its tokenizer, training data and a task."""
    root = tmp_path_factory.mktemp("lora")
    tokenizer = word_tokenizer()
    tokenizer.save_pretrained(root / "model")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(root / "model")
    (root / "train.json").write_text(json.dumps(QUESTIONS))
    (root / "tasks" / "winogrande").mkdir(parents=True)
    (root / "tasks" / "winogrande" / "test.json").write_text(json.dumps(QUESTIONS[:8]))
    return root


def training(folder, output, **given):
    settings = {"rate": 2e-2, "epochs": 12, "batch": 8, "warmup": 4, "rank": 4, "dtype": "float32", "dropout": 0.0}
    return train_lora.Training(folder / "model", folder / "train.json", output, **{**settings, **given})


def score(folder, adapter):
    return train_lora.evaluate(
        train_lora.Evaluation(
            folder / "model", folder / "tasks", adapter, ("winogrande",), new_tokens=6, dtype="float32"
        )
    )["winogrande"]


@pytest.mark.parametrize("method", ["sine-lora", "sine-dora", "lora"])
def test_it_learns_and_is_scored(method, folder, tmp_path):
    assert score(folder, None) < 50
    train_lora.train(training(folder, tmp_path, method=method))
    assert score(folder, tmp_path) == 100
    base = transformers.AutoModelForCausalLM.from_pretrained(folder / "model")
    coded = load_adapter(base, tmp_path / "adapter.sine").eval()
    exact = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path).eval()
    assert isinstance(coded.peft_config["default"], SineLoraConfig) == method.startswith("sine")
    tokens = torch.tensor([[1, 5, 9, 4]])
    torch.testing.assert_close(coded(tokens).logits, exact(tokens).logits, atol=0.3, rtol=0.1)


@pytest.mark.slow
def test_the_plan_of_the_paper_runs(folder, tmp_path, monkeypatch):
    """Training and scoring, in this process; the tasks that the folder lacks have the same questions."""
    for task in ANSWERS:
        (tmp_path / task).mkdir()
        (tmp_path / task / "test.json").write_text(json.dumps(QUESTIONS[:2]))
    (tmp_path / "commonsense_170k.json").write_text(json.dumps(QUESTIONS))

    def in_process(command, check):
        tyro.cli(train_lora.main, config=(tyro.conf.OmitArgPrefixes,), args=command[2:])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(run_plan.subprocess, "run", in_process)
    values = (f"model={folder / 'model'}", f"data={tmp_path}", "epochs=1", "dtype=float32", "limit=1")
    options = run_plan.Options(PLAN, values, ("method=sine-lora", "rank=4"), tmp_path / "results")
    assert run_plan.main(options) == 0
    scores = json.loads((tmp_path / "results" / "method-sine-lora-rank-4" / "scores.json").read_text())
    assert set(scores) == {*ANSWERS, "mean", "settings"}
    assert len(run_plan.read_runs(replace(options, only=()))) == 16


def test_it_resumes_where_it_stopped(folder, tmp_path, monkeypatch, capsys):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_lora.train(training(folder, whole, epochs=3, save_every=2))
    clip, calls = torch.nn.utils.clip_grad_norm_, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return clip(*arguments)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_lora.train(training(folder, parts, epochs=3, save_every=2))
    with pytest.raises(ValueError, match="belongs to a run with other settings"):
        train_lora.train(training(folder, parts, epochs=3, save_every=2, rank=2))
    parts = parts.rename(tmp_path / "moved")
    train_lora.train(training(folder, parts, epochs=3, save_every=2))
    assert "resumes after step 4" in capsys.readouterr().out
    assert (parts / "adapter.sine").read_bytes() == (whole / "adapter.sine").read_bytes()


def test_scoring_resumes_after_the_last_task(folder, tmp_path, monkeypatch):
    for task in ("boolq", "piqa"):
        (tmp_path / task).mkdir()
        (tmp_path / task / "test.json").write_text(json.dumps(QUESTIONS[:2]))
    options = train_lora.Evaluation(folder / "model", tmp_path, tasks=("boolq", "piqa"), new_tokens=1, dtype="float32")
    options, asked = replace(options, output=tmp_path / "scores.json"), []

    def interrupted(model, tokenizer, examples, batch, new_tokens):
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return ["true"] * len(examples)

    monkeypatch.setattr(train_lora, "answers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_lora.evaluate(options)
    with pytest.raises(ValueError, match=r"scores\.json has the scores of other settings or of another adapter"):
        train_lora.evaluate(replace(options, limit=1))
    moved = options.output.rename(tmp_path / "moved.json")
    assert set(train_lora.evaluate(replace(options, output=moved))) == {"boolq", "piqa", "mean"} and len(asked) == 3


def command(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPTS / "train_lora.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_padding_changes_nothing(folder):
    """Whatever side the tokenizer of a model pads."""
    model, tokenizer = train_lora.load_model(folder / "model", "cpu", "float32")
    tokenizer.padding_side = "left"
    answers = ("the answer", "the correct answer is option2", "is")
    rows = [encode(QUESTIONS[0] | {"output": answer}, tokenizer, 256) for answer in answers]
    found = []
    for at_once in (1, 3):
        model.zero_grad()
        loss = train_lora._gradients(model, rows, at_once, transformers.DataCollatorForSeq2Seq(tokenizer))
        found.append((torch.tensor(loss), model.lm_head.weight.grad.clone()))
    torch.testing.assert_close(*found)


@pytest.mark.slow
def test_bad_input_ends_in_one_line(folder, tmp_path):
    ended = command("train", tmp_path, "--data", folder / "train.json")
    assert ended.returncode == 1 and ended.stderr.splitlines()[-1].endswith("holds no model: config.json is missing")


def test_questions_without_answers_are_refused_before_the_model_is_loaded(tmp_path):
    (tmp_path / "piqa").mkdir()
    (tmp_path / "piqa" / "test.json").write_text(json.dumps([{"instruction": "Choose.", "output": "solution1"}]))
    with pytest.raises(ValueError, match=r"test\.json: example 0 has no text 'answer'"):
        train_lora.evaluate(train_lora.Evaluation(tmp_path / "no model", tmp_path, tasks=("piqa",)))


def test_an_adapter_too_large_for_a_file_is_reported_before_training(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sinenerf.codec.container.LARGEST_ADAPTER", 1000)
    monkeypatch.setattr(train_lora, "LARGEST_ADAPTER", 1000)
    train_lora.train(training(folder, tmp_path, epochs=1))
    said = capsys.readouterr()
    assert said.err.count("train_lora: the adapter has ") == 1 and "a .sine file holds at most 1,000: " in said.err
    assert "adapter.sine has" not in said.out
    assert (tmp_path / "adapter_config.json").is_file() and not (tmp_path / "adapter.sine").exists()


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line(folder, tmp_path):
    words = ["train", folder / "model", "--data", folder / "train.json", "--output", tmp_path, "--epochs", 9999]
    program = [sys.executable, str(SCRIPTS / "train_lora.py"), *map(str, words), "--dtype", "float32"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert any(line.startswith("step 1/") for line in running.stdout)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
    assert running.returncode == 130 and "Traceback" not in errors
    said = "train_lora: stopped. The same command resumes training from its last checkpoint, or "
    assert errors.splitlines()[-1].startswith(said)
