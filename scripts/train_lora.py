"""Fine-tune a causal language model with sine-LoRA or LoRA, and score it by the commonsense protocol.

    python scripts/train_lora.py train path/to/llama --data commonsense_170k.json --rank 8
    python scripts/train_lora.py evaluate path/to/llama --adapter outputs/lora --data path/to/dataset

The protocol is that of LLM-Adapters (Hu et al. 2023), which the paper and DoRA follow: training data is a JSON list of
{"instruction", "input", "output", "answer"}; evaluation data is a folder of tasks (boolq, piqa, social_i_qa, hellaswag,
winogrande, ARC-Challenge, ARC-Easy, openbookqa), each with such a list in test.json. The model writes its answer after
the prompt, and the first match of the task's pattern counts. Model and data are read from disk; nothing is downloaded.
A checkpoint is written every --save-every steps: after Ctrl-C or a crash the same command resumes from it.
"""

import json
import re
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import peft
import torch
import tyro
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from sinenerf.adapters import SineLoraConfig, save_adapter
from sinenerf.codec.container import LARGEST_ADAPTER
from sinenerf.common.files import replacing
from sinenerf.common.hardware import best_device

PROMPT = """Below is an instruction that describes a task{context}. Write a response that appropriately completes the \
request.

### Instruction:
{instruction}

{input}### Response:
"""
ANSWERS = {
    "boolq": r"true|false",
    "piqa": r"solution[12]",
    "social_i_qa": r"answer[1-5]",
    "ARC-Challenge": r"answer[1-5]",
    "ARC-Easy": r"answer[1-5]",
    "openbookqa": r"answer[1-5]",
    "hellaswag": r"ending[1-4]",
    "winogrande": r"option[12]",
}
"""Pattern of an answer, by task."""


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
    """Folder of the tasks, each a folder with a test.json."""
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
    """JSON file of the scores."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: a GPU where there is one."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the model."""


def read_examples(path: Path, *keys: str) -> list[dict[str, str]]:
    """Read a list of examples and check that each has a text for every key.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not such a list; the first wrong example is named.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file. The protocol's data is a JSON list of examples")
    try:
        examples = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON: {error}") from None
    if not isinstance(examples, list) or not examples:
        raise ValueError(f"{path}: is not a list of examples")
    for index, example in enumerate(examples):
        for key in keys:
            if not isinstance(example, dict) or not isinstance(example.get(key), str):
                raise ValueError(f"{path}: example {index} has no text {key!r}")
    return examples


def prompt_of(example: dict[str, str]) -> str:
    """The prompt for an example."""
    given = example.get("input", "")
    context = ", paired with an input that provides further context" if given else ""
    part = f"### Input:\n{given}\n\n" if given else ""
    return PROMPT.format(context=context, instruction=example["instruction"], input=part)


def load_model(path: Path, device: str, dtype: str) -> tuple[Any, Any, str]:
    """Load a folder's (model, tokenizer, device)."""
    if not (path / "config.json").is_file():
        raise FileNotFoundError(f"{path}: holds no model: config.json is missing")
    device = best_device() if device == "auto" else device
    tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, dtype=getattr(torch, dtype))
    return model.to(device), tokenizer, device


