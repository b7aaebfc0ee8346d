"""What is looked at: fields, meshes and scenes, each named at once and loaded when it is first needed."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

from sinenerf.codec.container import RADIANCE, Container
from sinenerf.codec.entropy import CodecError
from sinenerf.common.mesh_files import FORMATS

if TYPE_CHECKING:
    import trimesh

    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.occupancy.solid import Placement
    from sinenerf.radiance.field import RadianceField

MESHES = (*FORMATS, ".drc")
Kind = Literal["field", "mesh", "scene"]
Up = Literal["y", "z", "x", "-y", "-z", "-x"]
"""Axis of a shape's own coordinates that points up on the screen."""


@dataclass
class Item:
    """One file. What needs torch or trimesh is loaded when it is first asked for, by whichever thread comes first."""

    path: Path
    kind: Kind
    _lock: Any = field(default_factory=RLock, repr=False)

    @classmethod
    def of(cls, path: Path) -> "Item":
        """Say what a file is by its first bytes or its extension.

        Raises:
            FileNotFoundError: no such file.
            ValueError: neither a .sine file nor a mesh.
        """
        if path.suffix.lower() in MESHES:
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such file")
            return cls(path, "mesh")
        if path.suffix.lower() != ".sine" and path.is_file():
            raise ValueError(
                f"{path}: nothing to look at. Give .sine files, meshes ({' '.join(MESHES)}) or one folder of results"
            )
        try:
            return cls(path, "scene" if Container.open(path).kind == RADIANCE else "field")
        except CodecError as error:
            raise CodecError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None

    @cached_property
    def field(self) -> "OccupancyField | RadianceField":
        """The field in the file, baked; a scene's where its pictures are made soonest."""
        from sinenerf.sine_file import load

        field = load(self.path)
        return field.on_best_device() if field.kind == "scene" else field

    @cached_property
    def mesh(self) -> "trimesh.Trimesh":
        """The mesh in the file, its faces oriented."""
        from sinenerf.occupancy.mesh_input import prepare_shape, read_shape

        if self.path.suffix.lower() != ".drc":
            return read_shape(self.path)[0]
        from sinenerf.common.mesh_files import undraco

        try:
            decoded = undraco(self.path.read_bytes())
        except Exception as error:  # whatever the decoder raises
            raise ValueError(f"{self.path}: cannot be read as a Draco mesh ({error})") from None
        return prepare_shape(decoded, str(self.path))[0]

    @cached_property
    def placement(self) -> "Placement":
        """The cube that the shape fills, in its own coordinates."""
        from sinenerf.occupancy.solid import Placement

        return Placement.of(self.mesh) if self.kind == "mesh" else self.field.placement  # type: ignore[return-value]

    def load(self) -> "Item":
        """Load the file now.

        Raises:
            ValueError: it is damaged.
        """
        with self._lock:
            _ = self.mesh if self.kind == "mesh" else self.field
            if self.kind != "scene":
                _ = self.placement
        return self

    def facts(self) -> dict[str, str]:
        """What a label says of it."""
        self.load()
        size = f"{self.path.stat().st_size:,} bytes"
        if self.kind == "mesh":
            return {"size": size, "faces": f"{len(self.mesh.faces):,} faces"}
        config, count = self.field.config, self.field.parameters_count
        layer = config.layer if config.layer == "dense" else f"{config.layer}, rank {config.rank}"
        bits = 8 * self.path.stat().st_size / count
        return {"size": size, "parameters": f"{count:,} parameters, {bits:.2f} bits each", "layer": layer}


def open_items(paths: list[Path]) -> list[Item]:
    """The files to look at together.

    Raises:
        FileNotFoundError, ValueError: as `Item.of`; or shapes beside scenes, which have no camera in common.
    """
    items = [Item.of(path) for path in paths]
    if not items:
        raise ValueError("nothing to look at: give .sine files, meshes or one folder of results")
    if len({item.kind == "scene" for item in items}) > 1:
        scene = next(item for item in items if item.kind == "scene")
        raise ValueError(f"{scene.path}: is a scene: it shares no camera with shapes. Look at it by itself")
    return items


def shared_frame(item: Item, first: Item) -> "Placement":
    """The frame to show a shape in: the first one's where both stand in the same place, else its own.

    A field, its original and a Draco mesh of it differ by a rounding in their boxes, and must not be moved apart.
    """
    own, shared = item.load().placement, first.load().placement
    apart = max(abs(a - b) for a, b in zip(own.centre, shared.centre, strict=True))
    same = apart < 0.25 * shared.scale and 0.8 < own.scale / shared.scale < 1.25
    return shared if same else own
