"""Opening any .sine file: loading the field in it, the interface of all fields, and the sizes of a file's parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from torch import nn

from sinenerf.codec import adapter_header
from sinenerf.codec.container import ADAPTER, OCCUPANCY, RADIANCE, Container, naming, read
from sinenerf.codec.entropy import CodecError
from sinenerf.codec.file_info import FileInfo, file_info
from sinenerf.factored import FactoredLinear
from sinenerf.occupancy.field import OccupancyField
from sinenerf.radiance.field import RadianceField

if TYPE_CHECKING:
    import trimesh


class Field(Protocol):
    """The interface of every field; `OccupancyField` and `RadianceField` implement it.

    Only a shape has `evaluate`, and only a scene has `render`. Type checkers tell the two apart by `kind`:

        field = sinenerf.load(path)
        image = field.render(camera) if field.kind == "scene" else None
    """

    complete: bool
    """False if its training was interrupted."""

    @property
    def kind(self) -> Literal["shape", "scene"]:
        """A shape (an occupancy field) or a scene (a radiance field)."""

    @property
    def parameters_count(self) -> int:
        """Number of trainable values."""

    def linear_layers(self) -> dict[str, nn.Linear | FactoredLinear]:
        """Linear and factored layers, named as in the file."""

    def mesh(self, resolution: int = ..., *, largest_component: bool = ...) -> "trimesh.Trimesh":
        """The surface as a mesh, from a grid of `resolution` cells or samples a side."""

    def save(self, path: str | Path) -> None:
        """Write a .sine file, whole or not at all."""

    def describe(self) -> FileInfo:
        """What the field's file holds, and what its bytes are spent on."""


_FIELDS: dict[int, type[OccupancyField] | type[RadianceField]] = {OCCUPANCY: OccupancyField, RADIANCE: RadianceField}
"""The class of a field, by the kind number in its file."""


def load(path: str | Path) -> OccupancyField | RadianceField:
    """Read the field in a .sine file, of a shape or a scene, with every W built and kept. Nothing in it is executed.

    Raises:
        FileNotFoundError: no such file.
        CodecError: a ValueError: not a .sine file, damaged, of a newer version, or one without a field.
    """
    return field_in(Container.open(Path(path)), Path(path))


def field_in(container: Container, path: Path) -> OccupancyField | RadianceField:
    """The field in an opened file, as `load` gives it.

    Args:
        path: the file, for messages.

    Raises:
        CodecError: damaged, or without a field.
    """
    with naming(path):
        if container.kind == ADAPTER:
            call = f"sinenerf.adapters.load_adapter(model, {str(path)!r})"
            raise CodecError(f"holds an adapter, which needs its model: {call}")
        return _field_class(container).of_container(container)


def describe(path: Path) -> FileInfo:
    """What a .sine file of any kind holds, and what its bytes are spent on.

    Raises:
        FileNotFoundError, CodecError: as `load`.
    """

    def measure(container: Container) -> FileInfo:
        if container.kind == ADAPTER:
            header = adapter_header.read_header(container)
            return file_info(container, "adapter", header.config, header.shapes)
        return _field_class(container).describe_container(container)

    return read(path, measure)


def _field_class(container: Container) -> type[OccupancyField] | type[RadianceField]:
    if container.kind not in _FIELDS:
        raise CodecError("holds neither a field nor an adapter")
    return _FIELDS[container.kind]
