"""Speed of fitting and meshing occupancy fields; the methods alternate step by step in one process.

    python scripts/benchmark_occupancy.py --field dragon.sine

Prints the training points a second of the sine layer and of nn.Linear, both 256 wide, in the same loop, and the number
that bare matrix products of the same total size would allow, in float32 and in bfloat16; then the time from a file to
a mesh at 512 cells a side.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
import tyro

from sinenerf.common import hardware
from sinenerf.occupancy.architecture import build_network
from sinenerf.occupancy.config import OccupancyConfig

WIDTH = 256


@dataclass
class Options:
    field: Path | None = None
    """.sine file to mesh; without it, only training is measured."""
    batch: int = 8192
    """Points a step."""
    rounds: int = 30
    """Steps of each method, after three warm-up steps."""
    output: Path = Path("scripts/results/occupancy-speed.json")
    """Result file."""


def main(options: Options) -> None:
    result = {
        "width": WIDTH,
        "batch": options.batch,
        "float32": training(options, torch.float32),
        "bfloat16": training(options, torch.bfloat16),
        "meshing": None if options.field is None else meshing(options.field),
    }
    hardware.write_figures(options.output, result)
    print(json.dumps(result, indent=2))


def training(options: Options, dtype: torch.dtype) -> dict[str, float]:
    """Median speeds. The methods alternate step by step, so that other load on the machine affects all equally."""
    steps = {name: training_step(OccupancyConfig(name, 1, WIDTH), options.batch, dtype) for name in ("sine", "dense")}
    a, b = torch.randn(options.batch, WIDTH, dtype=dtype), torch.randn(WIDTH, WIDTH, dtype=dtype)
    steps["product"] = lambda: a @ b
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds + 3):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    median = {name: float(np.median(times[3:])) for name, times in seconds.items()}
    # forward; gradients of the weights; gradients of the inputs, which the first layer does not need
    square, first, head = WIDTH * WIDTH, 3 * WIDTH, WIDTH
    products = 3 * 2 * square + 2 * first + 3 * head
    allowed = options.batch / (median["product"] * products / square)
    sine, dense = (options.batch / median[name] for name in ("sine", "dense"))
    return {
        "sine_points_per_second": round(sine),
        "nn_linear_points_per_second": round(dense),
        "product_would_allow": round(allowed),
        "sine_to_nn_linear": round(sine / dense, 3),
        "sine_to_product": round(sine / allowed, 3),
    }


def training_step(config: OccupancyConfig, batch: int, dtype: torch.dtype):
    """A function that runs one step of a fit, without sampling, which is only a slice of a pool."""
    torch.manual_seed(0)
    network = build_network(config)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    points, inside = torch.rand(batch, 3) * 2 - 1, (torch.rand(batch, 1) > 0.5).float()

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits = network(points)
        loss = F.binary_cross_entropy_with_logits(logits.float(), inside)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def meshing(field: Path) -> dict[str, float | str]:
    """Seconds of the whole command `sinenerf mesh`, and its message."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sinenerf", "mesh", str(field), "--output", f"{folder}/out.ply"]
        start = time.perf_counter()
        message = subprocess.run([*command, "--resolution", "512"], capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 1), "said": message.partition(": ")[2].strip()}


if __name__ == "__main__":
    main(tyro.cli(Options))
