"""What the command `sinenerf compress` does: a finished field is trained on with quantisation."""

from pathlib import Path

from sinenerf.common.files import check_folder
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.fitting import fit
from sinenerf.occupancy.settings import FitConfig
from sinenerf.occupancy.shapes import read_shape

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
        ValueError: no field, no mesh, or a budget that is too small.
    """
    check_folder(output)
    if output.exists() and output.samefile(path):
        raise ValueError(f"{output}: is the file that is to be made smaller. Give another name: Ctrl-C would spoil it")
    field = OccupancyField.load(path)
    if field.coded and bits is None and bytes is None:
        raise ValueError(
            f"{path}: is rounded already, to {path.stat().st_size:,} bytes. Say how small: --bytes or --bits"
        )
    if minutes is None and steps is None:
        minutes = 1.0
    config = FitConfig(minutes, steps, learning_rate=LEARNING_RATE, seed=seed, bits=bits, bytes=bytes)
    config.check()
    truth, report = (field.mesh(TEACHER_RESOLUTION), None) if mesh is None else read_shape(mesh)
    return fit(truth, field.config, config, output, progress=True, start=field, report=report)
