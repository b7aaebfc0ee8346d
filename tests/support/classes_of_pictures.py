"""A small dataset of pictures in the folders of ImageNet."""

from pathlib import Path

from PIL import Image


def save_pictures(folder: Path) -> None:
    """Save train/ and val/ with two classes of two pictures each."""
    for part in ("train", "val"):
        for name in ("cat", "dog"):
            (folder / part / name).mkdir(parents=True)
            for index in range(2):
                Image.new("RGB", (40, 30), (80 * index, 0, 99)).save(folder / part / name / f"{index}.png")