def encode(example: dict[str, str], tokenizer: Any, length: int) -> tuple[list[int], list[int]]:
    """(tokens, labels) of an example, truncated to a length. Labels of the prompt are -100, which the loss ignores."""
    prompt = tokenizer(prompt_of(example))["input_ids"]
    answer = tokenizer(example["output"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return (prompt + answer)[:length], ([-100] * len(prompt) + answer)[:length]


def collate(rows: list[tuple[list[int], list[int]]], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """(tokens, mask, labels), each (rows, longest row), padded."""
    longest = max(len(tokens) for tokens, _ in rows)
    tokens = torch.tensor([t + [pad] * (longest - len(t)) for t, _ in rows])
    mask = torch.tensor([[1] * len(t) + [0] * (longest - len(t)) for t, _ in rows])
    return tokens, mask, torch.tensor([label + [-100] * (longest - len(label)) for _, label in rows])


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


def _gradients(model: nn.Module, rows: list[tuple[list[int], list[int]]], at_once: int, pad: int, device: str) -> float:
    """Accumulate a step's gradients, `at_once` examples at a time. Returns the mean cross-entropy of answer tokens."""
    answers = sum(label != -100 for _, labels in rows for label in labels)
    total = 0.0
    for first in range(0, len(rows), at_once):
        tokens, mask, labels = collate(rows[first : first + at_once], pad)
        logits = model(input_ids=tokens.to(device), attention_mask=mask.to(device)).logits[:, :-1]
        loss = nn.functional.cross_entropy(
            logits.float().flatten(0, 1), labels[:, 1:].flatten().to(device), reduction="sum", ignore_index=-100
        ) / max(1, answers)
        loss.backward()
        total += loss.item()
    return total


def train(options: Training) -> None:
    """Train an adapter and write it."""
    examples = read_examples(options.data, "instruction", "output")
    base, tokenizer, device = load_model(options.model, options.device, options.dtype)
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
    settings = {name: str(value) for name, value in asdict(options).items()}
    step, start = _resume(checkpoint, settings, model, optimizer, schedule), time.perf_counter()
    while step < steps:
        epoch, place = divmod(step, per_epoch)
        order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(options.seed + epoch))
        chosen = order[place * options.batch : (place + 1) * options.batch].tolist()
        rows = [encode(examples[i], tokenizer, options.tokens) for i in chosen]
        loss = _gradients(model, rows, options.micro_batch, tokenizer.pad_token_id, device)
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
    written = "the adapter"
    if fits:
        written = f"adapter.sine has {save_adapter(model, options.output / 'adapter.sine'):,} bytes"
    checkpoint.unlink(missing_ok=True)
    print(f"{options.output}: {written}")


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


@torch.no_grad()
def answers(model: Any, tokenizer: Any, examples: list[dict[str, str]], options: Evaluation) -> list[str]:
    """The text that the model writes after each prompt by greedy decoding."""
    tokenizer.padding_side = "left"
    written: list[str] = []
    for first in range(0, len(examples), options.batch):
        prompts = [prompt_of(example) for example in examples[first : first + options.batch]]
        given = tokenizer(prompts, return_tensors="pt", padding=True).to(model.device)
        made = model.generate(
            input_ids=given["input_ids"],
            attention_mask=given["attention_mask"],
            max_new_tokens=options.new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        written += tokenizer.batch_decode(made[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return written


def chosen(task: str, text: str) -> str:
    """The answer in a text; empty if there is none."""
    found = re.search(ANSWERS[task], text.lower())
    return found[0] if found else ""


def evaluate(options: Evaluation) -> dict[str, float]:
    """Print and return the percentage of correct answers of each task, and their mean."""
    unknown = sorted(set(options.tasks) - set(ANSWERS))
    if unknown:
        raise ValueError(f"no task is called {unknown[0]!r}: choose among {', '.join(ANSWERS)}")
    files = {task: options.data / task / "test.json" for task in options.tasks}
    questions = {task: read_examples(file, "instruction", "answer")[: options.limit] for task, file in files.items()}
    model, tokenizer, _ = load_model(options.model, options.device, options.dtype)
    if options.adapter is not None:
        model = peft.PeftModel.from_pretrained(model, options.adapter).merge_and_unload()
    model.eval()
    scores: dict[str, float] = {}
    for task, examples in questions.items():
        texts = answers(model, tokenizer, examples, options)
        right = [chosen(task, text) == example["answer"].lower() for text, example in zip(texts, examples, strict=True)]
        scores[task] = 100 * sum(right) / len(right)
        print(f"{task}: {scores[task]:.2f} % of {len(right)}", flush=True)
    scores["mean"] = sum(scores.values()) / len(scores)
    print(f"mean: {scores['mean']:.2f} %")
    if options.output is not None:
        with replacing(options.output) as partial:
            partial.write_text(json.dumps(scores, indent=2) + "\n")
    return scores


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
        print("train_lora: stopped. The same command resumes training from its last checkpoint", file=sys.stderr)
        sys.exit(130)
