"""Commands for any .sine file."""

import json as json_format
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sinenerf.cli.meshes import given, is_run, refuse_options

if TYPE_CHECKING:
    from sinenerf.codec.file_info import FileInfo
    from sinenerf.occupancy.evaluate import Evaluation as ShapeEvaluation
    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.radiance.evaluate import Evaluation as SceneEvaluation
    from sinenerf.radiance.field import RadianceField

MESHES = {".ply", ".obj", ".stl", ".glb", ".gltf", ".off"}
"""Extensions that show that a file holds a mesh."""


def info(path: Annotated[Path, tyro.conf.Positional], /, json: bool = False) -> None:
    """Show what a .sine file holds and what its bytes are spent on, tensor by tensor.

    Args:
        path: a .sine file.
        json: print JSON instead of a table.
    """
    from sinenerf.sine_file import describe

    contents = describe(path)
    if json:
        _print_json(contents)
    else:
        _print_info(path, contents)


def compress(
    source: Annotated[Path, tyro.conf.Positional],
    /,
    output: Path,
    bits: float | None = None,
    bytes: int | None = None,
    mesh: Path | None = None,
    thickness: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> None:
    """Make a small file of a trained scene or shape: training continues while the parameters are quantised.

    Ctrl-C writes the file in its current state, but not over an existing file; after that, and after a crash, the same
    command resumes. Open only runs of your own: nerfstudio's config.yml can execute code. A .sine file is safe.

    Args:
        source: a .sine file of a shape, or the folder of a run of ns-train.
        output: .sine file to write.
        bits: size of the new file in bits a parameter, all counted; 8 for float32 if no bytes are given. 32 keeps a
            run's float32.
        bytes: size of the new file.
        mesh: the mesh that a shape was fitted to; without it, the field's own surface is the truth.
        thickness: with --mesh, for a shape fitted with --thickness: the same thickness.
        minutes: training time; 1 if no steps are given.
        steps: number of training steps instead.
        seed: seed of the training points.
    """
    if is_run(source):
        refuse_options(source, "run", given(mesh=mesh, thickness=thickness))
        from sinenerf.plugin.compress_run import compress_run

        field = compress_run(source, output, bits, bytes, minutes, steps, seed, progress=True)
        if not field.complete:  # which has been said, and whether the file was written
            sys.exit(130)
        print(f"{output}: {output.stat().st_size:,} bytes, {field.parameters_count:,} parameters")
        return
    from sinenerf.occupancy.compress import compress as compress_field

    if not compress_field(source, output, bits, bytes, mesh, thickness, minutes, steps, seed, progress=True).complete:
        sys.exit(130)


def evaluate(
    file: Annotated[Path, tyro.conf.Positional],
    truth: Annotated[Path, tyro.conf.Positional],
    /,
    json: bool = False,
    points: int | None = None,
    resolution: int | None = None,
    seed: int | None = None,
    all: bool = False,
    hold_every: int | None = None,
    scale: float | None = None,
    picture: Path | None = None,
    thickness: str | None = None,
) -> None:
    """Compare a .sine file with the truth.

    A shape with its mesh: IoU, Chamfer-L1, normal consistency, F-scores, bytes, parameters. A scene with photographs
    that were held out of its training: PSNR, SSIM, LPIPS (where VGG's weights are on disk), bytes, parameters.

    Args:
        file: a .sine file of a shape or of a scene.
        truth: a shape's mesh, in the same coordinates; a scene's capture, of any kind that training takes: an LLFF
            folder, a transforms.json or its folder, a COLMAP model.
        json: print JSON instead of a table.
        points: for a shape: uniform points of the cube for the IoU (1,000,000 by default).
        resolution: for a shape: resolution of the field's mesh for the surface metrics (256 by default).
        seed: for a shape: seed of all points (0 by default).
        all: for a scene: score all views, those trained on too. By default the views are scored that were held out of
            the training, as its file remembers.
        hold_every: for a scene: score every N-th view, starting with the first, whatever its file says.
        scale: for a scene: score smaller pictures, of this share of width and height, in less time (1 by default).
        thickness: for a shape fitted with --thickness: the same thickness.
        picture: for a scene: write truth and rendering side by side to this file, a row for each view (.png, .jpg).
    """
    from sinenerf.sine_file import load

    of_shapes = given(points=points, resolution=resolution, seed=seed, thickness=thickness)
    of_scenes = given(all=all or None, hold_every=hold_every, scale=scale, picture=picture)
    field = load(file)
    result: SceneEvaluation | ShapeEvaluation
    if field.kind == "scene":
        refuse_options(file, "scene", of_shapes)
        result = _score_scene(file, field, truth, **of_scenes)
        rows = _scene_rows(result)
    else:
        refuse_options(file, "shape", of_scenes)
        result = _score_shape(file, field, truth, **of_shapes)
        rows = _shape_rows(result)
    if json:
        _print_json(result)
    else:
        _print_rows(f"{file} against {truth}", rows)


def _score_scene(file: Path, field: "RadianceField", truth: Path, all: bool = False, **more: Any) -> "SceneEvaluation":
    from sinenerf.radiance.evaluate import evaluate

    if truth.suffix.lower() in MESHES:
        raise ValueError(f"{file}: holds a scene, and {truth} is a mesh. Give the folder of the scene's photographs")
    return evaluate(field.on_best_device(), file.stat().st_size, truth, all_views=all, progress=True, **more)


def _score_shape(
    file: Path, field: "OccupancyField", truth: Path, thickness: str | None = None, **more: Any
) -> "ShapeEvaluation":
    from sinenerf.common.checks import check_seed
    from sinenerf.occupancy.evaluate import check_placement, evaluate
    from sinenerf.occupancy.mesh_input import read_mesh
    from sinenerf.occupancy.shell import thickness_of

    if "seed" in more:
        check_seed(more["seed"])
    if truth.is_dir() or truth.suffix in (".json", ".npy"):
        raise ValueError(f"{file}: holds a shape, and {truth} is no mesh. Give the mesh that it was fitted to")
    mesh, _ = read_mesh(truth, sheet=thickness is not None)
    check_placement(mesh, field.placement, truth)
    if thickness is not None:
        more["thickness"] = thickness_of(thickness, mesh)
    return evaluate(field, file.stat().st_size, mesh, **more)


def _scene_rows(result: "SceneEvaluation") -> dict[str, str]:
    rows = {
        "PSNR": f"{result.psnr:.2f} dB over {result.views} views: {_listed(result.names)}",
        "SSIM": f"{result.ssim:.4f}",
    }
    if result.lpips is not None:
        rows["LPIPS (VGG)"] = f"{result.lpips:.4f}"
    return {**rows, "bytes": f"{result.bytes:,}", "parameters": f"{result.parameters:,}"}


def _listed(names: list[str]) -> str:
    """Names of photographs, the middle ones of many left out."""
    return _printable(", ".join(names if len(names) <= 4 else [*names[:2], "...", names[-1]]))


def _shape_rows(result: "ShapeEvaluation") -> dict[str, str]:
    missing = "not measured: no surface, or a shell"

    def number(value: float | None) -> str:
        return missing if value is None else f"{value:.4f}"

    chamfer = missing if result.chamfer_l1 is None else f"{100 * result.chamfer_l1:.4f} % of the diagonal"
    return {
        "IoU, uniform in the cube": number(result.iou),
        "IoU, near the surface": number(result.iou_near),
        "Chamfer-L1": chamfer,
        "normal consistency": number(result.normal_consistency),
        "F-score at 0.5 % of the diagonal": number(result.f_score_half_percent),
        "F-score at 1 % of the diagonal": number(result.f_score_one_percent),
        "bytes": f"{result.bytes:,}",
        "parameters": f"{result.parameters or 0:,}",
    }


def _print_rows(title: str, rows: dict[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, title=title)
    for name, text in rows.items():
        table.add_row(name, text)
    Console(markup=False, emoji=False).print(table)


def _print_json(result: Any) -> None:
    """Print a dataclass as JSON."""
    print(json_format.dumps(asdict(result), indent=2))


def _print_info(path: Path, info: "FileInfo") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{path}: {info.kind}, version {info.version}", show_footer=True)
    coded = sum(t.bytes for t in info.tensors)
    tables = sum(t.table_bytes for t in info.tensors)
    table.add_column("tensor", footer="sum")
    table.add_column("shape", footer=f"{info.parameters:,}", justify="right")
    table.add_column("step", justify="right")
    table.add_column("bytes", footer=f"{coded:,.1f}", justify="right")
    table.add_column("bits each", footer=f"{8 * coded / info.parameters:.2f}", justify="right")
    table.add_column("table bytes", footer=f"{tables}", justify="right")
    for tensor in info.tensors:
        step = "float32" if tensor.step is None else f"{tensor.step:.3g}"
        shape = " x ".join(map(str, tensor.shape)) or "1"
        bits = 8 * tensor.bytes / math.prod(tensor.shape)
        cells = shape, step, f"{tensor.bytes:.1f}", f"{bits:.2f}", f"{tensor.table_bytes}"
        table.add_row(_printable(tensor.name), *cells)
    console = Console(markup=False, emoji=False)  # names come from the file
    console.print(table)
    console.print(_printable(", ".join(f"{name} {value}" for name, value in info.architecture.items())))
    rest = info.bytes - coded - tables - info.header_bytes
    console.print(
        f"{info.bytes:,} bytes, {info.bits_per_parameter:.2f} bits a parameter, all counted: {coded:,.0f} of values, "
        f"{tables} of tables, {info.header_bytes} of header and checksum, {rest:.0f} from the coder's rounding"
    )


def _printable(text: str) -> str:
    """Text of a file without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
