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
    nothing: the same command goes on where it stopped.

    Args:
        scene: LLFF folder with poses_bounds.npy and images. By default a small scene is generated.
        output: where the run goes, in a folder named after the scene.
        steps: training steps.
        minutes: train for no longer than about this; fewer steps are made on a slow machine.
        frames: of the fly-through.
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
    """Render a .sine file of a scene: one picture a camera, or a film along a path around where it was captured.

    Args:
        scene: a .sine file: of sinenerf compress, or scene.sine of ns-train with --pipeline.model.bits or .bytes.
        output: folder for one PNG a view, or a film: .mp4 or .gif.
        cameras: transforms.json or poses_bounds.npy of the capture; without it, a path of its own.
        frames: of that path.
        scale: size of the pictures; 1 is that of the photographs.
        what: rgb, depth (as nearness), accumulation or normals.
    """
    from sinenerf.radiance.field import RadianceField
    from sinenerf.radiance.render import render_views
    from sinenerf.sine_file import load

    field = load(scene)
    if not isinstance(field, RadianceField):
        raise ValueError(f"{scene}: holds a shape, not a radiance field. For it: sinenerf mesh, sinenerf view")
    made = render_views(field, output, cameras, frames, scale, what)
    print(f"{output}: {len(made)} files" if output.is_dir() else f"{output}: {output.stat().st_size:,} bytes")


def export_mesh(
    run: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    resolution: int = 256,
    level: float | None = None,
    box: tuple[float, float, float, float, float, float] | None = None,
    largest_component: bool = False,
    min_faces: int = 100,
    seen_only: bool = True,
    frame: Literal["scene", "capture"] = "scene",
) -> None:
    """Write the surface of a trained run as a coloured mesh, by marching cubes of its density.

    Open only runs of your own: nerfstudio's config.yml can execute code.

    Args:
        run: folder that ns-train or sinenerf demo wrote.
        output: file to write; the extension says what: .glb .ply .obj .stl .off.
        resolution: grid samples along the longest side of the scene.
        level: density at which the surface lies; by default between empty and solid.
        box: keep only what lies inside x0 y0 z0 x1 y1 z1, in nerfstudio's scene coordinates.
        largest_component: keep only the largest connected piece.
        min_faces: drop connected pieces smaller than this.
        seen_only: drop surfaces that no training view sees.
        frame: coordinates of the mesh: nerfstudio's scene, or the capture's own poses.
    """
    from sinenerf.plugin.export_mesh import export_mesh as export

    mesh = export(run, output, resolution, level, box, largest_component, min_faces, seen_only, frame)
    print(f"{output}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces, {output.stat().st_size:,} bytes")
