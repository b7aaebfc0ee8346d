"""The commonsense protocol of LLM-Adapters (Hu et al. 2023), which the paper and DoRA follow: its data and its scores.

Training data is a JSON list of {"instruction", "input", "output", "answer"}; evaluation data is a folder of tasks, each
a folder with such a list in test.json. The model writes its answer after the prompt, and the first match of the task's
pattern counts.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

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
IGNORED = -100
"""Label of a token that the loss ignores."""

Examples = list[dict[str, str]]


def read_examples(path: Path, *keys: str) -> Examples:
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


def read_questions(folder: Path, tasks: Iterable[str], limit: int | None = None) -> dict[str, Examples]:
    """The questions of each task, at most `limit` of each.

    Raises:
        FileNotFoundError: a task has no test.json.
        ValueError: there is no such task, or its file is not a list of questions with answers.
    """
    if unknown := sorted(set(tasks) - set(ANSWERS)):
        raise ValueError(f"no task is called {unknown[0]!r}: choose among {', '.join(ANSWERS)}")
    return {task: read_examples(folder / task / "test.json", "instruction", "answer")[:limit] for task in tasks}


def prompt_of(example: dict[str, str]) -> str:
    """The prompt for an example."""
    given = example.get("input", "")
    context = ", paired with an input that provides further context" if given else ""
    part = f"### Input:\n{given}\n\n" if given else ""
    return PROMPT.format(context=context, instruction=example["instruction"], input=part)


def encode(example: dict[str, str], tokenizer: Any, length: int) -> dict[str, list[int]]:
    """`input_ids` and `labels` of an example, truncated to a length. The prompt's labels are `IGNORED`."""
    prompt = tokenizer(prompt_of(example))["input_ids"]
    answer = tokenizer(example["output"], add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
    return {"input_ids": (prompt + answer)[:length], "labels": ([IGNORED] * len(prompt) + answer)[:length]}


@torch.no_grad()
def answers(model: Any, tokenizer: Any, examples: Examples, batch: int, new_tokens: int) -> list[str]:
    """The text that the model writes after each prompt by greedy decoding.

    Args:
        batch: questions processed at once.
        new_tokens: largest number of tokens of a text.
    """
    tokenizer.padding_side = "left"
    written: list[str] = []
    for first in range(0, len(examples), batch):
        prompts = [prompt_of(example) for example in examples[first : first + batch]]
        given = tokenizer(prompts, return_tensors="pt", padding=True).to(model.device)
        made = model.generate(
            input_ids=given["input_ids"],
            attention_mask=given["attention_mask"],
            max_new_tokens=new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
        )
        written += tokenizer.batch_decode(made[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return written


def chosen(task: str, text: str) -> str:
    """The answer in a text; empty if there is none."""
    found = re.search(ANSWERS[task], text.lower())
    return found[0] if found else ""


def percent_right(task: str, texts: list[str], examples: Examples) -> float:
    """Percentage of the examples whose answer is the one in their text."""
    pairs = zip(texts, examples, strict=True)
    return 100 * sum(chosen(task, text) == example["answer"].lower() for text, example in pairs) / len(examples)
