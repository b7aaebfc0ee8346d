"""Fitting a field to a mesh: what is done survives a kill."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sinenerf.common import checkpoint
from sinenerf.common.console import interruptible
from sinenerf.common.files import check_folder
from sinenerf.common.hardware import best_device
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit_progress import FitProgress
from sinenerf.occupancy.header import check_writable, overhead
from sinenerf.occupancy.mesh_input import ShapeReport, prepare_shape
from sinenerf.occupancy.solid import Placement, Solid
from sinenerf.occupancy.training import Training

if TYPE_CHECKING:
    import trimesh


STATE = "rounded by curvature, with history and what is spared"
"""What a checkpoint holds: those that older versions left are not gone on with."""


def fit(
    mesh: "trimesh.Trimesh",
    architecture: OccupancyConfig,
    config: FitConfig,
    output: Path | None = None,
    progress: bool = False,
    history: list[dict[str, float]] | None = None,
    start: OccupancyField | None = None,
    solid: Solid | None = None,
    report: ShapeReport | None = None,
) -> OccupancyField:
    """Fit a field to a mesh.

    Args:
        output: write the field there. Beside it a checkpoint is kept while training, and found again by the same call.
        progress: show what the mesh is like, and a bar with the time left and the IoU of held-out points.
        start: go on from this field's numbers, in its placement.
        solid: of the mesh, which is prepared (`shapes.prepare_shape`): then its labelled points are kept from fit to
            fit. Else it is made here.
        report: of the mesh, which is prepared: both by `shapes.read_shape`. Else it is prepared here.
        history: takes {step, seconds, loss, iou} of every look at the held-out points, those before a kill too.

    Returns:
        the field, every W kept. After Ctrl-C, as far as it got; the checkpoint stays, and so does what was at the
        output before this training began.

    Raises:
        ValueError: a bad mesh or setting.
        FileNotFoundError: the output's folder is not there.
        RuntimeError: the loss is not finite; the last checkpoint stays.
    """
    config.check()
    architecture.check()
    if output is not None:
        check_folder(output)
    check_writable(architecture)
    if solid is None and report is None:
        mesh, report = prepare_shape(mesh)
    field = _beginning(mesh, architecture, config, start)  # impossible settings are refused before any work
    solid = Solid(mesh, field.placement) if solid is None else solid
    view = FitProgress(progress)
    found = f"{100 * solid.ambiguous_fraction:.2g} % of the points near the surface are ambiguous"
    view.say(f"{report}; {found}" if report else found)
    device = best_device() if config.device == "auto" else config.device
    training = Training(field.to(device), solid, config, view)
    kept = None if output is None else checkpoint.path_for(output)
    if output is not None and kept is not None:
        training.keeps_existing = output.exists()
        training.resume(kept, _fingerprint(mesh, architecture, config, start))
    _train(training, kept)
    field.complete = training.finished
    if history is not None:
        history.extend(training.history)
    at = f" at step {training.step}"
    written = output is not None and checkpoint.save_finished(field, output, training.keeps_existing, view.say, at)
    training.announce(output if written else None)
    return field


def _beginning(
    mesh: "trimesh.Trimesh", architecture: OccupancyConfig, config: FitConfig, start: OccupancyField | None
) -> OccupancyField:
    """The field at the start of a training: new, or with another's numbers in its place."""
    with torch.random.fork_rng(devices=[]):  # the caller draws on as if nothing had happened
        torch.default_generator.manual_seed(int(config.seed))
        field = OccupancyField(architecture, Placement.of(mesh) if start is None else start.placement)
    check_file_size(field, config)
    if start is not None:
        field.load_state_dict(start.state_dict())
    return field


def _train(training: Training, kept: Path | None) -> None:
    """To the end, or to Ctrl-C, with a checkpoint kept at a path."""
    with interruptible() as stop, training.view:
        for _ in training.run(stop):
            if kept is not None and training.save_is_due:
                training.save(kept)
    if kept is not None and not training.finished:
        training.save(kept)
    training.finish()


def check_file_size(field: OccupancyField, config: FitConfig) -> None:
    """Raise ValueError where not even one bit a number fits the budget."""
    size = config.file_size(field.parameters_count)
    smallest = overhead(field.config, field.placement) + field.parameters_count // 8
    if size is not None and size < smallest:
        raise ValueError(
            f"{size} bytes are too few for {field.parameters_count:,} parameters: "
            f"at least {smallest}, or a smaller network (--width {max(1, field.config.width // 2)})"
        )


def _fingerprint(
    mesh: "trimesh.Trimesh", architecture: OccupancyConfig, config: FitConfig, start: OccupancyField | None
) -> str:
    """What must agree for a checkpoint to be gone on with."""
    digest = hashlib.sha256(STATE.encode())
    digest.update(np.ascontiguousarray(mesh.triangles, dtype=np.float64).tobytes())
    settings = [asdict(architecture), asdict(config)]
    digest.update(json.dumps(settings, sort_keys=True, default=np.generic.item).encode())
    if start is not None:
        digest.update(start.to_bytes())
    return digest.hexdigest()
