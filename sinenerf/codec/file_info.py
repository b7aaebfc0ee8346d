"""What a .sine file holds, and what its bytes are spent on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sinenerf.codec.container import VERSION, Container
from sinenerf.codec.tensors import size_of


@dataclass(frozen=True)
class TensorInfo:
    """The size of one tensor in a file."""

    name: str
    shape: tuple[int, ...]
    step: float | None
    """Quantisation step; None where the tensor is float32."""
    bytes: float
    """Size of the coded values: a fraction, since all tensors share one code."""
    table_bytes: int
    """Size of the tensor's entry in the table."""


@dataclass(frozen=True)
class FileInfo:
    """The contents of a .sine file and the size of each part."""

    version: int
    """Version of the format."""
    kind: str
    """occupancy field, radiance field or adapter."""
    architecture: dict[str, Any]
    """The settings in the header."""
    bytes: int
    """Size of the whole file."""
    parameters: int
    """Trainable values in all tensors."""
    bits_per_parameter: float
    """Of the whole file."""
    header_bytes: int
    """Header and frame: magic, version, kind, checksum."""
    tensors: list[TensorInfo]


def file_info(
    container: Container, kind: str, architecture: dict[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> FileInfo:
    """Measure the parts of a file.

    Args:
        kind: name of what the file holds.
        architecture: the settings in its header.
        shapes: its tensors, by name, in the order of the file.

    Raises:
        CodecError: the file does not hold exactly these tensors.
    """
    stored = container.tensors(list(shapes.values()))
    tensors = [
        TensorInfo(name, shape, getattr(tensor, "step", None), bits / 8, table_bytes)
        for (name, shape), (bits, table_bytes), tensor in zip(
            shapes.items(), container.sizes(stored), stored, strict=True
        )
    ]
    parameters = sum(map(size_of, stored))
    return FileInfo(
        version=VERSION,
        kind=kind,
        architecture=architecture,
        bytes=container.size,
        parameters=parameters,
        bits_per_parameter=8 * container.size / parameters,
        header_bytes=container.size - len(container.body),
        tensors=tensors,
    )
