"""The good capture as each of its three kinds, and how a case of `capture_corpus` changes a copy of it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from support.capture_layouts import colmap_data, nerfstudio_data

LAYOUTS = {"llff": None, "transforms": nerfstudio_data, "colmap": colmap_data}


@dataclass(frozen=True)
class Case:
    """A capture, and the outcome: accepted with the right cameras (perhaps with a note), or refused with one line."""

    name: str
    kind: str
    change: Callable[[Path], object]
    refused: tuple[str, ...] = ()
    """Words of the line; nothing for a capture that is accepted."""
    noted: tuple[str, ...] = ()
    """Words of the notes."""
    views: int = 9
    """Number of views that are read."""
    options: dict = field(default_factory=dict)
    """Arguments of `read_photographs`."""
    opened: str = "."
    """What is opened, below the capture's folder."""


CASES: list[Case] = []


def case(kind: str, *refused: str, **options):
    """Add a case whose change is the decorated function."""

    def add(change):
        CASES.append(Case(change.__name__, kind, change, refused, **options))
        return change

    return add


def make(kind: str, scene: Path, target: Path) -> None:
    """Write the good capture, an LLFF folder of nine photographs, as one of its three kinds."""
    if kind == "llff":
        shutil.copytree(scene, target)
        return
    target.mkdir()
    LAYOUTS[kind](scene, target)


def picture(folder: Path, view: int = 4) -> Path:
    return folder / "images" / f"image{view:03d}.png"


def resave(path: Path, change, suffix: str | None = None, **options) -> Path:
    """Write a changed photograph in place of one, perhaps with another suffix."""
    with Image.open(path) as image:
        image.load()
    path.unlink()
    target = path if suffix is None else path.with_suffix(suffix)
    change(image).save(target, **options)
    return target


def edit_table(folder: Path, change) -> None:
    table = np.load(folder / "poses_bounds.npy")
    changed = change(table)
    np.save(folder / "poses_bounds.npy", table if changed is None else changed)


def edit_json(folder: Path, change) -> None:
    path = folder / "transforms.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def edit_frame(folder: Path, change, view: int = 4) -> None:
    edit_json(folder, lambda content: change(content["frames"][view]))


def rename_frames(folder: Path, change) -> None:
    """Change the paths of all frames."""
    edit_json(folder, lambda c: [f.update(file_path=change(f["file_path"])) for f in c["frames"]])


def edit_pose(folder: Path, change, view: int = 4) -> None:
    """Change the 4x4 matrix of a frame."""

    def edit(frame):
        pose = np.array(frame["transform_matrix"])
        changed = change(pose)
        frame["transform_matrix"] = (pose if changed is None else changed).tolist()

    edit_frame(folder, edit, view)


def edit_lines(folder: Path, name: str, change) -> None:
    """Change the lines of a file of a COLMAP text model."""
    path = folder / "sparse" / name
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def scaled_columns(matrix: np.ndarray, factors) -> np.ndarray:
    return matrix @ np.diag([*factors, 1.0])
