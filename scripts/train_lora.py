"""Fine-tune a causal language model with sine-LoRA or LoRA, and score it by the commonsense protocol.

    python scripts/train_lora.py train path/to/llama --data commonsense_170k.json --rank 8
    python scripts/train_lora.py evaluate path/to/llama --adapter outputs/lora --data path/to/dataset

The protocol is that of LLM-Adapters: scripts/commonsense.py describes its data. Model and data are read from disk;
nothing is downloaded. A checkpoint is written every --save-every steps: after Ctrl-C or a crash the same command
resumes from it.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import peft
import torch
import tyro
from commonsense import ANSWERS, IGNORED, answers, encode, percent_right, read_examples, read_questions
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForSeq2Seq

from sinenerf.adapters import SineLoraConfig, save_adapter
from sinenerf.codec.container import LARGEST_ADAPTER
from sinenerf.common.files import replacing
from sinenerf.common.hardware import best_device


@dataclass(frozen=True)
class Training:
    model: tyro.conf.Positional[Path]
    """Folder of a model and its tokenizer, in Hugging Face's format."""
    data: Path
    """JSON list to train on."""
    output: Path = Path("outputs/lora")
    """Folder of the adapter in PEFT's format and, unless it is too large, as adapter.sine at 8 bits a parameter."""
    method: Literal["sine-lora", "sine-dora", "lora", "dora"] = "sine-lora"
    """dora: the lengths of the columns are trained separately from their directions."""
    rank: int = 8
    """Width k of the factors."""
    alpha: float | None = None
    """LoRA's alpha; twice the rank by default."""
    omega: float = 200.0
    """Frequency of the sine."""
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
    """Layers to adapt, by the ends of their names."""
    dropout: float = 0.05
    """Dropout of an adapter's input."""
    epochs: int = 3
    """Passes over the examples."""
    batch: int = 16
    """Examples a step."""
    micro_batch: int = 4
    """Examples processed at once; their gradients are accumulated over a step."""
    rate: float = 2e-4
    """Peak of the learning rate."""
    warmup: int = 100
    """Steps over which the rate rises; after them it falls linearly."""
    tokens: int = 256
    """Largest number of tokens of an example; longer ones are truncated."""
    save_every: int = 200
    """Steps between checkpoints."""
    seed: int = 0
    """Seed of the adapter's initialisation and of the order of examples."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: a GPU where there is one."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the model."""


@dataclass(frozen=True)
class Evaluation:
    model: tyro.conf.Positional[Path]
    """Folder of the model."""
    data: Path
    """Folder of the tasks (boolq, piqa, ...), each a folder with a test.json."""
    adapter: Path | None = None
    """Folder of the adapter; without one, the model itself is scored."""
    tasks: tuple[str, ...] = tuple(ANSWERS)
    """Tasks to score."""
    limit: int | None = None
    """Largest number of questions of each task; all by default."""
    batch: int = 16
    """Questions processed at once."""
    new_tokens: int = 32
    """Largest number of tokens of an answer."""
    output: Path | None = None
    """JSON file of the scores, and of the settings. It keeps each task's score as it is found: the same command resumes
    after the last one."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: a GPU where there is one."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the model."""


def load_model(path: Path, device: str, dtype: str) -> tuple[Any, Any]:
    """Load a folder's (model, tokenizer)."""
    if not (path / "config.json").is_file():
        raise FileNotFoundError(f"{path}: holds no model: config.json is missing")
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, dtype=getattr(torch, dtype))
    return model.to(best_device() if device == "auto" else device), tokenizer


def adapted(model: nn.Module, options: Training) -> peft.PeftModel:
    """The model with a new adapter."""
    settings: dict[str, Any] = {
        "r": options.rank,
        "lora_alpha": options.alpha or 2 * options.rank,
        "target_modules": list(options.targets),
        "lora_dropout": options.dropout,
        "use_dora": options.method.endswith("dora"),
        "task_type": "CAUSAL_LM",
    }
    if options.method.startswith("sine"):
        return peft.get_peft_model(model, SineLoraConfig(omega=options.omega, **settings))
    return peft.get_peft_model(model, peft.LoraConfig(**settings))


def _fits_a_file(model: nn.Module) -> bool:
    """Whether a .sine file can hold the adapter; prints a message if not."""
    count = sum(value.numel() for value in peft.get_peft_model_state_dict(model).values())
    if count > LARGEST_ADAPTER:
        print(
            f"train_lora: the adapter has {count:,} parameters, and a .sine file holds at most {LARGEST_ADAPTER:,}: "
            "no adapter.sine will be written, only PEFT's own files. Use a smaller --rank or fewer --targets",
            file=sys.stderr,
        )
    return count <= LARGEST_ADAPTER


def _gradients(model: Any, rows: list[dict[str, list[int]]], at_once: int, collate: Any) -> float:
    """Accumulate a step's gradients, `at_once` examples at a time. Returns the mean cross-entropy of answer tokens."""
    count = sum(label != IGNORED for row in rows for label in row["labels"])
    total = 0.0
    for first in range(0, len(rows), at_once):
        batch = collate(rows[first : first + at_once]).to(model.device)
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        loss = nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="sum", ignore_index=IGNORED
        ) / max(1, count)
        loss.backward()
        total += loss.item()
    return total


