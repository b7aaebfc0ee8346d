"""Any .sine file: the field in it, and what its bytes are spent on."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sinenerf.codec import adapter_header
from sinenerf.codec.container import ADAPTER, RADIANCE, VERSION, Container
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.tensor_table import size_of
from sinenerf.occupancy.field import OccupancyField
from sinenerf.occupancy.header import read_header, tensors_of
from sinenerf.radiance import header as radiance_header
from sinenerf.radiance.field import RadianceField

Field = OccupancyField | RadianceField


def load(path: str | Path) -> Field:
    """The field in a .sine file, every W built and kept: of a shape or of a scene. Nothing in the file is executed.

    Raises:
        FileNotFoundError: no such file.
        CodecError: a ValueError: no .sine file, no field's, damaged, or of a newer version.
    """
    path = Path(path)
    container = Container.open(path)
    if container.kind == ADAPTER:
        raise CodecError(
            f"{path}: holds an adapter, which needs its model: sinenerf.adapters.load_adapter(model, {str(path)!r})"
        )
    try:
        return (RadianceField if container.kind == RADIANCE else OccupancyField).of_container(container)
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None


@dataclass(frozen=True)
class TensorInfo:
    """What one tensor takes."""

    name: str
    shape: tuple[int, ...]
    step: float | None
    """None where the tensor is float32."""
    bytes: float
    """Of its numbers, in fractions: the tensors share one code."""
    table_bytes: int


@dataclass(frozen=True)
class FileInfo:
    """What a .sine file is and what its bytes are spent on."""

    version: int
    kind: str
    architecture: dict[str, Any]
    bytes: int
    parameters: int
    bits_per_parameter: float
    """All bytes of the file counted."""
    header_bytes: int
    """Header and frame: magic, version, kind, checksum."""
    tensors: list[TensorInfo]


def describe(path: Path) -> FileInfo:
    """What `sinenerf info` prints.

    Raises:
        FileNotFoundError, CodecError: as `load`.
    """
    container = Container.open(path)
    try:
        kind, config, shapes = _contents(container)
        stored = container.tensors(list(shapes.values()))
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None
    sizes = container.sizes(stored)
    tensors = [
        TensorInfo(name, shape, getattr(tensor, "step", None), bits / 8, table)
        for (name, shape), (bits, table), tensor in zip(shapes.items(), sizes, stored, strict=True)
    ]
    parameters = sum(map(size_of, stored))
    return FileInfo(
        VERSION,
        kind,
        config,
        container.size,
        parameters,
        8 * container.size / parameters,
        container.size - len(container.body),
        tensors,
    )


def _contents(container: Container) -> tuple[str, dict[str, Any], dict[str, tuple[int, ...]]]:
    """Kind, architecture, and shapes by name."""
    if container.kind == ADAPTER:
        header = adapter_header.read_header(container)
        return "adapter", header.config, header.shapes
    if container.kind == RADIANCE:
        of_scene, *_ = radiance_header.read_header(container)
        return "radiance field", asdict(of_scene), of_scene.tensors()
    config, _ = read_header(container)
    return "occupancy field", asdict(config), tensors_of(config)


def print_info(path: Path, as_json: bool) -> None:
    """Print what a file is, as a table or as JSON."""
    from rich.console import Console
    from rich.table import Table

    info = describe(path)
    if as_json:
        print(json.dumps(asdict(info), indent=2))
        return
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
        table.add_row(_shown(tensor.name), shape, step, f"{tensor.bytes:.1f}", f"{bits:.2f}", f"{tensor.table_bytes}")
    console = Console(markup=False, emoji=False)  # names are from the file
    console.print(table)
    console.print(_shown(", ".join(f"{name} {value}" for name, value in info.architecture.items())))
    rest = info.bytes - coded - tables - info.header_bytes
    console.print(
        f"{info.bytes:,} bytes, {info.bits_per_parameter:.2f} bits a parameter, all counted: {coded:,.0f} of numbers, "
        f"{tables} of tables, {info.header_bytes} of header and checksum, {rest:.0f} that the coder rounds up"
    )


def _shown(text: str) -> str:
    """Text of a file without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
