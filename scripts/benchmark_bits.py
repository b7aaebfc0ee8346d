"""What rounding costs: IoU of the same network at 32, 8, 6 and fewer bits a parameter, and the size of its file.

    python scripts/benchmark_bits.py --data data/shapes

Every network is trained for the same steps. Each result is written at once, and existing results are kept.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from sinenerf.common import hardware
from sinenerf.occupancy.evaluate import Truth, surface_of
from sinenerf.occupancy.fit import fit
from sinenerf.occupancy.mesh_input import read_mesh
from sinenerf.occupancy.sizing import split_settings
from sinenerf.occupancy.solid import Placement

BITS = {"dragon": (32, 8, 6, 5, 4), "armadillo": (32, 8, 6), "nefertiti": (32, 8, 6)}
NETWORKS = {
    "sine": {"layer": "sine", "width": 128, "rank": 4, "spread": 3.0},
    "low-rank": {"layer": "low-rank", "width": 128, "rank": 4},
    "dense": {"layer": "dense", "width": 36},
    "sine, small phase": {
        "layer": "sine",
        "width": 56,
        "rank": 12,
        "spread": 0.5,
        "optimizer": "soap",
        "learning_rate": 7e-3,
    },  # about what --bytes 2200 chooses
}


@dataclass
class Options:
    data: Path
    """Folder of the meshes, NAME.ply."""
    steps: int = 3000
    """Training steps of 8,192 points."""
    results: Path = Path("scripts/results/bits.json")
    """Result file."""


def main(options: Options) -> None:
    rows = json.loads(options.results.read_text())["rows"] if options.results.is_file() else []
    for shape, bits in BITS.items():
        mesh, _ = read_mesh(options.data / f"{shape}.ply")
        truth = Truth(mesh, Placement.of(mesh))
        for bit in bits:
            for layer, settings in NETWORKS.items():
                cell = {"shape": shape, "layer": layer, "bits": bit, "steps": options.steps}
                if any(cell.items() <= row.items() for row in rows):
                    continue
                field = fit(mesh, *split_settings(settings | {"bits": bit, "steps": options.steps}), solid=truth.solid)
                if not field.complete:  # after Ctrl-C
                    sys.exit(130)
                size = len(field.to_bytes())
                quality = asdict(truth.evaluate_field(field, size, surface_of(field)))
                rows.append(cell | {name: round(value, 5) for name, value in quality.items()})
                hardware.write_figures(options.results, {"rows": rows})
                print(f"{shape}, {layer}, {bit} bits: {size:,} bytes, IoU {quality['iou']:.4f}", flush=True)
    report([row for row in rows if row["steps"] == options.steps])


def report(rows: list[dict]) -> None:
    """Print, for each shape and layer, the change of IoU from float32 at each number of bits."""
    for shape, bits in BITS.items():
        for layer in NETWORKS:
            own = {row["bits"]: row["iou"] for row in rows if (row["shape"], row["layer"]) == (shape, layer)}
            losses = "  ".join(f"{bit}: {own[bit] - own[32]:+.4f}" for bit in bits if bit != 32 and bit in own)
            print(f"{shape:10} {layer:17} float32 {own[32]:.4f}  {losses}")


if __name__ == "__main__":
    main(tyro.cli(Options))
