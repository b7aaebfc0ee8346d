"""The `sinenerf` command: each subcommand is one call of the Python API. Heavy libraries load only when one runs."""

import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro


def demo(
    scene: Path | None = None,
    output: Path = Path("outputs/demo"),
    steps: int = 6000,
    minutes: float = 6.0,
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
    from sinenerf.nerf.demo import run_demo

    run_demo(scene, output, steps, minutes, frames)


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
    from sinenerf.nerf.export import export_mesh as export

    mesh = export(run, output, resolution, level, box, largest_component, min_faces, seen_only, frame)
    print(f"{output}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} faces, {output.stat().st_size:,} bytes")


def fit(
    mesh: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    layer: Literal["sine", "low-rank", "dense"] = "sine",
    rank: int | None = None,
    width: int | None = None,
    depth: int | None = None,
    omega: float | None = None,
    spread: float | None = None,
    anchored: bool = True,
    activation: Literal["gaussian", "sine", "relu"] | None = None,
    bandwidth: float | None = None,
    bits: float | None = None,
    bytes: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    sampler: Literal["surface", "grid"] = "surface",
    resolution: int = 512,
    loss: Literal["cross-entropy", "mse"] = "cross-entropy",
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    precision: Literal["auto", "float32", "bfloat16"] = "auto",
) -> None:
    """Fit an occupancy field to a mesh, perhaps a broken one: inside or outside for any point, in some kilobytes.

    Ctrl-C writes the field as far as it is; after that, and after a crash, the same command goes on.

    Args:
        mesh: PLY, OBJ, STL, GLB or OFF.
        output: field to write.
        layer: sine: sin(omega U V^T) / g; low-rank: U V^T; dense: full matrices.
        rank: width k of the factors.
        width: neurons of a hidden layer.
        depth: hidden layers; all after the first are factored.
        omega: frequency of the sine.
        spread: of the phase omega U V^T at the start, in radians.
        anchored: fix k rows of each V: the same matrices in k^2 numbers fewer.
        activation: between the layers.
        bandwidth: of the activation; larger draws finer detail.
        bits: size of the file in bits a parameter, all counted; 8 if no bytes are given. 32 keeps float32.
        bytes: size of the file instead.
        minutes: train for so long; 2 if no steps are given.
        steps: train for so many steps instead.
        batch: points a step.
        learning_rate: its peak.
        sampler: surface: mostly near the surface; grid: every voxel, as in the paper.
        resolution: voxels a side of the grid sampler.
        loss: cross-entropy, or the paper's mse.
        seed: of the start and of the training points.
        device: where to train; auto takes a GPU if there is one.
        precision: inside the network; auto takes bfloat16 where the processor multiplies it.
    """
    from sinenerf.occupancy.fitting import fit as fit_field
    from sinenerf.occupancy.settings import split_settings
    from sinenerf.occupancy.shapes import read_shape

    given = {name: value for name, value in locals().items() if name in _FIT_SETTINGS and value is not None}
    architecture, config = split_settings(given)
    config.check()
    loaded, report = read_shape(mesh)
    if report.geometries > 1:
        print(f"sinenerf: {mesh} holds {report.geometries} geometries: they are merged", file=sys.stderr)
    if not fit_field(loaded, architecture, config, output, progress=True).complete:
        sys.exit(130)


def mesh(
    field: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    resolution: int = 512,
    level: float = 0.5,
    up: Literal["y", "z"] = "y",
    metres_per_unit: float = 1.0,
    largest_component: bool = False,
) -> None:
    """Write the surface of an occupancy field as a closed mesh, where the fitted mesh lay.

    Args:
        field: what sinenerf fit wrote.
        output: file to write; the extension says what: .glb .ply .obj .stl .off.
        resolution: cells along a side of the cube around the shape.
        level: occupancy of the surface, between 0 and 1.
        up: axis that points up in the fitted mesh. Only for .glb, which is turned so that y is up.
        metres_per_unit: length of the fitted mesh's unit. Only for .glb, which is in metres.
        largest_component: keep only the connected piece with the most faces.
    """
    from sinenerf.occupancy.export import export_mesh as export

    made = export(field, output, resolution, level, up, metres_per_unit, largest_component)
    size = output.stat().st_size
    print(
        f"{output}: {len(made.mesh.vertices):,} vertices, {len(made.mesh.faces):,} faces, {size:,} bytes; the field "
        f"was evaluated at {made.evaluations:,} points, {100 * made.evaluations / (resolution + 1) ** 3:.2g} % of "
        f"the grid"
    )


def evaluate(
    field: Annotated[Path, tyro.conf.Positional],
    mesh: Annotated[Path, tyro.conf.Positional],
    /,
    json: bool = False,
    points: int = 1_000_000,
    resolution: int = 256,
    seed: int = 0,
) -> None:
    """Compare an occupancy field with a mesh: IoU, Chamfer-L1, normal consistency, F-scores, bytes, parameters.

    Args:
        field: what sinenerf fit wrote.
        mesh: the truth, in the same coordinates.
        json: print JSON in place of a table.
        points: uniform points of the cube for the IoU.
        resolution: of the mesh that is made of the field for the surface metrics.
        seed: of all points.
    """
    from sinenerf.occupancy.export import print_evaluation

    print_evaluation(field, mesh, json, points, resolution, seed)


def info(path: Annotated[Path, tyro.conf.Positional], /, json: bool = False) -> None:
    """Say what a .sine file is, and what its bytes are spent on, tensor by tensor.

    Args:
        path: a .sine file.
        json: print JSON in place of a table.
    """
    from sinenerf.fields import print_info

    print_info(path, json)


def compress(
    source: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    bits: float | None = None,
    bytes: int | None = None,
    mesh: Path | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> None:
    """Make a small file of a trained scene or shape: its numbers are rounded while it is trained on, within a budget.

    Ctrl-C writes the file as far as it is; after that, and after a crash, the same command goes on. Open only runs of
    your own: nerfstudio's config.yml can execute code. A .sine file is safe.

    Args:
        source: a .sine file of a shape, or the folder of a run of ns-train.
        output: .sine file to write.
        bits: size of the new file in bits a parameter, all counted; 8 if no bytes are given. 32 keeps a run's float32.
        bytes: size of the new file.
        mesh: the mesh that a shape was fitted to; without it, the field's own surface is the truth.
        minutes: train for so long; 1 if no steps are given.
        steps: train for so many steps instead.
        seed: of the training points.
    """
    if source.is_dir() or source.suffix == ".yml":
        from sinenerf.nerf.compress import compress_run

        made = compress_run(source, output, bits, bytes, minutes, steps, seed)
        print(f"{output}: {output.stat().st_size:,} bytes, {made.parameters_count:,} parameters")
        if not made.complete:
            sys.exit(130)
        return
    from sinenerf.occupancy.compress import compress_field

    if not compress_field(source, output, bits, bytes, mesh, minutes, steps, seed).complete:
        sys.exit(130)


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
        scene: what ns-train or sinenerf compress wrote.
        output: folder for one PNG a view, or a film: .mp4 or .gif.
        cameras: transforms.json or poses_bounds.npy of the capture; without it, a path of its own.
        frames: of that path.
        scale: size of the pictures; 1 is that of the photographs.
        what: rgb, depth (as nearness), accumulation or normals.
    """
    from sinenerf.nerf.render import render_file

    made = render_file(scene, output, cameras, frames, scale, what)
    print(f"{output}: {len(made)} files" if output.is_dir() else f"{output}: {output.stat().st_size:,} bytes")


def sweep(
    plan: Annotated[Path, tyro.conf.Positional],
    /,
    data: Path | None = None,
    output: Path = Path("results"),
    dry_run: bool = False,
    ray: str | None = None,
) -> None:
    """Run the jobs of a sweep that have no result yet: scenes x methods x settings, each at the same budget.

    Ctrl-C or a crash loses nothing: the same command goes on where it stopped.

    Args:
        plan: a file of configs/, such as configs/quick-shapes.toml.
        data: folder of the scenes, in place of the plan's own.
        output: folder of the results.
        dry_run: only list the missing jobs and the time that they take.
        ray: run them on the Ray cluster at this HOST:PORT, or on one of this machine's own: local.
    """
    from sinenerf.rd.commands import sweep as run

    sys.exit(run(plan, data, output, dry_run, ray))


def plot(
    results: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path | None = None,
    quality: str | None = None,
    html: Path | None = None,
) -> None:
    """Draw a sweep: quality against bytes, parameters and seconds, as PNG and SVG, with a CSV of every point.

    Args:
        results: folder of a sweep's results, of one dataset.
        output: folder for the pictures; by default the results' own.
        quality: the measure to draw: iou, chamfer_l1, ...; psnr, ssim, ...
        html: write one self-contained page too, where pointing at a point shows its settings and its picture.
    """
    from sinenerf.rd.commands import plot as run

    run(results, output, quality, html)


def bd(
    anchor: Annotated[str, tyro.conf.Positional],
    test: Annotated[str, tyro.conf.Positional],
    results: Annotated[Path, tyro.conf.Positional],
    /,
    quality: str | None = None,
    json: bool = False,
) -> None:
    """Bjontegaard deltas: how many bytes less a method needs at equal quality, and its gain at equal bytes.

    Args:
        anchor: the method to compare with, such as draco.
        test: the method to judge, such as sine.
        results: folder of a sweep's results.
        quality: the measure: iou, chamfer_l1, ...; psnr, ssim, ...
        json: print JSON in place of a table.
    """
    from sinenerf.rd.commands import bd as run

    sys.exit(run(anchor, test, results, quality, json))


def find(
    results: Annotated[Path, tyro.conf.Positional],
    /,
    bytes: int | None = None,
    psnr: float | None = None,
    iou: float | None = None,
    scene: str | None = None,
    method: str | None = None,
    plan: Path | None = None,
    data: Path | None = None,
) -> None:
    """The setting nearest to a target: the best within so many bytes, or the smallest of such a quality.

    Args:
        results: folder of a sweep's results.
        bytes: size that the file may have.
        psnr: quality in dB that it must have.
        iou: quality that it must have.
        scene: only this one.
        method: only this one.
        plan: a sweep's file: run what is missing of it towards the target.
        data: folder of the scenes, in place of the plan's own.
    """
    from sinenerf.rd.commands import find as run

    given = {"bytes": bytes, "psnr": psnr, "iou": iou}
    targets = [(name, float(value)) for name, value in given.items() if value is not None]
    if len(targets) != 1:
        raise ValueError("give one target: --bytes N, --psnr X or --iou X")
    sys.exit(run(results, targets[0], scene, method, plan, data))


def spectrum(
    field: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    output: Path = Path("spectrum.png"),
    widths: tuple[int, ...] = (128, 64, 256),
    ranks: tuple[int, ...] = (1, 2, 4, 8, 16),
) -> None:
    """Draw singular values and stable rank of sin(omega U V^T), and measure the omega that a width and rank need.

    Args:
        field: a .sine file: draw its trained layers in place of random ones.
        output: picture to write: .png, .svg or .pdf.
        widths: of the random matrices; the first is drawn.
        ranks: of their factors.
    """
    from sinenerf.rd.commands import spectrum as run

    run(field, output, widths, ranks)


def view(
    paths: Annotated[list[Path], tyro.conf.Positional],
    /,
    original: Path | None = None,
    up: Literal["y", "z", "x", "-y", "-z", "-x"] = "y",
    export: Path | None = None,
    resolution: int | None = None,
    quality: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7008,
    browser: bool = True,
) -> None:
    """Look at shapes, scenes or results in a browser page, or write the page as one file.

    Args:
        paths: .sine files and meshes, side by side or overlaid with one camera; or one folder of a sweep's results.
        original: mesh that the shapes stand for: they are coloured by their distance to it, and scored.
        up: axis of the shapes that points up; --up=-y needs the equals sign.
        export: write a page that needs no server here, in place of showing one: page.html.
        resolution: cells a side of the exported meshes; by default the finest that keeps the page below 10 MB.
        quality: the measure that the plot of results shows: iou, chamfer_l1, ...; psnr, ssim, ...
        host: address to listen at. Any other than 127.0.0.1 lets other machines in, without a password.
        port: to listen at; 0 takes any free one.
        browser: open the page in this machine's browser.
    """
    from sinenerf.viewer.view import gather
    from sinenerf.viewer.view import view as look

    if export is None:
        look(paths, original, up, quality, host, port, browser)
        return
    from sinenerf.viewer.share import export as write

    used = write(gather(paths, original, up, quality), export, resolution)
    print(f"{export}: {export.stat().st_size:,} bytes{'' if used is None else f', meshes of {used} cells a side'}")


def snapshot(
    paths: Annotated[list[Path], tyro.conf.Positional],
    /,
    output: Path | None = None,
    turntable: Path | None = None,
    original: Path | None = None,
    up: Literal["y", "z", "x", "-y", "-z", "-x"] = "y",
    resolution: int = 256,
    level: float = 0.5,
    width: int = 480,
    height: int = 400,
    turn: float = 17.0,
    tilt: float = 11.0,
    frames: int = 72,
    labels: bool = True,
) -> None:
    """Make a picture or a turntable of shapes and scenes without a browser, display or GPU; several stand side by side.

    Args:
        paths: .sine files and meshes.
        output: picture to write: .png or .jpg.
        turntable: film to write: .mp4 or .gif; scenes move along a path around where they were captured.
        original: mesh that the shapes stand for, to be shown last.
        up: axis of the shapes that points up; --up=-y needs the equals sign.
        resolution: cells a side of the shapes' meshes.
        level: occupancy of their surface, between 0 and 1.
        width: of each file's picture, in pixels.
        height: of each file's picture, in pixels.
        turn: of the camera around the vertical axis, in degrees from the front.
        tilt: of the camera above the horizon, in degrees.
        frames: of the turntable, 24 a second.
        labels: write name, bytes, parameters and rank below each.
    """
    from sinenerf.viewer.snapshot import Framing
    from sinenerf.viewer.snapshot import snapshot as take
    from sinenerf.viewer.view import gather

    framing = Framing(width, height, turn, tilt, labels)
    for path in take(gather(paths, original, up), output, turntable, framing, resolution, level, frames):
        print(f"{path}: {path.stat().st_size:,} bytes")


def make_scene(
    target: Annotated[Path, tyro.conf.Positional],
    /,
    views: int = 20,
    width: int = 252,
    height: int = 189,
    seed: int = 0,
) -> None:
    """Generate a small forward-facing scene, ray-traced, in the layout of LLFF.

    Args:
        target: folder to make.
        views: number of photographs.
        width: of a photograph, in pixels.
        height: of a photograph, in pixels.
        seed: other seeds place other cameras.
    """
    from sinenerf.scenes.generate import generate_scene

    print(generate_scene(target, views, width, height, seed))


def download(
    dataset: Annotated[Literal["llff", "blender"], tyro.conf.Positional], /, target: Path = Path("data")
) -> None:
    """Fetch a published set of scenes. Resumes where it stopped, and verifies what it got.

    Args:
        dataset: llff: the eight forward-facing captures of NeRF's paper; blender: its eight synthetic objects.
        target: folder to put it in.
    """
    from sinenerf.scenes.download import download as fetch

    print(fetch(dataset, target))


def doctor() -> None:
    """Check this machine: Python packages, system libraries, GPU, video. Says what is missing and how to install it."""
    from sinenerf.doctor import report

    sys.exit(report())


_FIT_SETTINGS = set(signature(fit).parameters) - {"mesh", "output"}

COMMANDS: dict[str, Callable[..., Any]] = {
    "demo": demo,
    "export-mesh": export_mesh,
    "fit": fit,
    "mesh": mesh,
    "eval": evaluate,
    "compress": compress,
    "info": info,
    "render": render,
    "sweep": sweep,
    "plot": plot,
    "bd": bd,
    "find": find,
    "spectrum": spectrum,
    "view": view,
    "snapshot": snapshot,
    "make-scene": make_scene,
    "download": download,
    "doctor": doctor,
}

DESCRIPTION = """Compact 3D scenes from sine-activated low-rank networks: W = sin(omega U V^T) / g.

First steps: sinenerf demo. With photographs of your own: ns-train sine-nerf-small --data SCENE, then ns-viewer or
sinenerf export-mesh RUN --output scene.glb. With a mesh: sinenerf fit MESH --output shape.sine, then sinenerf mesh
shape.sine --output shape.glb and sinenerf eval shape.sine MESH."""


def main() -> None:
    """Entry point. Bad input ends with one line on standard error and exit code 1."""
    try:
        tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="sinenerf", description=DESCRIPTION)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"sinenerf: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
