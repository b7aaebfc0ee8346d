"""Rays per second: sine-nerf against the same network of nn.Linear, and against nerfstudio's vanilla-nerf.

All run in one process with the same batch and sample counts, and alternate step by step, so that other load on the
machine affects all equally. They compute in float32, as vanilla-nerf does on a CPU (on a GPU it uses float16 where it
can); sine-nerf is also measured in the precision that it chooses itself.

    python scripts/benchmark_speed.py --data data/nerf_llff_data/fern
    python scripts/benchmark_speed.py --data data/nerf_llff_data/fern --rays 4096 --output FILE     # on a GPU
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from sinenerf.common import hardware
from sinenerf.plugin.nerfstudio_methods import build, configure

METHODS = {
    "sine-nerf": ("sine-nerf", {"pipeline.model.layer": "sine", "pipeline.model.precision": "float32"}),
    "nn.Linear in the same network": (
        "sine-nerf",
        {"pipeline.model.layer": "dense", "pipeline.model.precision": "float32"},
    ),
    "nerfstudio vanilla-nerf": ("vanilla-nerf", {}),
    "sine-nerf, precision auto": ("sine-nerf", {"pipeline.model.layer": "sine"}),
}


@dataclass
class Options:
    data: Path
    """LLFF scene."""
    rays: int = 256
    """Rays a batch."""
    rounds: int = 12
    """Steps of each method, after two warm-up steps."""
    output: Path = Path("scripts/results/speed.json")
    """Result file."""


def main(options: Options) -> None:
    trainers = {}
    for name, (method, overrides) in METHODS.items():
        rays = {"pipeline.datamanager.train_num_rays_per_batch": options.rays}
        scratch = Path("outputs/benchmarks")
        config = configure(method, options.data, scratch, {**overrides, **rays}, {"downscale_factor": 8})
        trainers[name] = build(config)
        trainers[name].pipeline.train()
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for step in range(options.rounds + 2):
        for name, trainer in trainers.items():
            start = time.perf_counter()
            trainer.train_iteration(step)
            synchronise()
            seconds[name].append(time.perf_counter() - start)
    median = {name: float(np.median(times[2:])) for name, times in seconds.items()}
    best = {name: float(np.min(times[2:])) for name, times in seconds.items()}
    reference = np.array(seconds["sine-nerf"][2:])
    rows = [
        {
            "method": name,
            "rays_per_second": round(options.rays / median[name], 1),
            "seconds_per_step": {"median": round(median[name], 3), "min": round(best[name], 3)},
            # the median over ratios within a round, in which both see the same load
            "relative_step_time": round(float(np.median(np.array(seconds[name][2:]) / reference)), 3),
        }
        for name in trainers
    ]
    result = {
        "batch": {"rays": options.rays, "samples": "64 coarse, 64 + 128 fine"},
        "rows": rows,
        "where_the_time_goes": profile(trainers["sine-nerf"]),
    }
    hardware.write_figures(options.output, result)
    print(json.dumps(result, indent=2))


def synchronise() -> None:
    """Wait until the GPU, if there is one, has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def profile(trainer) -> dict[str, float]:
    """Percentage of a step's time, on the CPU or GPU, by kind of operation, and of building every W."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity

    from sinenerf.factored import factored_layers

    gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * gpu
    with torch.profiler.profile(activities=activities) as recorder:
        trainer.train_iteration(1000)
        synchronise()
    # operations only: the list also has the kernels that they launch
    events = [event for event in recorder.key_averages() if event.device_type == DeviceType.CPU]
    times = {event.key: event.self_device_time_total if gpu else event.self_cpu_time_total for event in events}
    total = sum(times.values())
    products = sum(times.get(name, 0.0) for name in ("aten::mm", "aten::addmm", "aten::bmm"))
    start = time.perf_counter()
    sum(layer.build().sum() for layer in factored_layers(trainer.pipeline.model)).backward()
    synchronise()
    building = time.perf_counter() - start
    return {
        "matrix_products_percent": round(100 * products / total, 1),
        "other_operations_percent": round(100 - 100 * products / total, 1),
        "building_all_W_and_its_gradient_percent": round(100 * building * 1e6 / total, 2),
    }


if __name__ == "__main__":
    main(tyro.cli(Options))
