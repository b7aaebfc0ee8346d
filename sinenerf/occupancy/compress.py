"""Compression of a finished occupancy field: it is trained further, then its parameters are rounded to fit a budget."""

from pathlib import Path

from sinenerf.codec.container import SUFFIX
from sinenerf.common.files import check_not_an_input, check_output
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.evaluate import check_placement
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import check_file_size, fit
from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh
from sinenerf.occupancy.shell import Shell, thickness_of

TEACHER_RESOLUTION = 256
"""Grid cells per side when the field's own surface is extracted as the target: a cell is 1/128 of a cube unit."""
LEARNING_RATE = 3e-3
"""Lower than in a fit, since the field is already trained."""


def compress(
    path: Path,
    output: Path,
    bits: float | None = None,
    bytes: int | None = None,
    mesh: Path | None = None,
    thickness: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> OccupancyField:
    """Train the field in a file to fit a smaller budget, and write it.

    Args:
        bits, bytes: the budget, as in `FitConfig`.
        mesh: the mesh to train on; by default the field's own surface.
        thickness: if the field is that of a shell around the mesh, its thickness, as in `fit.fit_mesh`.
        minutes, steps: training budget, as in `FitConfig`; by default one minute.
        progress: show a description of the mesh, and how far the training is.

    Returns:
        the field, as in `fit.fit`.

    Raises:
        FileNotFoundError: the field, the mesh or the output's folder does not exist.
        ValueError: the file does not hold an occupancy field, or holds a rounded one and no budget is given; the mesh
            is invalid, or lies elsewhere than the field or has another unit; a thickness is given without a mesh, or
            is none; the budget is too small; the output is one of the inputs.
    """
    if thickness is not None and mesh is None:
        raise ValueError("--thickness is that of a shell around a mesh: give --mesh, too, or neither")
    check_output(output, SUFFIX)
    check_not_an_input(output, path, mesh)
    field = OccupancyField.load(path)
    if field.coded and bits is None and bytes is None:
        raise ValueError(
            f"{path}: is already rounded, to {path.stat().st_size:,} bytes. Give the new size: --bytes or --bits"
        )
    if minutes is None and steps is None:
        minutes = 1.0
    config = FitConfig(minutes, steps, learning_rate=LEARNING_RATE, seed=seed, bits=bits, bytes=bytes)
    config.check()
    check_file_size(field, config, trained=True)  # before extracting the surface, which may take a minute
    solid = None
    if mesh is None:
        truth, report = prepare_mesh(field.mesh(TEACHER_RESOLUTION))
    else:
        truth, report = read_mesh(mesh, sheet=thickness is not None)
        check_placement(truth, field.placement, mesh)
        if thickness is not None:
            solid = Shell(truth, field.placement, thickness_of(thickness, truth))
    return fit(truth, field.config, config, output, progress=progress, start=field, solid=solid, report=report)
