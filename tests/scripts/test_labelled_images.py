"""scripts/labelled_images.py: the digits, and datasets of pictures on disk."""

import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("timm")
sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import labelled_images
from support.classes_of_pictures import save_pictures


def test_the_digits_of_training_validation_and_test_are_apart():
    pytest.importorskip("sklearn")
    data = labelled_images.digits(batch=300, seed=0)
    sets = [list(data.train(0)), list(data.validation()), list(data.test())]
    assert [sum(len(labels) for _, labels in batches) for batches in sets] == [1000, 297, 500]
    assert len(sets[0]) == data.steps == 4 and data.classes == 10
    seen = [{image.numpy().tobytes() for images, _ in batches for image in images} for batches in sets]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_epochs_and_seeds_have_orders_of_their_own():
    pytest.importorskip("sklearn")

    def order(seed, epoch):
        return torch.cat([labels for _, labels in labelled_images.digits(100, seed).train(epoch)])

    assert torch.equal(order(0, 1), order(0, 1))
    assert not torch.equal(order(0, 1), order(0, 2)) and not torch.equal(order(0, 1), order(1, 1))
    assert torch.equal(order(0, 1).sort().values, order(1, 2).sort().values)


@pytest.mark.slow
def test_pictures_from_disk(tmp_path):
    save_pictures(tmp_path)
    settings = {"size": 32, "batch": 2, "seed": 0, "workers": 0}
    data = labelled_images.pictures("imagenet", tmp_path, **settings)
    images, _ = next(iter(data.train(0)))
    assert images.shape == (2, 3, 32, 32) and data.classes == 2 and data.steps == 2
    assert sorted(torch.cat([labels for _, labels in data.test()]).tolist()) == [0, 0, 1, 1]
    with pytest.raises(FileNotFoundError, match=r"no such folder\. It must hold cifar100"):
        labelled_images.pictures("cifar100", tmp_path / "no", **settings)
    with pytest.raises(FileNotFoundError, match=f"--data {tmp_path}: holds no cifar-100-python"):
        labelled_images.pictures("cifar100", tmp_path, **settings)


def test_accuracy_is_of_all_batches():
    images = torch.eye(4).repeat(2, 1)
    labels = torch.tensor([0, 1, 2, 3, 0, 0, 0, 0])
    batches = [(images[:6], labels[:6]), (images[6:], labels[6:])]
    model = torch.nn.Linear(4, 4)
    torch.nn.init.eye_(model.weight)
    torch.nn.init.zeros_(model.bias)
    assert labelled_images.accuracy(model, batches) == 5 / 8
