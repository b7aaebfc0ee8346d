"""Held-out quality on one LLFF scene: runs and budgets from a file in configs/, pictures side by side.

    python scripts/benchmark_quality.py configs/equal-time.toml --data data/nerf_llff_data/fern

Each run is written as soon as it is done; those that are there already are not run again.
"""

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from PIL import Image, ImageDraw

from sinenerf.common import hardware
from sinenerf.networks import count_parameters
from sinenerf.plugin.budgeted_training import TimedTraining
from sinenerf.plugin.nerfstudio_methods import build, configure
from sinenerf.plugin.scoring import Score, model_renderer, score_held_out


@dataclass
class Options:
    plan: Annotated[Path, tyro.conf.Positional]
    """File with the runs and their budget."""
    data: Path
    """LLFF scene."""
    results: Path = Path("scripts/results")
    """Where results go, in a folder named after the plan and the scene."""


def main(options: Options) -> None:
    plan = tomllib.loads(options.plan.read_text())
    folder = options.results / options.plan.stem / options.data.name
    folder.mkdir(parents=True, exist_ok=True)
    for run in plan["runs"]:
        target = folder / f"{run['name']}.json"
        if target.exists():
            kept = json.loads(target.read_text())
            print(f"{run['name']}: {kept['psnr']:.2f} dB, {kept['steps']} steps, kept in {target}", flush=True)
            continue
        settings = {**plan.get("settings", {}), **run.get("settings", {})}
        parser = {**plan["scene"], **run.get("scene", {})}
        config = configure(run["method"], options.data, Path("outputs/benchmarks"), settings, parser)
        seconds = 60 * plan["minutes"] if "minutes" in plan else None
        stride = run.get("scored_pixel_stride", 1)
        training = TimedTraining(
            build(config), max_seconds=seconds, max_steps=plan.get("steps"), look_stride=4 * stride
        )
        if not training.run():
            sys.exit(130)
        pipeline = training.trainer.pipeline
        score = score_held_out(pipeline, model_renderer(pipeline), stride)
        Image.fromarray(to_bytes(score.images[0])).save(folder / f"{run['name']}.jpg", quality=90)
        if stride == 1 or not (folder / "truth.jpg").exists():
            Image.fromarray(to_bytes(score.truths[0])).save(folder / "truth.jpg", quality=90)
        target.write_text(json.dumps(as_json(run, settings, training, score), indent=2) + "\n")
        print(f"{run['name']}: {score.metrics['psnr']:.2f} dB, {training.step} steps", flush=True)
    side_by_side(plan["runs"], folder)


def as_json(run: dict, settings: dict, training: TimedTraining, score: Score) -> dict:
    ssim = score.metrics.get("ssim")  # of a picture of which pixels are missing, it would mean something else
    return {
        "method": run["method"],
        "settings": settings,
        "psnr": round(score.metrics["psnr"], 3),
        "ssim": None if ssim is None else round(ssim, 4),
        "scored_pixel_stride": run.get("scored_pixel_stride", 1),
        "parameters": count_parameters(training.trainer.pipeline.model),
        "steps": training.step,
        "train_seconds": round(training.seconds, 1),
        "hardware": hardware.measured_on(),
    }


def to_bytes(image: np.ndarray) -> np.ndarray:
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def side_by_side(runs: list[dict], folder: Path) -> None:
    """One picture: the first held-out view, as photographed and as each run here renders it."""
    panels = [("photograph", folder / "truth.jpg")]
    if not panels[0][1].exists():  # results come with a clone, their pictures do not
        return
    for run in runs:
        result = json.loads((folder / f"{run['name']}.json").read_text())
        label = f"{run['name']}   {result['psnr']:.2f} dB   {result['parameters']:,} parameters"
        picture = folder / f"{run['name']}.jpg"
        if picture.exists():
            panels.append((label, picture))
    images = [Image.open(path) for _, path in panels]
    images = [image.resize(images[0].size, Image.Resampling.BICUBIC) for image in images]
    width, height, bar, columns = images[0].width, images[0].height, 26, min(3, len(panels))
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + bar)), "white")
    for index, ((label, _), image) in enumerate(zip(panels, images, strict=True)):
        corner = (index % columns * width, index // columns * (height + bar))
        sheet.paste(image, (corner[0], corner[1] + bar))
        ImageDraw.Draw(sheet).text((corner[0] + 6, corner[1] + 5), label, fill="black", font_size=15)
    sheet.save(folder / "side_by_side.jpg", quality=85)


if __name__ == "__main__":
    main(tyro.cli(Options))
