"""Questions in the format of LLM-Adapters, and a tokenizer that knows their words."""

import commonsense
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

QUESTIONS = [
    {
        "instruction": f"Please choose the correct answer to fill the blank: the number {i} is _.",
        "input": "",
        "output": "the correct answer is option2",
        "answer": "option2",
    }
    for i in range(24)
]


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token for each word of the questions and of their prompts."""
    texts = [commonsense.prompt_of(question) + question["output"] for question in QUESTIONS]
    words = sorted({word for text in texts for word in text.split()})
    vocabulary = {word: index for index, word in enumerate(["<unk>", "<s>", "</s>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
