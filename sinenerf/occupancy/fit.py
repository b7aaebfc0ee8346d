"""Fitting an occupancy field to a mesh. Repeating the call resumes an interrupted or killed fit."""

import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sinenerf.codec.container import SUFFIX
from sinenerf.common import checkpoint
from sinenerf.common.axes import UpChoice
from sinenerf.common.checks import check_choice
from sinenerf.common.files import check_not_an_input, check_output
from sinenerf.common.hardware import best_device
from sinenerf.common.progress import TaskProgress
from sinenerf.occupancy.config import FitConfig, OccupancyConfig
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.header import check_writable, overhead
from sinenerf.occupancy.mesh_input import MeshReport, prepare_mesh, read_mesh
from sinenerf.occupancy.mirror import Mirror
from sinenerf.occupancy.mirror_trial import folding_pays
from sinenerf.occupancy.shell import Shell, thickness_of
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import LARGEST_AMBIGUOUS_FRACTION, Placement, Solid
from sinenerf.occupancy.symmetry import chosen_mirror
from sinenerf.occupancy.training import Training
from sinenerf.occupancy.upright import UpGuess, guess_up

if TYPE_CHECKING:
    import trimesh

SEARCHED_STEPS, SEARCHED_SECONDS = 1000, 15.0
"""Shorter trainings do without the search for a plane of symmetry, which takes about a second."""


def fit_mesh(
    mesh: "trimesh.Trimesh | trimesh.Scene | str | Path",
    output: str | Path | None = None,
    *,
    progress: bool = False,
    thickness: float | str | None = None,
    strict: bool = False,
    up: UpChoice = "auto",
    **settings: Any,
) -> OccupancyField:
    """Fit a field to any mesh. The settings are those of `OccupancyConfig` and `FitConfig`.

    If `bytes` is given, settings that are left out are chosen to suit that size. If neither a size nor a network is
    given, `bytes` is 3,000.

    Args:
        mesh: a mesh; a scene, whose geometries are merged; or the path of a PLY, OBJ, STL, GLB or OFF file.
        output: the file to write, as in `fit`.
        progress: show a description of the mesh, and how far the fit is: by a bar, or by lines without a terminal.
        thickness: fit a shell around an open sheet: its thickness in the mesh's unit, or '2%' of its longest side.
        strict: refuse a mesh that is not a solid, of which more than a tenth of the points near the surface are
            ambiguous, instead of warning.
        up: axis of the mesh that points up, which the file remembers for those who show the shape; "auto" guesses it
            (`upright.guess_up`).

    Returns:
        the field, as in `fit`.

    Raises:
        FileNotFoundError: the mesh or the output's folder does not exist.
        TypeError: `mesh` is not a mesh, a scene or a path.
        ValueError: the mesh is empty, flat, not finite or encloses no volume; a setting is unknown or impossible; or
            the output is the mesh itself.
        RuntimeError: the loss is not finite.
    """
    architecture, config = split_settings(settings)
    config.check()  # before any work
    check_choice("up axis", up, UpChoice)
    output = None if output is None else Path(output)
    if output is not None:
        check_output(output, SUFFIX)
    if isinstance(mesh, str | Path):
        if output is not None:
            check_not_an_input(output, Path(mesh))
        prepared, report = read_mesh(mesh, sheet=thickness is not None)
    else:
        prepared, report = prepare_mesh(mesh, sheet=thickness is not None)
    guess = None
    if up == "auto":
        guess = guess_up(prepared, Path(mesh).suffix if isinstance(mesh, str | Path) else "")
        up = guess.up
    if thickness is None:
        solid = Solid(prepared, Placement.of(prepared, up=up))
    else:
        thick = thickness_of(thickness, prepared)
        solid = Shell(prepared, Placement.of(prepared, thick / 2, up), thick)
    return fit(prepared, architecture, config, output, progress, solid=solid, report=report, strict=strict, guess=guess)


def fit(
    mesh: "trimesh.Trimesh",
    architecture: OccupancyConfig,
    config: FitConfig,
    output: Path | None = None,
    progress: bool = False,
    history: list[dict[str, float]] | None = None,
    start: OccupancyField | None = None,
    solid: Solid | None = None,
    report: MeshReport | None = None,
    strict: bool = False,
    guess: UpGuess | None = None,
) -> OccupancyField:
    """Fit a field to a prepared mesh (`mesh_input.prepare_mesh`).

    Args:
        output: the file to write. A checkpoint is kept beside it during training; the same call resumes from it.
        progress: show the report, and how far the fit is, with the remaining time and the IoU on held-out points.
        history: extended by {step, seconds, loss, iou} of each evaluation on the held-out points, including those
            before an interruption.
        start: a field whose parameters and placement training starts from.
        solid: the mesh as a solid in the field's placement. Fits that share a solid share its labelled points.
        report: the report on the mesh, for the user.
        strict: refuse a mesh that is not a solid instead of warning.
        guess: of the axis that points up in the solid's placement, for the user.

    Returns:
        the field, in evaluation mode with every W cached. After Ctrl-C `complete` is False, the checkpoint remains, and
        an output that existed before the training is unchanged.

    Raises:
        ValueError: a setting is impossible, or the mesh encloses no volume or, if `strict`, is not a solid.
        FileNotFoundError: the output's folder does not exist.
        RuntimeError: the loss is not finite; the last checkpoint remains.
    """
    config.check()
    architecture.check()
    if output is not None:
        check_output(output, SUFFIX)
    check_writable(architecture)
    placement = Placement.of(mesh) if solid is None else solid.placement
    field = _initial_field(placement, architecture, config, start)  # refuses impossible settings before any work
    solid = Solid(mesh, field.placement) if solid is None else solid
    bar = TaskProgress("Fitting", progress)
    _describe(solid, report, bar, strict)
    if guess is not None:
        bar.say(str(guess))
    saved: Path | None = None
    state: checkpoint.State | None = None
    fingerprint = ""
    if output is not None:
        saved, fingerprint = checkpoint.path_for(output), _fingerprint(solid, architecture, config, start)
        state = checkpoint.load(saved, bar.say, fingerprint)
    if state is not None:
        field.placement = replace(field.placement, mirror=state["mirror"] and Mirror(*state["mirror"]))
    elif start is None:
        field.placement = _folded(solid, field, config, bar)
    device = best_device() if config.device == "auto" else config.device
    training = Training(field.to(device), solid, config, bar)
    training.fingerprint, training.output_existed = fingerprint, output is not None and output.exists()
    if state is not None:
        training.resume(state)
    training.complete(saved)
    field.complete = training.finished
    if history is not None:
        history.extend(training.history)
    written = output is not None and checkpoint.save_result(field, output, training.output_existed)
    if output is not None and not field.complete:
        bar.say(checkpoint.interruption_message(output, written, f" at step {training.step}"))
    training.announce(output if written else None)
    return field


