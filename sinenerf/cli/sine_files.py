"""Commands for any .sine file."""

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from sinenerf.codec.file_info import FileInfo


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
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
) -> None:
    """Make a small file of a trained scene or shape: its numbers are rounded while it is trained on, within a budget.

    Ctrl-C writes the file as far as it is, but not over a file of before; after that, and after a crash, the same
    command goes on. Open only runs of your own: nerfstudio's config.yml can execute code. A .sine file is safe.

    Args:
        source: a .sine file of a shape, or the folder of a run of ns-train.
        output: .sine file to write.
        bits: size of the new file in bits a parameter, all counted; 8 for float32 if no bytes are given. 32 keeps a
            run's float32.
        bytes: size of the new file.
        mesh: the mesh that a shape was fitted to; without it, the field's own surface is the truth.
        minutes: train for so long; 1 if no steps are given.
        steps: train for so many steps instead.
        seed: of the training points.
    """
    if source.is_dir() or source.suffix == ".yml":
        if mesh is not None:
            raise ValueError(f"{source}: is a run, for which --mesh does nothing: leave it out")
        from sinenerf.plugin.compress_run import compress_run

        made = compress_run(source, output, bits, bytes, minutes, steps, seed)
        print(f"{output}: {output.stat().st_size:,} bytes, {made.parameters_count:,} parameters")
        if not made.complete:
            sys.exit(130)
        return
    from sinenerf.occupancy.compress import compress as compress_field

    if not compress_field(source, output, bits, bytes, mesh, minutes, steps, seed).complete:
        sys.exit(130)


def evaluate(
    file: Annotated[Path, tyro.conf.Positional],
    truth: Annotated[Path, tyro.conf.Positional],
    /,
    json: bool = False,
    points: int = 1_000_000,
    resolution: int = 256,
    seed: int = 0,
    hold_every: int = 8,
    picture: Path | None = None,
) -> None:
    """Compare a .sine file with the truth.

    A shape with its mesh: IoU, Chamfer-L1, normal consistency, F-scores, bytes, parameters. A scene with photographs
    that were held out of its training: PSNR, SSIM, LPIPS (where VGG's weights are on disk), bytes, parameters.

    Args:
        file: a .sine file of a shape or of a scene.
        truth: a shape's mesh, in the same coordinates; a scene's LLFF folder, or a transforms.json of test views alone,
            since all of its frames are scored.
        json: print JSON in place of a table.
        points: of a shape: uniform points of the cube for the IoU.
        resolution: of a shape: of the mesh that is made of the field for the surface metrics.
        seed: of a shape: of all points.
        hold_every: of a scene's LLFF folder: every so many views were held out, the first one too.
        picture: of a scene: write truth and rendering side by side there, a row a view (.png, .jpg).
    """
    from sinenerf.radiance.field import RadianceField
    from sinenerf.sine_file import load

    field = load(file)
    if isinstance(field, RadianceField):
        from sinenerf.radiance.evaluate import print_evaluation as of_scene

        of_scene(field, file, truth, json, hold_every, picture)
    elif picture is not None:
        raise ValueError(f"{file}: holds a shape, for which --picture does nothing. For it: sinenerf snapshot")
    else:
        from sinenerf.occupancy.evaluation_report import print_evaluation as of_shape

        of_shape(field, file, truth, json, points, resolution, seed)


def _print_json(result: Any) -> None:
    """Print a dataclass as JSON."""
    import json
    from dataclasses import asdict

    print(json.dumps(asdict(result), indent=2))


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
