"""Quality of occupancy fields: shapes, runs and settings from a file in configs/.

    python scripts/benchmark_shapes.py configs/shapes-relation.toml --data data/shapes

Each run is written as soon as it is done; those that are there already are not run again.
"""

import json
import sys
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import tyro

from sinenerf.common import hardware
from sinenerf.occupancy.evaluate import evaluate
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.mesh_input import read_shape
from sinenerf.occupancy.sizing import split_settings


@dataclass
class Options:
    plan: Annotated[Path, tyro.conf.Positional]
    """File with the shapes, the runs and their settings."""
    data: Path
    """Folder of the meshes, NAME.ply."""
    results: Path = Path("scripts/results")
    """Where results go, in a folder named after the plan and the shape."""


def main(options: Options) -> None:
    plan = tomllib.loads(options.plan.read_text())
    for shape in plan["shapes"]:
        folder = options.results / options.plan.stem / shape
        folder.mkdir(parents=True, exist_ok=True)
        mesh, _ = read_shape(options.data / f"{shape}.ply")
        for run in plan["runs"]:
            target = folder / f"{run['name']}.json"
            if target.exists():
                continue
            settings = {**plan.get("settings", {}), **run.get("settings", {})}
            result = one_run(mesh, settings)
            target.write_text(json.dumps({**result, "hardware": hardware.measured_on()}, indent=2) + "\n")
            print(f"{shape}, {run['name']}: IoU {result['quality']['iou']:.4f}", flush=True)


def one_run(mesh, settings: dict) -> dict:
    """Fit and evaluate; `history` shows whether training had converged."""
    history: list[dict[str, float]] = []
    with TemporaryDirectory() as folder:
        output = Path(folder) / "shape.sine"
        field = fit(mesh, *split_settings(settings), output, history=history)
        if not field.complete:  # after Ctrl-C
            sys.exit(130)
        quality = evaluate(field, mesh, output.stat().st_size)
    return {"settings": settings, "quality": asdict(quality), "history": history}


if __name__ == "__main__":
    main(tyro.cli(Options))
