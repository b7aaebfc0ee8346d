"""Train a timm ViT with factored feed-forward matrices and dense attention, as in the paper. Needs sinenerf[vit].

    python scripts/train_vit.py --data path/to/cifar-100 --dataset cifar100 --model vit_small_patch16_224 --rank 20
    python scripts/train_vit.py --data path/to/imagenet --dataset imagenet --model vit_base_patch16_224 --rank 100
    python scripts/train_vit.py --dataset digits --rank 4        # scikit-learn's digits, a ViT of 202,186 parameters

--data is the folder that holds cifar-100-python, or ImageNet's folder with train/ and val/. A checkpoint is written
after each epoch: after Ctrl-C or a crash the same command resumes from it.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
import tyro
from labelled_images import Data, accuracy, digits, pictures
from torch import nn

from sinenerf import bake, factorize
from sinenerf.common.files import replacing
from sinenerf.common.hardware import best_device
from sinenerf.common.settings import InitKind

FEED_FORWARD = r"blocks\.\d+\.mlp\..*"


@dataclass(frozen=True)
class Options:
    dataset: Literal["digits", "cifar100", "imagenet"] = "digits"
    """digits: scikit-learn's 8 x 8 images, for a CPU; the others need --data."""
    data: Path | None = None
    """Folder of CIFAR-100 or ImageNet."""
    model: str = "vit_small_patch16_224"
    """Name of a ViT in timm; digits use a small one of their own."""
    pretrained: Path | None = None
    """State dict of the timm model to start from; the factors are fitted to its feed-forward matrices."""
    layer: Literal["sine", "low-rank", "dense"] = "sine"
    """Kind of the feed-forward layers."""
    rank: int = 20
    """Width k of the factors."""
    omega: float = 100.0
    """Frequency of the sine."""
    spread: float = 0.3
    """Standard deviation, in radians, of the phase at the start, with init spread."""
    init: InitKind = "spread"
    """spread, or paper: Kaiming-uniform factors and g = sqrt(inputs), for which omega is 100 and more."""
    mlp_ratio: float = 4.0
    """Hidden width of the feed-forward layers for digits, in widths of the model; smaller for a thin dense network."""
    epochs: int = 40
    """Passes over the data."""
    batch: int = 64
    """Images a step."""
    rate: float = 3e-3
    """Peak of the learning rate: it rises for a tenth of the steps, then falls as a cosine."""
    weight_decay: float = 0.05
    """Weight decay of AdamW, on matrices only."""
    seed: int = 0
    """Seed of the initialisation and of the order of images."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """auto: a GPU where there is one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of matrix products."""
    workers: int = 4
    """Processes that read images."""
    output: Path = Path("outputs/vit.pt")
    """Trained model: a state dict with dense matrices, which timm's own model loads. The checkpoint, and a JSON file of
    the accuracy, are beside it."""


def side_of(model: str) -> int:
    """Side in pixels of the input images of a timm ViT.

    Raises:
        ValueError: timm has no such ViT.
    """
    import timm

    try:
        return timm.create_model(model).patch_embed.img_size[0]
    except (RuntimeError, AttributeError):
        raise ValueError(f"--model {model}: timm has no ViT of this name") from None


def read(options: Options) -> Data:
    """The dataset; pictures in the size that the model takes."""
    if options.dataset == "digits":
        return digits(options.batch, options.seed)
    if options.data is None:
        raise ValueError(f"--data is missing: give the folder of {options.dataset}")
    side = side_of(options.model)
    return pictures(options.dataset, options.data, side, options.batch, options.seed, options.workers)


def start_from(model: nn.Module, path: Path) -> None:
    """Load a timm state dict; the head keeps its initialisation if the number of classes differs.

    Raises:
        ValueError: the file is not a state dict, or is of another model.
        OSError: no such file.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception:  # whatever the unpickler raises on another file
        state = None
    if not isinstance(state, dict):
        raise ValueError(f"--pretrained {path}: is not a state dict that torch can load")
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    fitting = {n: v for n, v in state.items() if n in shapes and getattr(v, "shape", None) == shapes[n]}
    others = sorted(name for name in map(str, {*shapes, *state} - {*fitting}) if not name.startswith("head"))
    if others:
        raise ValueError(f"--pretrained {path}: is of another model: {others[0]} does not fit")
    model.load_state_dict(fitting, strict=False)


