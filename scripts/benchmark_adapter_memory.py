"""Memory and time of training one adapted layer: sine-LoRA against LoRA, and against the sine left to autograd.

    python scripts/benchmark_adapter_memory.py
    python scripts/benchmark_adapter_memory.py --methods lora sine-lora --dtype bfloat16 --output mine.json

The layer is 4096 x 4096, its input 512, 2048 or 8192 tokens. "Peak" is the most memory that one forward and backward
pass holds at once in addition to what was allocated before it, summed from torch's record of every allocation. Times
are CPU times of this process, medians over passes that alternate between the methods, and their ratios to LoRA's pass
of the same round: these hold on a machine with other work, too.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.profiler import ProfilerActivity, profile

from sinenerf.adapters import SineLoraConfig
from sinenerf.adapters.peft_layers import SineLinear
from sinenerf.adapters.sine_product import sine_weight
from sinenerf.common import hardware

WHOLE = "sine-lora, whole delta W"


@dataclass
class Options:
    width: int = 4096
    """Inputs and outputs of the layer."""
    tokens: tuple[int, ...] = (512, 2048, 8192)
    """Rows of the input."""
    rank: int = 8
    """Width k of the factors."""
    methods: tuple[str, ...] = ("lora", "sine-lora", "dora", "sine-dora", WHOLE)
    """Which to measure, with LoRA first: ratios are to its time."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Type of the layer and its input; adapters are float32, as in PEFT."""
    dropout: float = 0.0
    """The adapters' `lora_dropout`."""
    rounds: int = 5
    """Timed steps of each method; the methods alternate."""
    output: Path = Path("scripts/results/adapters/memory.json")
    """Result file."""


class WholeDelta(nn.Module):
    """The sine as plain autograd computes it, with delta W at full size."""

    def __init__(self, module: SineLinear) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        delta = sine_weight(*self.module.sine_arguments("default"))
        dropped = self.module.lora_dropout["default"](x)
        return self.module.base_layer(x) + nn.functional.linear(dropped, delta.to(x.dtype))


def peak_bytes(step: Callable[[], object]) -> int:
    """The most bytes that a step holds at once in addition to what was allocated before it."""
    step()  # allocates what lasts, such as buffers of gradients, which does not count
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorder:
        step()
    events = [e for e in recorder.profiler.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return int(np.cumsum([event.nbytes() for event in events]).max())


def layers(options: Options) -> dict[str, nn.Module]:
    """The same layer, adapted by each method."""
    adapted: dict[str, nn.Module] = {}
    for name in options.methods:
        base = nn.Sequential(nn.Linear(options.width, options.width, bias=False)).to(getattr(torch, options.dtype))
        settings = {"r": options.rank, "target_modules": ["0"], "lora_dropout": options.dropout}
        config = (SineLoraConfig if "sine" in name else LoraConfig)(**settings, use_dora="dora" in name)
        module = get_peft_model(base, config).base_model.model[0]
        adapted[name] = WholeDelta(module) if name == WHOLE else module
    return adapted


def measure(adapted: dict[str, nn.Module], options: Options, tokens: int) -> list[dict]:
    """One row for each method."""
    width, dtype = options.width, getattr(torch, options.dtype)
    x = torch.randn(tokens, width, dtype=dtype, requires_grad=True)
    upstream = torch.randn(tokens, width, dtype=dtype)

    def step_of(layer: nn.Module) -> Callable[[], None]:
        def step() -> None:
            x.grad = None
            layer.zero_grad()
            layer(x).backward(upstream)

        return step

    steps = {name: step_of(layer) for name, layer in adapted.items()}
    peaks = {name: peak_bytes(step) / 4 / width**2 for name, step in steps.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            seconds[name].append(time.process_time() - start)
    return [
        {
            "tokens": tokens,
            "method": name,
            "peak": round(peaks[name], 4),
            "peak_beyond_lora": round(peaks[name] - peaks["lora"], 4),
            "cpu_seconds": round(float(np.median(seconds[name])), 2),
            "times_lora": round(float(np.median(np.divide(seconds[name], seconds["lora"]))), 2),
        }
        for name in steps
    ]


def main(options: Options) -> None:
    adapted = layers(options)
    kind = f"rank {options.rank}, {options.dtype}, dropout {options.dropout:g}"
    result = {
        "layer": f"{options.width} x {options.width}, {kind}",
        "rows": [row for n in options.tokens for row in measure(adapted, options, n)],
        "unit_of_peaks": "m n numbers of float32: the size of W",
    }
    hardware.write_figures(options.output, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main(tyro.cli(Options))
