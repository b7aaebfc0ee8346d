"""The images that scripts/train_vit.py classifies, in batches, and how many a model gets right."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Data:
    """Functions that return batches: images (n, channels, height, width) and labels (n)."""

    train: Callable[[int], Batches]
    """Batches of an epoch."""
    validation: Callable[[], Batches]
    test: Callable[[], Batches]
    steps: int
    """Batches an epoch."""
    classes: int


def digits(batch: int, seed: int) -> Data:
    """1797 digits of 8 x 8 pixels: 1000 for training, 297 for validation, 500 for testing.

    Args:
        batch: images of a batch of training.
        seed: of the order of the images in training.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = (torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 8 - 1)[order]
    y = torch.tensor(labels)[order]

    def train(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        for index in torch.randperm(1000, generator=generator).split(batch):
            yield x[index], y[index]

    return Data(train, lambda: [(x[1000:1297], y[1000:1297])], lambda: [(x[1297:], y[1297:])], -(-1000 // batch), 10)


def pictures(
    dataset: Literal["cifar100", "imagenet"], folder: Path, size: int, batch: int, seed: int, workers: int
) -> Data:
    """CIFAR-100 or ImageNet from disk, augmented by timm; the test split also serves as validation, as is usual.

    Args:
        folder: the one that holds cifar-100-python, or ImageNet's with train/ and val/.
        size: side of the images in pixels.
        batch: images of a batch.
        seed: of the order of the images in training.
        workers: processes that read images.

    Raises:
        FileNotFoundError: the folder does not exist, or does not hold the dataset.
    """
    from timm.data import create_transform
    from torch.utils.data import DataLoader
    from torchvision.datasets import CIFAR100, ImageFolder

    if not folder.is_dir():
        raise FileNotFoundError(f"--data {folder}: no such folder. It must hold {dataset}")
    of_train = create_transform(size, is_training=True, auto_augment="rand-m9-mstd0.5-inc1", re_prob=0.25)
    of_test = create_transform(size)
    if dataset == "cifar100":
        try:
            sets = [CIFAR100(folder, train, t) for train, t in ((True, of_train), (False, of_test))]
        except RuntimeError:  # its message proposes an option that the script does not have
            raise FileNotFoundError(f"--data {folder}: holds no cifar-100-python, or a damaged one") from None
    else:
        sets = [ImageFolder(folder / name, t) for name, t in (("train", of_train), ("val", of_test))]

    def loader(index: int, epoch: int = 0) -> DataLoader:
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        return DataLoader(sets[index], batch, shuffle=index == 0, num_workers=workers, generator=generator)

    classes = len(sets[0].classes)
    return Data(lambda epoch: loader(0, epoch), lambda: loader(1), lambda: loader(1), len(loader(0)), classes)


@torch.no_grad()
def accuracy(model: nn.Module, batches: Batches) -> float:
    """Share of images that are classified correctly."""
    device, right, count = next(model.parameters()).device, 0, 0
    model.eval()
    for images, labels in batches:
        right += int((model(images.to(device)).argmax(-1).cpu() == labels).sum())
        count += len(labels)
    return right / count
