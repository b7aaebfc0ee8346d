"""What the command `sinenerf compress` does: a finished field is trained on with quantisation."""

from pathlib import Path

from sinenerf.common.files import check_folder, check_not_an_input
from sinenerf.occupancy.config import FitConfig
from sinenerf.occupancy.evaluation_report import check_fills
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fit import check_file_size, fit
from sinenerf.occupancy.mesh_input import read_shape

TEACHER_RESOLUTION = 256
"""Cells a side of the field's own surface, where no mesh is given: its cells are 1/128 of a cube unit."""
LEARNING_RATE = 3e-3
"""Lower than a fit's: the field is there already."""


def compress_field(
    path: Path,
    output: Path,
    bits: float | None = None,
    bytes: int | None = None,
    mesh: Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> OccupancyField:
    """Train a field on within a budget of bytes, and write it.

    Args:
        mesh: the truth; the field's own surface where it is None.

    Raises:
        FileNotFoundError: no such field or mesh, or no folder for the output.
        ValueError: no field, no mesh or one of another place or unit, a budget that is too small, or an output that is
            the field or the mesh itself.
    """
    check_folder(output)
    check_not_an_input(output, path, mesh)
    field = OccupancyField.load(path)
    if field.coded and bits is None and bytes is None:
        raise ValueError(
            f"{path}: is rounded already, to {path.stat().st_size:,} bytes. Say how small: --bytes or --bits"
        )
    if minutes is None and steps is None:
        minutes = 1.0
    config = FitConfig(minutes, steps, learning_rate=LEARNING_RATE, seed=seed, bits=bits, bytes=bytes)
    config.check()
    check_file_size(field, config)  # before the surface is made, which may take a minute
    truth, report = (field.mesh(TEACHER_RESOLUTION), None) if mesh is None else read_shape(mesh)
    if mesh is not None:
        check_fills(truth, field.placement, mesh)
    return fit(truth, field.config, config, output, progress=True, start=field, report=report)
