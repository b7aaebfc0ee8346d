"""scripts/commonsense.py: the data of LLM-Adapters' protocol, and which answer a text gives."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import commonsense
from support.commonsense_questions import QUESTIONS, word_tokenizer


def test_only_the_answer_is_trained_on():
    tokenizer = word_tokenizer()
    row = commonsense.encode(QUESTIONS[0], tokenizer, 256)
    pairs = list(zip(row["input_ids"], row["labels"], strict=True))
    learned = [token for token, label in pairs if label != commonsense.IGNORED]
    assert tokenizer.decode(learned[:-1]) == QUESTIONS[0]["output"] and learned[-1] == tokenizer.eos_token_id
    assert all(label in (commonsense.IGNORED, token) for token, label in pairs)
    assert commonsense.encode(QUESTIONS[0], tokenizer, 5) == {name: values[:5] for name, values in row.items()}


@pytest.mark.parametrize(
    ("task", "text", "answer"),
    [
        ("boolq", "The correct answer is True.", "true"),
        ("hellaswag", "the correct answer is ending3", "ending3"),
        ("piqa", "solution2 since solution1 is wrong", "solution2"),
        ("winogrande", "I do not know", ""),
    ],
)
def test_answers_are_found_in_texts(task, text, answer):
    assert commonsense.chosen(task, text) == answer


def test_the_prompt_is_the_protocols():
    assert commonsense.prompt_of({"instruction": "Do it.", "input": ""}) == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nDo it.\n\n### Response:\n"
    )
    assert "further context. Write" in commonsense.prompt_of({"instruction": "Do it.", "input": "here"})


def test_the_answers_of_a_task_are_counted():
    texts = ["the correct answer is Option2.", "option1", "I do not know"]
    assert commonsense.percent_right("winogrande", texts, QUESTIONS[:3]) == pytest.approx(100 / 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a list of examples"),
        ('{"instruction": ""}', "is not a list of examples"),
        ('[{"instruction": "Do it."}, {"output": ""}]', "example 1 has no text 'instruction'"),
        ('[{"instruction": 3}]', "example 0 has no text 'instruction'"),
    ],
)
def test_data_of_another_kind_is_refused(content, message, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"^{path}: {message}"):
        commonsense.read_examples(path, "instruction")


def test_questions_are_read_by_task(tmp_path):
    (tmp_path / "piqa").mkdir()
    (tmp_path / "piqa" / "test.json").write_text(json.dumps(QUESTIONS))
    assert commonsense.read_questions(tmp_path, ["piqa"]) == {"piqa": QUESTIONS}
    assert commonsense.read_questions(tmp_path, ["piqa"], limit=2) == {"piqa": QUESTIONS[:2]}
    with pytest.raises(ValueError, match=r"^no task is called 'x': choose among boolq"):
        commonsense.read_questions(tmp_path, ["piqa", "x"])
    with pytest.raises(FileNotFoundError, match=r"boolq/test\.json: no such file"):
        commonsense.read_questions(tmp_path, ["piqa", "boolq"])
