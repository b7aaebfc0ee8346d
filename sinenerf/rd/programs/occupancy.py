"""Program for shapes: occupancy fields; and what all programs for shapes share."""

import hashlib
import math
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sinenerf.common import checkpoint
from sinenerf.common.axes import upright_axes
from sinenerf.common.console import say
from sinenerf.common.files import replacing
from sinenerf.common.mesh_files import FORMATS
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.evaluate import Evaluation, Truth, surface_of
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.upright import guess_up
from sinenerf.rd.results import Measurement, Settings, bytes_by_part, working_folder
from sinenerf.sine_file import describe, load

EVALUATION = {"eval_points": 1_000_000, "eval_resolution": 256}
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


class OccupancyProgram:
    """An occupancy field, as `sinenerf fit` makes it: the settings are those of OccupancyConfig and FitConfig."""

    trains = True

    def resolve(self, given: Settings) -> Settings:
        given, evaluation = split_evaluation(given)
        architecture, config = split_settings(given)
        config.check()
        build_network(architecture)
        settings = asdict(architecture) | asdict(config) | evaluation
        # the machine chooses these unless they are given, so they are not part of the job
        chosen = {"device", "precision"} - set(given)
        return {name: value for name, value in settings.items() if name not in chosen}

    def estimate(self, settings: Settings) -> float | None:
        seconds, _ = _fit_settings(settings)[1].budget()
        return None if math.isinf(seconds) else seconds + 6  # with scoring

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return [scene]

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Measurement | None:
        truth, trained = load_truth(scene, settings["eval_points"]), working_folder(artefact) / "trained.pt"
        history = _trained_history(trained, scene, artefact)
        if not history:
            fitted = fit(truth.mesh, *_fit_settings(settings), artefact, history=history, solid=truth.solid)
            if not fitted.complete:
                return None
            trained.parent.mkdir(exist_ok=True)
            checkpoint.save(trained, {"fingerprint": _fingerprint(scene, artefact), "history": history})
        begin = time.process_time()
        field = load(artefact)
        assert isinstance(field, OccupancyField)
        surface = surface_of(field, settings["eval_resolution"])
        decode_seconds = time.process_time() - begin
        info = describe(artefact)
        evaluation = truth.evaluate_field(field, info.bytes, surface)
        if surface is not None:
            save_picture(surface, truth, artefact)
        return measure(evaluation, bytes_by_part(info), history[-1]["seconds"], decode_seconds, history)


def _trained_history(trained: Path, scene: Path, artefact: Path) -> list[dict[str, float]]:
    """The history of a training that was completed but not scored; empty where there is none.

    Its checkpoint is removed by then, and scoring takes seconds, training minutes.
    """
    state = checkpoint.load(trained, say, _fingerprint(scene, artefact)) if artefact.is_file() else None
    return [] if state is None else state["history"]


def _fingerprint(scene: Path, artefact: Path) -> str:
    """Hash of the mesh and the field: while it agrees, the field can be scored without training again."""
    return hashlib.sha256(scene.read_bytes() + artefact.read_bytes()).hexdigest()


def _fit_settings(settings: Settings) -> tuple[OccupancyConfig, FitConfig]:
    return split_settings({name: value for name, value in settings.items() if name not in EVALUATION})


def save_picture(mesh: Any, truth: Truth, artefact: Path) -> None:
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
