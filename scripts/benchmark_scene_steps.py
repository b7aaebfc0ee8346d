"""Steps a second of training a scene: compiled passes over blocks of rays, against autograd.

    python scripts/benchmark_scene_steps.py --data path/to/llff/fern

Both train the same model on the same photographs, a few steps in turn in one process, with the settings of `sinenerf
scene`. Times are processor time of the calling thread where one thread is used, which other programs disturb less.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import tyro

from sinenerf.common import hardware
from sinenerf.common.settings import LayerChoice, Precision
from sinenerf.plugin.edge import silence
from sinenerf.plugin.layer_choice import network_for
from sinenerf.plugin.nerfstudio_methods import build
from sinenerf.plugin.scene_training import SceneTraining, scene_config

TURN = 10


@dataclass
class Options:
    data: Path
    """Folder with cameras, as of LLFF's fern."""
    layers: tuple[LayerChoice, ...] = ("auto", "sine")
    """Kinds of layer."""
    precisions: tuple[Precision, ...] = ("auto", "float32")
    """Precisions; auto is bfloat16 where the processor multiplies it."""
    rounds: int = 5
    """Turns of each, of 10 steps, after one that warms up."""
    output: Path = Path("scripts/results/scene_steps.json")
    """Result file."""


def main(options: Options) -> None:
    rows = [compare(options, layer, precision) for layer in options.layers for precision in options.precisions]
    hardware.write_figures(options.output, {"networks": rows})
    for row in rows:
        print(row)


def compare(options: Options, layer: LayerChoice, precision: Precision) -> dict[str, Any]:
    """Median milliseconds of a step and of its parts, of both."""
    with TemporaryDirectory() as folder:
        network = {**network_for(layer, None), "exposure": True, "precision": precision}
        trainer = build(scene_config(options.data, Path(folder), network, {"widest": 512}))
        training = SceneTraining(trainer=trainer, max_seconds=None, max_steps=10**6)
        return {"layer": layer, "precision": precision, "threads": torch.get_num_threads()} | measure(
            training, options.rounds
        )


def measure(training: SceneTraining, rounds: int) -> dict[str, float]:
    """The figures of a training; what a step takes besides its parts is mostly the gradients."""
    trainer, field = training.trainer, training.trainer.pipeline.model.field
    compiled, variants = field.compiled, ("compiled", "autograd")
    parts: dict[str, list[float]] = {}
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    variant = ""

    def timed(function: Callable, part: str) -> Callable:
        def call(*arguments: Any, **options: Any) -> Any:
            start = clock()
            result = function(*arguments, **options)
            parts.setdefault(f"{variant} {part}", []).append(clock() - start)
            return result

        return call

    model, manager = trainer.pipeline.model, trainer.pipeline.datamanager
    for owner, name, part in (
        (manager, "next_train", "data"),
        (model, "_render_batch", "forward"),
        (trainer.optimizers, "optimizer_scaler_step_some", "optimisers"),
    ):
        object.__setattr__(owner, name, timed(getattr(owner, name), part))
    with silence():
        for turn in range(rounds + 1):
            for variant in variants:
                field.compiled = compiled if variant == "compiled" else None
                if turn == 1:
                    parts = {key: values for key, values in parts.items() if not key.startswith(variant)}
                for _ in range(TURN):
                    timed(training._train_step, "step")()
                    training.step += 1
    figures = {f"{key.replace(' ', '_')}_ms": round(1000 * float(np.median(v)), 2) for key, v in parts.items()}
    return {**figures, "ratio": round(figures["autograd_step_ms"] / figures["compiled_step_ms"], 2)}


if __name__ == "__main__":
    main(tyro.cli(Options))
