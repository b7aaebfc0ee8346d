"""Fitting a field to a mesh: what is done survives a kill."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sinenerf.common import checkpoint
from sinenerf.common.device import best_device
from sinenerf.common.files import check_folder
from sinenerf.common.stopping import interruptible
from sinenerf.occupancy.architecture import FieldConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.file import check_writable, overhead
from sinenerf.occupancy.labels import Placement, Solid
from sinenerf.occupancy.progress import FitProgress
from sinenerf.occupancy.settings import FitConfig
from sinenerf.occupancy.shapes import ShapeReport, prepare_shape
from sinenerf.occupancy.training import Training

if TYPE_CHECKING:
    import trimesh


STATE = "rounded by curvature, with history"
"""What a checkpoint holds: those that older versions left are not gone on with."""


def fit(
    mesh: "trimesh.Trimesh",
    architecture: FieldConfig,
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
        the field, every W kept. After Ctrl-C, as far as it got; the checkpoint stays.

    Raises:
        ValueError: a bad mesh or setting.
        FileNotFoundError: the output's folder is not there.
        RuntimeError: the loss is not finite; the last checkpoint stays.
    """
    config.check()
    if output is not None:
        check_folder(output)
    check_writable(architecture)
    torch.manual_seed(config.seed)
    if solid is None and report is None:
        mesh, report = prepare_shape(mesh)
    placement = Placement.of(mesh) if start is None else start.placement
    field = OccupancyField(architecture, placement)  # impossible settings are refused before any work
    _check_file_size(field, config)
    if start is not None:
        field.load_state_dict(start.state_dict())
    solid = Solid(mesh, placement) if solid is None else solid
    view = FitProgress(progress)
    found = f"{100 * solid.ambiguous_fraction:.2g} % of the points near the surface are ambiguous"
    view.say(f"{report}; {found}" if report else found)
    device = best_device() if config.device == "auto" else config.device
    training = Training(field.to(device), solid, config, view)
    kept = None if output is None else checkpoint.place_of(output)
    if kept is not None:
        training.resume(kept, _fingerprint(mesh, architecture, config, start))
    with interruptible() as stop, view:
        for _ in training.run(stop):
            if kept is not None and training.save_is_due:
                training.save(kept)
    if kept is not None and not training.finished:
        training.save(kept)
    training.finish()
    if history is not None:
        history.extend(training.history)
    field.complete = training.finished
    if output is not None and kept is not None:
        field.save(output)
        if training.finished:
            kept.unlink(missing_ok=True)
        else:
            view.say(f"stopped at step {training.step}: {output} holds the field so far; the same command goes on")
    training.announce(output)
    return field


def _check_file_size(field: OccupancyField, config: FitConfig) -> None:
    """Raise ValueError where not even one bit a number fits the budget."""
    size = config.file_size(field.parameters_count)
    smallest = overhead(field.config, field.placement) + field.parameters_count // 8
    if size is not None and size < smallest:
        raise ValueError(
            f"{size} bytes are too few for {field.parameters_count:,} parameters: "
            f"at least {smallest}, or a smaller network (--width {max(1, field.config.width // 2)})"
        )


def _fingerprint(
    mesh: "trimesh.Trimesh", architecture: FieldConfig, config: FitConfig, start: OccupancyField | None
) -> str:
    """What must agree for a checkpoint to be gone on with."""
    digest = hashlib.sha256(STATE.encode())
    digest.update(np.ascontiguousarray(mesh.triangles, dtype=np.float64).tobytes())
    digest.update(json.dumps([asdict(architecture), asdict(config)], sort_keys=True).encode())
    if start is not None:
        digest.update(start.to_bytes())
    return digest.hexdigest()
