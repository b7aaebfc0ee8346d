"""Programs for shapes: our occupancy fields, and quadric decimation + Draco, the best that compressed meshes can do."""

import hashlib
import math
import time
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sinenerf.common import checkpoint
from sinenerf.common.files import replacing
from sinenerf.common.mesh_files import FORMATS, draco, undraco
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.evaluate import Evaluation, Truth, surface_of
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.mesh_input import read_shape
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement
from sinenerf.rd.results import Result, Settings, parts_of, working_folder


def find_mesh(folder: Path, name: str) -> Path:
    """folder/name with the first extension that is there, .ply before others; .ply where none is."""
    places = [folder / f"{name}{suffix}" for suffix in sorted(FORMATS, key=lambda suffix: suffix != ".ply")]
    return next((place for place in places if place.is_file()), places[0])


EVALUATION = {"eval_points": 1_000_000, "eval_resolution": 256}
"""Of every program: uniform points for the IoU, and cells a side of the surface for the other measures."""

PICTURE_SIZE, PICTURE_TURN = (300, 220), 0.3
"""Pixels of a picture, and the camera's turn in radians."""


@lru_cache(maxsize=1)  # jobs come scene by scene
def truth_of(path: Path, points: int) -> Truth:
    """A scene's mesh with its labelled points."""
    mesh, _ = read_shape(path)
    return Truth(mesh, Placement.of(mesh), points)


def _evaluation(given: Settings) -> Settings:
    """The settings of the evaluation, checked and taken out of `given`."""
    settings = {name: given.pop(name, default) for name, default in EVALUATION.items()}
    for name, value in settings.items():
        if not (isinstance(value, int) and value >= 8):
            raise ValueError(f"{name} is {value}: it must be a whole number of at least 8")
    return settings


def _result(settings: Settings, made: Evaluation, parts: dict[str, float], seconds: float, history: list) -> Result:
    quality = {k: v for k, v in asdict(made).items() if k not in ("bytes", "parameters")}
    return Result("", "", "", "", settings, quality, parts, made.parameters, round(seconds, 2), history)


class FieldProgram:
    """An occupancy field, as `sinenerf fit` makes it: settings are those of OccupancyConfig and FitConfig."""

    trains = True

    def resolve(self, given: Settings) -> Settings:
        given = dict(given)
        evaluation = _evaluation(given)
        architecture, config = split_settings(given)
        config.check()
        build_network(architecture)
        settings = asdict(architecture) | asdict(config) | evaluation
        # the machine's own choice, and so no part of a job, unless it is given
        chosen = {"device", "precision"} - set(given)
        return {name: value for name, value in settings.items() if name not in chosen}

    def estimate(self, settings: Settings) -> float:
        _, config = _fit_settings(settings)
        seconds, steps = config.budget()
        # 4e9 multiplications a second in training is what two shared cores make
        work = steps * config.batch * settings["width"] ** 2 * settings["depth"] * 3 / 4e9
        return (work if math.isinf(seconds) else seconds) + 6

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return [scene]

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Result | None:
        from sinenerf.sine_file import describe, load

        truth, trained = truth_of(scene, settings["eval_points"]), working_folder(artefact) / "trained.pt"
        history = _history_of(trained, scene, artefact)
        if not history:
            fitted = fit(truth.mesh, *_fit_settings(settings), artefact, history=history, solid=truth.solid)
            if not fitted.complete:
                return None
            trained.parent.mkdir(exist_ok=True)
            checkpoint.save(trained, {"fingerprint": _fingerprint(scene, artefact), "history": history})
        field = load(artefact)
        assert isinstance(field, OccupancyField)
        info = describe(artefact)
        surface = surface_of(field, settings["eval_resolution"])
        made = truth.of_field(field, surface, info.bytes)
        if surface is not None:
            save_picture(surface, truth, artefact)
        return _result(settings, made, parts_of(info), history[-1]["seconds"], history)


def _history_of(trained: Path, scene: Path, artefact: Path) -> list[dict[str, float]]:
    """The looks of a training that was done, though its scoring was stopped; empty where there is none to go on with.

    The field's own checkpoint is gone by then, and scoring takes seconds, training minutes.
    """
    state = checkpoint.read(trained, print, _fingerprint(scene, artefact)) if artefact.is_file() else None
    return [] if state is None else state["history"]


def _fingerprint(scene: Path, artefact: Path) -> str:
    """What must be as it was for a field to be scored without being trained again."""
    return hashlib.sha256(scene.read_bytes() + artefact.read_bytes()).hexdigest()


def _fit_settings(settings: Settings) -> tuple[OccupancyConfig, FitConfig]:
    return split_settings({name: value for name, value in settings.items() if name not in EVALUATION})


class DracoProgram:
    """Quadric decimation (Garland and Heckbert 1997) by fast-simplification, then Google's Draco at its smallest.

    Settings: faces, how many are kept; bits, to which positions are rounded.
    """

    trains = False

    def resolve(self, given: Settings) -> Settings:
        given = dict(given)
        evaluation = _evaluation(given)
        if unknown := set(given) - {"faces", "bits"}:
            raise ValueError(f"no setting of draco is called {sorted(unknown)[0]!r}: there are faces and bits")
        settings = {"faces": given.get("faces", 2000), "bits": given.get("bits", 10)}
        if not (isinstance(settings["faces"], int) and settings["faces"] >= 4):
            raise ValueError(f"faces is {settings['faces']}: it must be a whole number of at least 4")
        if not (isinstance(settings["bits"], int) and 1 <= settings["bits"] <= 30):
            raise ValueError(f"bits is {settings['bits']}: it must be a whole number from 1 to 30")
        return settings | evaluation

    def estimate(self, settings: Settings) -> float:
        return 3.0

    def files(self, scene: Path, settings: Settings) -> list[Path]:
        return [scene]

    def run(self, scene: Path, settings: Settings, artefact: Path) -> Result | None:
        truth, begin = truth_of(scene, settings["eval_points"]), time.monotonic()
        data = draco(truth.mesh, settings["faces"], settings["bits"])
        seconds = time.monotonic() - begin
        with replacing(artefact.with_suffix(".drc")) as partial:
            partial.write_bytes(data)
        save_picture(undraco(data), truth, artefact)
        return _result(settings, truth.of_mesh(undraco(data), len(data)), {"total": len(data)}, seconds, [])


def save_picture(mesh: Any, truth: Truth, artefact: Path) -> None:
    """What was made of a shape, from where all of its scene are seen, beside the result: for the page of plots."""
    from PIL import Image

    from sinenerf.common.mesh_renderer import Framing, MeshRenderer

    try:
        renderer = MeshRenderer(truth.placement.to_cube(mesh.vertices), np.asarray(mesh.faces), flat=False)
    except (ImportError, RuntimeError):  # open3d or its system libraries are not there: then no picture
        return
    image = renderer.render(Framing(*PICTURE_SIZE), PICTURE_TURN)
    with replacing(artefact.with_suffix(".jpg")) as partial:
        Image.fromarray(image).save(partial, quality=80)
