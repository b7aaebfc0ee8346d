"""What programs for shapes share: the true mesh, the settings of the evaluation, the measurement, a picture."""

from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sinenerf.common.axes import upright_axes
from sinenerf.common.files import replacing
from sinenerf.common.mesh_files import FORMATS
from sinenerf.occupancy.evaluate import POINTS, RESOLUTION, Evaluation, Truth
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.upright import guess_up
from sinenerf.rd.results import Measurement, Settings

if TYPE_CHECKING:
    import trimesh

EVALUATION = {"eval_points": POINTS, "eval_resolution": RESOLUTION}
"""Defaults of the evaluation: uniform points for the IoU, and cells per side of the surface for other measures."""

PICTURE_SIZE, PICTURE_TURN = (300, 220), 0.3
"""Width and height of a picture in pixels, and the camera's turn in radians."""


def find_mesh(folder: Path, name: str) -> Path:
    """The mesh folder/name with the extension that exists, .ply before others; with .ply where none does."""
    paths = [folder / f"{name}{suffix}" for suffix in sorted(FORMATS, key=lambda suffix: suffix != ".ply")]
    return next((path for path in paths if path.is_file()), paths[0])


@lru_cache(maxsize=1)  # jobs come scene by scene
def load_truth(path: Path, points: int) -> Truth:
    """A scene's mesh with labelled points."""
    mesh, _ = read_mesh(path)
    return Truth(mesh, Placement.of(mesh, up=guess_up(mesh, path.suffix).up), points)


def split_evaluation(given: Settings) -> tuple[Settings, Settings]:
    """The settings without those of the evaluation, and those of the evaluation, checked and with defaults.

    Raises:
        ValueError: a setting of the evaluation is not a whole number of at least 8.
    """
    evaluation = {name: given.get(name, default) for name, default in EVALUATION.items()}
    for name, value in evaluation.items():
        if not (isinstance(value, int) and value >= 8):
            raise ValueError(f"{name} is {value}: it must be a whole number of at least 8")
    return {name: value for name, value in given.items() if name not in EVALUATION}, evaluation


def measure(
    evaluation: Evaluation, parts: dict[str, float], seconds: float, decode_seconds: float, history: list
) -> Measurement:
    """The measurement of an evaluated shape, from its bytes by part and the seconds that encoding and decoding took."""
    quality = {k: v for k, v in asdict(evaluation).items() if k not in ("bytes", "parameters")}
    return Measurement(quality, parts, evaluation.parameters, round(seconds, 2), history, round(decode_seconds, 5))


def save_mesh_picture(mesh: "trimesh.Trimesh", truth: Truth, artefact: Path) -> None:
    """Save a picture of a decoded shape beside its result, for the page of plots; all of a scene have one camera."""
    from PIL import Image

    from sinenerf.common.mesh_renderer import Framing, MeshRenderer

    upright, true = (
        truth.placement.to_cube(vertices) @ upright_axes(truth.placement.up).T
        for vertices in (mesh.vertices, truth.mesh.vertices)
    )
    try:
        renderer = MeshRenderer(upright, np.asarray(mesh.faces), flat=False)
    except (ImportError, RuntimeError):  # without open3d or its system libraries there is no picture
        return
    framing = Framing(*PICTURE_SIZE)
    image = renderer.render(framing, PICTURE_TURN, framing.distance(true))
    with replacing(artefact.with_suffix(".jpg")) as partial:
        Image.fromarray(image).save(partial, quality=80)