def _folded(solid: Solid, field: OccupancyField, config: FitConfig, bar: TaskProgress) -> Placement:
    """The solid's placement with a plane of symmetry, if the field is to have one."""
    seconds, steps = config.budget()
    if config.mirror == "auto" and (steps < SEARCHED_STEPS or seconds < SEARCHED_SECONDS):
        return solid.placement
    size = config.file_size(field.parameters_count) or 4 * field.parameters_count
    found = chosen_mirror(
        solid, config.mirror, size, lambda plane: folding_pays(field, solid, config, plane, size, bar)
    )
    if found is None:
        return solid.placement
    mirror, difference = found
    bar.say(f"one half is fitted: {mirror} is a plane of symmetry, but for {100 * difference:.2g} % of the volume")
    return replace(solid.placement, mirror=mirror)


def _describe(solid: Solid, report: MeshReport | None, bar: TaskProgress, strict: bool) -> None:
    """Show the report on a mesh, and warn where it is not a solid.

    Raises:
        ValueError: it is not a solid, and `strict`.
    """
    share = solid.ambiguous_fraction
    if solid.thickness:
        nature = f"a shell of thickness {solid.thickness * solid.placement.scale:.4g} around it is fitted"
    else:
        nature = f"{100 * share:.2g} % of the points near the surface are ambiguous"
    bar.say(f"{report}; {nature}" if report else nature)
    if share <= LARGEST_AMBIGUOUS_FRACTION:
        return
    fault = (
        f"the mesh is not a solid: {100 * share:.0f} % of the points near its surface are neither clearly inside nor "
        f"outside (more than {100 * LARGEST_AMBIGUOUS_FRACTION:.0f} %)"
    )
    mending = "Close its holes (MeshLab: Close Holes), or fit a shell around it: --thickness 2%"
    if strict:
        raise ValueError(f"{fault}. {mending}")
    bar.warn(
        f"{fault}. The field will tell on which side of the surface most of the mesh lies, and will close its holes by "
        f"surfaces of its own; inside and outside, volumes and the IoU mean little there. {mending}"
    )


def _initial_field(
    placement: Placement, architecture: OccupancyConfig, config: FitConfig, start: OccupancyField | None
) -> OccupancyField:
    """The field before training: new, or a copy of `start`."""
    with torch.random.fork_rng(devices=[]):  # leaves the caller's generator unchanged
        torch.default_generator.manual_seed(int(config.seed))
        field = OccupancyField(architecture, placement if start is None else start.placement)
    check_file_size(field, config, trained=start is not None)
    if start is not None:
        field.load_state_dict(start.state_dict())
    return field


def check_file_size(field: OccupancyField, config: FitConfig, trained: bool = False) -> None:
    """Raise ValueError if the budget is less than one bit per parameter. A trained network keeps its size."""
    size = config.file_size(field.parameters_count)
    smallest = overhead(field.config, field.placement) + field.parameters_count // 8
    if size is not None and size < smallest:
        if config.bytes is None:
            mending = f"--bits {math.ceil(80 * smallest / field.parameters_count) / 10}"
        else:
            smaller = f", or a smaller network (--width {max(1, field.config.width // 2)})"
            mending = f"--bytes {smallest}{'' if trained else smaller}"
        raise ValueError(f"{size} bytes are too few for {field.parameters_count:,} parameters: give at least {mending}")


def _fingerprint(solid: Solid, architecture: OccupancyConfig, config: FitConfig, start: OccupancyField | None) -> str:
    """Hash of a training's inputs and settings. A checkpoint with another fingerprint is not resumed."""
    digest = hashlib.sha256(np.ascontiguousarray(solid.mesh.triangles, dtype=np.float64).tobytes())
    place = replace(solid.placement, up="y")  # which may change while a training is interrupted
    settings = [asdict(architecture), asdict(config), asdict(place), solid.thickness]
    digest.update(json.dumps(settings, sort_keys=True, default=np.generic.item).encode())
    if start is not None:
        digest.update(start.to_bytes())
    return digest.hexdigest()
