"""`sinenerf demo`: one scene trained, scored on its held-out views, and rendered as a film."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.utils.colormaps import apply_depth_colormap
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from sinenerf.common.checks import check_positive
from sinenerf.common.files import replacing
from sinenerf.common.films import write_film
from sinenerf.networks import count_parameters
from sinenerf.plugin.demo_training import make_trainer, plan_steps, train
from sinenerf.plugin.edge import ignore_warnings
from sinenerf.plugin.runs import capture_of_run
from sinenerf.plugin.scoring import held_out_views
from sinenerf.radiance.cameras import Camera
from sinenerf.radiance.evaluate import mean_metrics, score
from sinenerf.radiance.llff import read_poses_bounds

CONSOLE = Console()
METHOD = "sine-nerf-small"
FILM_WIDTH = 252
"""Pixels: a frame renders in a fraction of a second."""
FPS = 24
"""Frames per second of the film."""


@ignore_warnings()
def run_demo(scene: Path | None, output: Path, steps: int, minutes: float, frames: int) -> dict:
    """Train, score and render, see `sinenerf demo`. Returns the contents of result.json.

    Raises:
        ValueError: steps, minutes or frames is not positive, the scene is invalid, or the folder holds the demo of
            another one.
    """
    for setting, value in {"steps": steps, "minutes": minutes, "frames": frames}.items():
        check_positive(setting, value)
    if scene is None:
        from sinenerf.datasets.synthetic_capture import generate_scene

        CONSOLE.print("Scene: generating photographs in data/demo")
        scene = generate_scene(Path("data/demo"))
    target = output / scene.resolve().name
    _check_scene(scene, target)
    done = target / "result.json"
    if done.exists():  # a finished demo starts again
        shutil.rmtree(target / METHOD / "run", ignore_errors=True)
        done.unlink()
    trainer = make_trainer(scene, output, steps)
    resumed = trainer._start_step
    planned = resumed if resumed >= steps else max(resumed, plan_steps(trainer, steps, minutes))
    CONSOLE.print(f"Training: {planned} steps on {trainer.device}" + (f", from step {resumed}" if resumed else ""))
    seconds = train(trainer, planned, CONSOLE)

    CONSOLE.print("Scoring the held-out views")
    result = {"scene": str(scene), **score_model(trainer.pipeline, target / "truth_and_prediction.png")}
    result |= {
        "steps": planned,
        "from_step": resumed,
        "train_seconds": round(seconds, 1),
        "device": str(trainer.device),
    }
    capture = capture_of_run(trainer.pipeline)
    views = [view.resized(min(1.0, FILM_WIDTH / view.width)) for view in capture.spiral(frames)]
    render_film(trainer.pipeline.model.eval(), nerfstudio_cameras(views), target / "flythrough.mp4")
    with replacing(target / "result.json") as partial:
        partial.write_text(json.dumps(result, indent=2))
    show(result, target)
    return result


def _check_scene(scene: Path, target: Path) -> None:
    """Check a scene and its output folder before anything of an earlier demo is replaced or resumed.

    Raises:
        ValueError: the scene is bad, or the folder holds the demo of another one.
    """
    read_poses_bounds(scene / "poses_bounds.npy")
    note, place = target / "scene.txt", str(scene.resolve())
    if note.exists() and (other := note.read_text()) != place:
        raise ValueError(f"{target} holds the demo of {other}: give another --output")
    target.mkdir(parents=True, exist_ok=True)
    with replacing(note) as partial:
        partial.write_text(place)


def score_model(pipeline, path: Path) -> dict:
    """Mean metrics over the held-out views; writes a picture with photograph, rendering and depth of each."""
    from PIL import Image

    depths = []

    def render(camera, _: int) -> Tensor:
        outputs = pipeline.model.get_outputs_for_camera(camera)
        depths.append(apply_depth_colormap(outputs["depth"], accumulation=outputs["accumulation"]).cpu())
        return outputs["rgb"]

    pipeline.eval()
    scores = list(score(held_out_views(pipeline), render))
    rows = [torch.cat([s.photograph, s.rendering, depth], dim=1) for s, depth in zip(scores, depths, strict=True)]
    with replacing(path) as partial:
        Image.fromarray((torch.cat(rows) * 255).round().to(torch.uint8).numpy()).save(partial)
    metrics = {name: round(mean, 4) for name, mean in mean_metrics([s.metrics for s in scores]).items()}
    return {**metrics, "held_out_views": len(scores), "parameters": count_parameters(pipeline.model)}


def nerfstudio_cameras(views: list[Camera]) -> Cameras:
    """Views, which all have one lens, as nerfstudio's cameras."""
    first = views[0]
    return Cameras(
        torch.from_numpy(np.stack([view.pose for view in views])).float(),
        fx=first.fx,
        fy=first.fy,
        cx=first.cx,
        cy=first.cy,
        width=first.width,
        height=first.height,
    )


def render_film(model, cameras: Cameras, path: Path) -> None:
    """Write what a nerfstudio model shows to each camera as a film."""
    order = track(range(len(cameras)), description="Fly-through")
    renderings = (model.get_outputs_for_camera(cameras[i : i + 1].to(model.device))["rgb"] for i in order)
    write_film(path, ((image.cpu().numpy() * 255).round().astype(np.uint8) for image in renderings), FPS)


def show(result: dict, target: Path) -> None:
    """Print the results of `run_demo` and the paths of its pictures."""
    table = Table(show_header=False, title=f"sine-nerf-small on {result['scene']}")
    table.add_row("held-out PSNR", f"{result['psnr']:.2f} dB")
    table.add_row("held-out SSIM", f"{result['ssim']:.3f}")
    table.add_row("parameters", f"{result['parameters']:,}")
    since = f" from step {result['from_step']} on" if result["from_step"] else ""
    table.add_row("training", f"{result['train_seconds']:.0f} s{since}, {result['steps']} steps on {result['device']}")
    table.add_row("truth | prediction | depth", str(target / "truth_and_prediction.png"))
    table.add_row("fly-through", str(target / "flythrough.mp4"))
    CONSOLE.print(table)
    viewer = "ns-viewer" if shutil.which("ns-viewer") else Path(sys.executable).with_name("ns-viewer")
    CONSOLE.print(f"Fly through it yourself: {viewer} --load-config {target}/sine-nerf-small/run/config.yml")
