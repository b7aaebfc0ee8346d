"""What `sinenerf eval` prints of a shape."""

import json
from dataclasses import asdict
from pathlib import Path

from sinenerf.common.checks import check_seed
from sinenerf.occupancy.evaluate import Evaluation, check_placement, evaluate
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.mesh_input import read_mesh


def print_evaluation(
    field: OccupancyField, path: Path, mesh: Path, as_json: bool, points: int, resolution: int, seed: int
) -> None:
    """Evaluate the field of a file against a mesh file and print a table, or JSON.

    Raises:
        ValueError: no mesh, or one of another place or unit.
    """
    from rich.console import Console
    from rich.table import Table

    check_seed(seed)
    truth, _ = read_mesh(mesh)
    check_placement(truth, field.placement, mesh)
    result = evaluate(field, truth, path.stat().st_size, points, resolution, seed)
    if as_json:
        print(json.dumps(asdict(result), indent=2))
        return
    table = Table(show_header=False, title=f"{path} against {mesh}")
    for name, text in _rows(result).items():
        table.add_row(name, text)
    Console(markup=False, emoji=False).print(table)


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
