"""What `sinenerf mesh` does with a file."""

from pathlib import Path
from typing import Literal

from sinenerf.common.checks import check_positive
from sinenerf.common.files import check_folder
from sinenerf.common.mesh_files import Z_UP_TO_Y_UP, check_format, save_mesh
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.surface import Extraction, extract_surface


def export_mesh(
    path: Path,
    output: Path,
    resolution: int = 512,
    level: float = 0.5,
    up: Literal["y", "z"] = "y",
    metres_per_unit: float = 1.0,
    largest_component: bool = False,
) -> Extraction:
    """Write a field's surface where the fitted mesh lay. Only GLB is turned and scaled: glTF is y-up and in metres.

    Raises:
        FileNotFoundError: no such field, or no folder for the output.
        ValueError: not a field, a format that cannot be written, no surface at this level, a unit that is not positive,
            or one, or an axis, for another format than GLB.
    """
    check_format(output)
    glb = output.suffix.lower() == ".glb"
    if not glb and (up, metres_per_unit) != ("y", 1.0):
        raise ValueError(
            f"{output}: only .glb is turned and scaled. Leave --up and --metres-per-unit out, or write .glb"
        )
    check_folder(output)
    check_positive("metres per unit", metres_per_unit)
    field = OccupancyField.load(path)
    made = extract_surface(field.logits, field.placement, resolution, level, largest_component)
    shown = made.mesh
    if glb:
        shown = shown.copy()
        shown.apply_scale(metres_per_unit)
        if up == "z":
            shown.apply_transform(Z_UP_TO_Y_UP)
    save_mesh(shown, output)
    return made
