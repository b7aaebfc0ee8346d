"""Commands for photographs and the scenes made of them."""

from pathlib import Path
from typing import Annotated, Literal

import tyro


def demo(
    scene: Path | None = None,
    output: Path = Path("outputs/demo"),
    steps: int = 3000,
    minutes: float = 5.0,
    frames: int = 48,
) -> None:
    """Train sine-nerf-small on one scene, score it on the held-out views, and render a fly-through.

    Writes truth_and_prediction.png, flythrough.mp4 and result.json below the output folder. Ctrl-C or a crash loses
    nothing: the same command resumes.

    Args:
        scene: LLFF folder with poses_bounds.npy and images. By default a small scene is generated.
        output: where the run goes, in a folder named after the scene.
        steps: training steps.
        minutes: approximate limit on the training time; a slow machine makes fewer steps.
        frames: number of frames of the fly-through.
    """
    from sinenerf.plugin.demo import run_demo

    run_demo(scene, output, steps, minutes, frames)


def render(
    scene: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    cameras: Path | None = None,
    frames: int = 48,
    scale: float = 1.0,
    what: Literal["rgb", "depth", "accumulation", "normals"] = "rgb",
) -> None:
    """Render a .sine file of a scene: one picture for each camera, or a film along a path around the capture.

    Args:
        scene: a .sine file from sinenerf compress, or scene.sine from ns-train with --pipeline.model.bits or .bytes.
        output: folder for one PNG a view, or a film: .mp4 or .gif.
        cameras: transforms.json or poses_bounds.npy of the capture; by default a path around the home view.
        frames: number of views on that path.
        scale: size of the pictures as a multiple of the photographs' size.
        what: rgb, depth (as nearness), accumulation or normals.
    """
    from sinenerf.radiance.render import render_views
    from sinenerf.sine_file import load

    field = load(scene)
    if field.kind != "scene":
        raise ValueError(f"{scene}: holds a shape, not a radiance field. Use sinenerf mesh or sinenerf view")
    written = render_views(field, output, cameras, frames, scale, what)
    print(f"{output}: {len(written)} files" if output.is_dir() else f"{output}: {output.stat().st_size:,} bytes")
