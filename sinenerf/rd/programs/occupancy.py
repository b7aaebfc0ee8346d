"""Program for shapes: occupancy fields."""

import hashlib
import math
import time
from dataclasses import asdict
from pathlib import Path

from sinenerf.common import checkpoint
from sinenerf.common.console import say
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.evaluate import surface_of
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.sizing import split_settings
from sinenerf.rd.programs.shapes import load_truth, measure, save_mesh_picture, split_evaluation
from sinenerf.rd.results import Measurement, Settings, bytes_by_part, working_folder
from sinenerf.sine_file import describe, load


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
            save_mesh_picture(surface, truth, artefact)
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
    return split_settings(split_evaluation(settings)[0])