def train(options: Training) -> None:
    """Train an adapter and write it."""
    examples = read_examples(options.data, "instruction", "output")
    base, tokenizer = load_model(options.model, options.device, options.dtype)
    tokenizer.padding_side = "right"
    collate = DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=IGNORED)
    torch.manual_seed(options.seed)
    model = adapted(base, options).train()
    model.print_trainable_parameters()
    fits = _fits_a_file(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, options.rate, weight_decay=0.0)
    per_epoch = -(-len(examples) // options.batch)
    steps = options.epochs * per_epoch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / max(1, options.warmup), max(0.0, 1 - step / steps))
    )
    options.output.mkdir(parents=True, exist_ok=True)
    checkpoint = options.output / "checkpoint.pt"
    settings = _settings(options)
    step, start = _resume(checkpoint, settings, model, optimizer, schedule), time.perf_counter()
    while step < steps:
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(options.seed + epoch))
        chosen = order[place * options.batch : (place + 1) * options.batch].tolist()
        rows = [encode(examples[i], tokenizer, options.tokens) for i in chosen]
        loss = _gradients(model, rows, options.micro_batch, collate)
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        step += 1
        print(f"step {step}/{steps}  loss {loss:.4f}  {time.perf_counter() - start:.0f} s", flush=True)
        if step % options.save_every == 0 and step < steps:
            state = {"adapter": peft.get_peft_model_state_dict(model), "optimizer": optimizer.state_dict()}
            with replacing(checkpoint) as partial:
                torch.save(state | {"schedule": schedule.state_dict(), "step": step, "settings": settings}, partial)
    model.save_pretrained(options.output)
    size = save_adapter(model, options.output / "adapter.sine") if fits else None
    checkpoint.unlink(missing_ok=True)
    print(f"{options.output}: " + ("the adapter" if size is None else f"adapter.sine has {size:,} bytes"))


def _settings(options: Training | Evaluation) -> dict[str, str]:
    """What must agree for work to be resumed: not the folders of a run, which may be moved (`run_plan`)."""
    return {name: str(value) for name, value in asdict(options).items() if name not in ("output", "adapter")}


def _resume(checkpoint: Path, settings: dict[str, str], model: Any, optimizer: Any, schedule: Any) -> int:
    """Load the checkpoint, if there is one, and return the step to resume from.

    Raises:
        ValueError: it belongs to a run with other settings.
    """
    if not checkpoint.is_file():
        return 0
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if saved["settings"] != settings:
        raise ValueError(f"{checkpoint} belongs to a run with other settings: remove it, or choose another --output")
    peft.set_peft_model_state_dict(model, saved["adapter"])
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    print(f"resumes after step {saved['step']}")
    return saved["step"]


def evaluate(options: Evaluation) -> dict[str, float]:
    """Print and return the percentage of correct answers of each task, and their mean.

    Raises:
        ValueError: the output is of an evaluation with other settings or of another adapter.
    """
    questions = read_questions(options.data, options.tasks, options.limit)
    settings = _settings(options)
    if options.adapter is not None:
        files = sorted(options.adapter.glob("adapter_model.*"))
        settings["trained"] = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    scores = _scores_so_far(options.output, settings)
    model, tokenizer = load_model(options.model, options.device, options.dtype)
    if options.adapter is not None:
        model = peft.PeftModel.from_pretrained(model, options.adapter).merge_and_unload()
    model.eval()
    for task, examples in questions.items():
        if task not in scores:
            texts = answers(model, tokenizer, examples, options.batch, options.new_tokens)
            scores[task] = percent_right(task, texts, examples)
            _save_scores(options.output, scores, settings)
        print(f"{task}: {scores[task]:.2f} % of {len(examples)}", flush=True)
    scores["mean"] = sum(scores[task] for task in questions) / len(questions)
    print(f"mean: {scores['mean']:.2f} %")
    _save_scores(options.output, scores, settings)
    return scores


def _scores_so_far(output: Path | None, settings: dict[str, str]) -> dict[str, float]:
    if output is None or not output.is_file():
        return {}
    saved = json.loads(output.read_text())
    if saved.pop("settings", None) != settings:
        raise ValueError(
            f"{output} has the scores of other settings or of another adapter: remove it, or choose another --output"
        )
    return saved


def _save_scores(output: Path | None, scores: dict[str, float], settings: dict[str, str]) -> None:
    if output is not None:
        with replacing(output) as partial:
            partial.write_text(json.dumps(scores | {"settings": settings}, indent=2) + "\n")


def main(
    options: Annotated[Training, tyro.conf.subcommand("train", prefix_name=False)]
    | Annotated[Evaluation, tyro.conf.subcommand("evaluate", prefix_name=False)],
) -> None:
    """Train an adapter, or score one."""
    if isinstance(options, Training):
        train(options)
    else:
        evaluate(options)


if __name__ == "__main__":
    try:
        tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
    except (ValueError, OSError) as error:
        sys.exit(f"train_lora: {error}")
    except KeyboardInterrupt:
        print(
            "train_lora: stopped. The same command resumes training from its last checkpoint, or scoring after the "
            "last task in --output",
            file=sys.stderr,
        )
        sys.exit(130)