def build(options: Options, classes: int, report: Callable | None = print) -> nn.Module:
    """The ViT, with factored feed-forward layers unless they stay dense."""
    import timm
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(options.seed)
    if options.dataset == "digits":
        model: nn.Module = VisionTransformer(
            8, 2, in_chans=1, num_classes=classes, embed_dim=64, depth=4, num_heads=4, mlp_ratio=options.mlp_ratio
        )
    else:
        model = timm.create_model(options.model, num_classes=classes)
    if options.pretrained is not None:
        start_from(model, options.pretrained)
    if options.layer == "dense":
        return model
    start: Literal["fit", "fresh"] = "fresh" if options.pretrained is None else "fit"
    return factorize(
        model,
        options.rank,
        options.layer,
        FEED_FORWARD,
        options.omega,
        options.spread,
        start,
        init=options.init,
        report=report,
    )


@dataclass
class Run:
    """A training run in its current state."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    epoch: int = 0
    seconds: float = 0.0

    def state(self) -> dict:
        parts = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "schedule")}
        return parts | {"epoch": self.epoch, "seconds": self.seconds}

    def load(self, state: dict) -> None:
        for name in ("model", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.seconds = state["epoch"], state["seconds"]


def prepare(options: Options, data: Data, report: Callable | None = print) -> Run:
    """A run before its first step."""
    device = best_device() if options.device == "auto" else options.device
    model = build(options, data.classes, report).to(device)
    # as usual for transformers, only matrices decay
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, options.rate)
    steps = max(1, options.epochs * data.steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, steps, pct_start=0.1, cycle_momentum=False)
    return Run(model, optimizer, schedule)


def train_epoch(run: Run, options: Options, data: Data) -> float:
    """Train for one pass over the data. Returns the mean loss."""
    device, losses = next(run.model.parameters()).device, []
    run.model.train()
    start = time.perf_counter()
    for images, labels in data.train(run.epoch):
        with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
            logits = run.model(images.to(device))
        loss = F.cross_entropy(logits.float(), labels.to(device), label_smoothing=0.1)
        run.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        run.optimizer.step()
        run.schedule.step()
        losses.append(loss.item())
    run.seconds += time.perf_counter() - start
    run.epoch += 1
    return sum(losses) / len(losses)


def main(options: Options) -> None:
    data = read(options)
    run = prepare(options, data)
    checkpoint = options.output.with_suffix(".checkpoint")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    settings = {name: str(value) for name, value in asdict(options).items()}
    if checkpoint.is_file():
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if saved.pop("settings") != settings:
            raise ValueError(
                f"{checkpoint} belongs to a run with other settings: remove it, or choose another --output"
            )
        run.load(saved)
        print(f"resumes after epoch {run.epoch}")
    while run.epoch < options.epochs:
        loss = train_epoch(run, options, data)
        score = accuracy(run.model, data.validation())
        print(f"epoch {run.epoch}/{options.epochs}  loss {loss:.4f}  validation {100 * score:.2f} %", flush=True)
        with replacing(checkpoint) as partial:
            torch.save(run.state() | {"settings": settings}, partial)
    parameters = sum(p.numel() for p in run.model.parameters())
    score = accuracy(run.model, data.test())
    with replacing(options.output) as partial:
        # on the CPU, so that it loads where there is no GPU
        torch.save({name: value.cpu() for name, value in bake(run.model).state_dict().items()}, partial)
    scores = {"test": 100 * score, "parameters": parameters, "seconds": round(run.seconds)}
    with replacing(options.output.with_suffix(".json")) as partial:
        partial.write_text(json.dumps(scores | {"settings": settings}, indent=2) + "\n")
    print(f"{options.output}: test {100 * score:.2f} %, {parameters:,} parameters, {run.seconds:.0f} s of training")
    checkpoint.unlink()


if __name__ == "__main__":
    try:
        main(tyro.cli(Options))
    except (ValueError, OSError) as error:
        sys.exit(f"train_vit: {error}")
    except KeyboardInterrupt:
        print("train_vit: stopped. The same command resumes after the last complete epoch", file=sys.stderr)
        sys.exit(130)
