"""What the commands `sinenerf mesh` and `sinenerf eval` do with files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from sinenerf.files import check_folder
from sinenerf.mesh_files import Z_UP_TO_Y_UP, check_format, save_mesh
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.meshing import Extraction, extract
from sinenerf.occupancy.metrics import Evaluation, evaluate
from sinenerf.occupancy.shapes import read_shape


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
        ValueError: not a field, a format that cannot be written, no surface at this level, a unit that is not positive.
    """
    check_format(output)
    check_folder(output)
    if not metres_per_unit > 0:
        raise ValueError(f"metres per unit is {metres_per_unit}: it must be positive")
    made = extract(OccupancyField.load(path), resolution, level, largest_component)
    shown = made.mesh
    if output.suffix.lower() == ".glb":
        shown = shown.copy()
        shown.apply_scale(metres_per_unit)
        if up == "z":
            shown.apply_transform(Z_UP_TO_Y_UP)
    save_mesh(shown, output)
    return made


def print_evaluation(
    field: OccupancyField, path: Path, mesh: Path, as_json: bool, points: int, resolution: int, seed: int
) -> None:
    """Evaluate the field of a file against a mesh file and print a table, or JSON."""
    from rich.console import Console
    from rich.table import Table

    truth, _ = read_shape(mesh)
    result = evaluate(field, truth, path.stat().st_size, points, resolution, seed)
    if as_json:
        print(json.dumps(asdict(result), indent=2))
        return
    table = Table(show_header=False, title=f"{path} against {mesh}")
    for name, text in _rows(result).items():
        table.add_row(name, text)
    Console().print(table)


def _rows(result: Evaluation) -> dict[str, str]:
    def number(value: float | None) -> str:
        return "no surface" if value is None else f"{value:.4f}"

    chamfer = "no surface" if result.chamfer_l1 is None else f"{100 * result.chamfer_l1:.4f} % of the diagonal"
    return {
        "IoU, uniform in the cube": number(result.iou),
        "IoU, near the surface": number(result.iou_near),
        "Chamfer-L1": chamfer,
        "normal consistency": number(result.normal_consistency),
        "F-score at 0.5 % of the diagonal": number(result.f_score_half_percent),
        "F-score at 1 % of the diagonal": number(result.f_score_one_percent),
        "bytes": f"{result.bytes:,}",
        "parameters": f"{result.parameters or 0:,}",
    }
