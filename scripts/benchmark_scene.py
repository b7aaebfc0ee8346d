"""Quality of `sinenerf scene`: photographs with given cameras or their own, by layer; an unbounded capture, by part.

    python scripts/benchmark_scene.py --llff path/to/llff --work /tmp/scenes

Each case trains for the same minutes. Every result is written at once, existing results are kept, and a killed case
goes on where it was.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from PIL import Image

from sinenerf.common import hardware
from sinenerf.common.settings import LayerChoice
from sinenerf.datasets.orbit_capture import generate_orbit
from sinenerf.plugin.layer_choice import network_for
from sinenerf.plugin.nerfstudio_methods import build
from sinenerf.plugin.scene_training import SceneTraining, scene_config
from sinenerf.plugin.scoring import model_renderer, score_held_out
from sinenerf.radiance.evaluate import Score
from sinenerf.radiance.image_metrics import psnr
from sinenerf.scenes.photographs_to_scene import photographs_to_scene
from sinenerf.scenes.scene_options import SceneOptions, WarpChoice

LLFF_CASES: tuple[tuple[str, bool, LayerChoice], ...] = (
    ("fern", False, "auto"),
    ("fern", False, "sine"),
    ("fern", True, "auto"),
    ("flower", False, "auto"),
    ("flower", False, "sine"),
)
"""Scene, whether its cameras are found by `capture` (else LLFF's), and layer."""
AROUND_CASES: tuple[WarpChoice, ...] = ("auto", "box")
"""Warps of the generated capture around a table in a room."""


@dataclass
class Options:
    llff: Path
    """Folder of the LLFF scenes fern and flower, with images_4 and images_8."""
    work: Path
    """Folder for files and captures, kept between calls."""
    minutes: float = 10.0
    """Of training, for each case."""
    exposure: bool = True
    """Learn the exposures of the training photographs."""
    results: Path = Path("scripts/results/scene.json")
    """Result file."""


def main(options: Options) -> None:
    rows = json.loads(options.results.read_text())["rows"] if options.results.is_file() else []
    options.work.mkdir(parents=True, exist_ok=True)
    common = {"minutes": options.minutes, "exposure": options.exposure}
    cells = [{"scene": s, "captured": c, "layer": layer, **common} for s, c, layer in LLFF_CASES]
    cells += [{"scene": "around", "warp": warp, **common} for warp in AROUND_CASES]
    for cell in cells:
        if any(cell.items() <= row.items() for row in rows):
            continue
        measured = measure_around(cell, options) if cell["scene"] == "around" else measure_llff(cell, options)
        if measured is None:  # after Ctrl-C
            sys.exit(130)
        rows.append(cell | measured)
        hardware.write_figures(options.results, {"rows": rows})
        print(json.dumps(rows[-1]), flush=True)


def measure_llff(cell: dict, options: Options) -> dict | None:
    """Scores of the file that `sinenerf scene` makes of an LLFF scene, or of its photographs alone."""
    source = options.llff / cell["scene"] / ("images_4" if cell["captured"] else "")
    output = options.work / f"{cell['scene']}-{'captured' if cell['captured'] else 'llff'}-{cell['layer']}.sine"
    output.unlink(missing_ok=True)  # its result is missing
    settings = SceneOptions(minutes=options.minutes, layer=cell["layer"], exposure=options.exposure)
    report = photographs_to_scene(source, output, settings, progress=True)
    if report is None:
        return None
    metrics = {name: round(value, 3) for name, value in report.metrics.items()}
    return {**metrics, "steps": report.steps, "seconds": report.seconds, "bytes": report.bytes}


def measure_around(cell: dict, options: Options) -> dict | None:
    """PSNR of the table and of the room behind it in the held-out views, with the true cameras."""
    scene = generate_orbit(options.work / "around")
    folder = options.work / f"around-{cell['warp']}"
    network = network_for("auto", None) | {"exposure": options.exposure}
    config = scene_config(scene, folder, network, {"warp": cell["warp"], "widest": 512})
    trainer = build(config)
    checkpoint = folder / "checkpoint.pt"
    training = SceneTraining(
        trainer=trainer, max_seconds=60 * options.minutes, max_steps=None, checkpoint=checkpoint, show=True
    )
    if not training.run():
        return None
    scores = score_held_out(trainer.pipeline, model_renderer(trainer.pipeline))
    paths = trainer.pipeline.datamanager.eval_dataset.image_filenames
    masks = [np.asarray(Image.open(scene / "objects" / f"{path.stem}.png").convert("L")) >= 128 for path in paths]
    parts = {"object": masks, "background": [~mask for mask in masks]}
    return {
        **{f"psnr_{name}": part_psnr(scores, part, fitted=False) for name, part in parts.items()},
        **{f"fitted_psnr_{name}": part_psnr(scores, part, fitted=True) for name, part in parts.items()},
        "steps": training.step,
        "seconds": round(training.seconds, 1),
    }


def part_psnr(scores: list[Score], masks: list[np.ndarray], fitted: bool) -> float:
    """Mean PSNR of a part of each view; `fitted`: after the affine map of each channel that suits the whole view best,
    since the photographs' exposures differ."""
    values = []
    for score, mask in zip(scores, masks, strict=True):
        rendering = matched(score.rendering, score.photograph) if fitted else score.rendering
        inside = torch.from_numpy(mask)
        values.append(float(psnr(rendering[inside], score.photograph[inside])))
    return round(float(np.mean(values)), 3)


def matched(rendering: torch.Tensor, photograph: torch.Tensor) -> torch.Tensor:
    """The rendering with each channel's least-squares gain and offset towards the photograph."""
    columns = []
    for channel in range(3):
        x, y = rendering[..., channel].flatten(), photograph[..., channel].flatten()
        gain = ((x - x.mean()) * (y - y.mean())).mean() / (x - x.mean()).square().mean().clamp(min=1e-9)
        columns.append(gain * (rendering[..., channel] - x.mean()) + y.mean())
    return torch.stack(columns, dim=-1).clamp(0, 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
