"""The files on display: shapes, meshes and scenes, identified at once and loaded when first needed."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal

from sinenerf.codec.container import OCCUPANCY, RADIANCE, Container, naming
from sinenerf.codec.entropy import CodecError
from sinenerf.common.axes import Up
from sinenerf.common.files import stamp
from sinenerf.common.mesh_files import FORMATS
from sinenerf.viewer.capture_mesh import capture_mesh, is_capture

if TYPE_CHECKING:
    import trimesh

    from sinenerf.occupancy.field import OccupancyField
    from sinenerf.occupancy.solid import Placement
    from sinenerf.radiance.field import RadianceField

MESHES = (*FORMATS, ".drc")


@dataclass
class Asset:
    """One file to view. Its contents are loaded by the first thread that needs them, and kept until `refresh` finds
    that the file has been written anew."""

    path: Path
    kind: Literal["shape", "scene", "mesh"]
    """The kind of the field in the file, or a mesh."""
    version: tuple[int, int] | None = None
    """`stamp` of the file whose contents are loaded."""
    _lock: Any = field(default_factory=RLock, repr=False)

    @classmethod
    def identify(cls, path: Path) -> "Asset":
        """Determine the kind of a file from its first bytes or its extension, without loading it.

        The folder of a capture is shown as a mesh of its points and cameras.

        Raises:
            FileNotFoundError: the file does not exist.
            ValueError: it is neither a .sine file of a field nor a mesh.
        """
        if path.suffix.lower() in MESHES:
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such file")
            return cls(path, "mesh")
        if is_capture(path):
            return cls(path, "mesh")
        if path.suffix.lower() != ".sine" and path.is_file():
            raise ValueError(
                f"{path}: cannot be viewed. Give .sine files, meshes ({' '.join(MESHES)}) or one folder of results"
            )
        return cls(path, kind_of(path))

    @cached_property
    def data(self) -> bytes:
        """The .sine file."""
        return self.path.read_bytes()

    @cached_property
    def field(self) -> "OccupancyField | RadianceField":
        """The field in the file, with its weights built; a scene is on the device that renders it fastest.

        Raises:
            ValueError: the file is damaged, or has been written anew with something else in it.
        """
        from sinenerf.sine_file import field_in

        with naming(self.path):
            container = Container.parse(self.data)
        field = field_in(container, self.path)
        if field.kind != self.kind:
            raise ValueError(f"{self.path}: holds a {field.kind} now, not a {self.kind}. Start sinenerf view again")
        return field.on_best_device() if field.kind == "scene" else field

    @cached_property
    def mesh(self) -> "trimesh.Trimesh":
        """The mesh in the file, with consistently oriented faces, or that of a capture."""
        if self.path.is_dir():
            return self._capture[0]
        from sinenerf.occupancy.mesh_input import prepare_mesh, read_mesh

        if self.path.suffix.lower() != ".drc":
            return read_mesh(self.path)[0]
        from sinenerf.common.mesh_compression import undraco

        try:
            decoded = undraco(self.path.read_bytes())
        except Exception as error:  # whatever the decoder raises
            raise ValueError(f"{self.path}: cannot be read as a Draco mesh ({error})") from None
        return prepare_mesh(decoded, str(self.path))[0]

    @cached_property
    def _capture(self) -> "tuple[trimesh.Trimesh, int, int]":
        return capture_mesh(self.path)

    @cached_property
    def placement(self) -> "Placement":
        """The cube around the shape, in the shape's own coordinates, and its up axis: of a mesh, a guess."""
        from sinenerf.occupancy.solid import Placement
        from sinenerf.occupancy.upright import guess_up

        if self.kind != "mesh":
            return self.field.placement  # type: ignore[return-value]
        return Placement.of(self.mesh, up="y" if self.path.is_dir() else guess_up(self.mesh, self.path.suffix).up)

    def refresh(self) -> "Asset":
        """Forget what was loaded if the file has been written anew since. Called when a page asks for the file itself,
        so that all that is said of it afterwards belongs to what the page shows.

        Raises:
            FileNotFoundError: the file is gone.
        """
        with self._lock:
            if self.version != (version := stamp(self.path)):
                for name in ("data", "field", "mesh", "_capture", "placement"):
                    self.__dict__.pop(name, None)
                self.version = version
        return self

    def load(self) -> "Asset":
        """Load the file now.

        Raises:
            ValueError: the file is damaged.
        """
        with self._lock:
            if self.version is None:
                self.refresh()
            _ = self.mesh if self.kind == "mesh" else self.field
            if self.kind != "scene":
                _ = self.placement
        return self

    @property
    def size(self) -> int:
        """Bytes of the file that is loaded."""
        assert self.version is not None
        return self.version[0]

    def caption(self) -> dict[str, str]:
        """The lines of its label: size, and faces or parameters and layer."""
        self.load()
        if self.path.is_dir():
            _, cameras, points = self._capture
            return {"cameras": f"{cameras:,} cameras", "points": f"{points:,} points"}
        size = f"{self.size:,} bytes"
        if self.kind == "mesh":
            return {"size": size, "faces": f"{len(self.mesh.faces):,} faces"}
        config, count = self.field.config, self.field.parameters_count
        layer = config.layer if config.layer == "dense" else f"{config.layer}, rank {config.rank}"
        bits = 8 * self.size / count
        return {"size": size, "parameters": f"{count:,} parameters, {bits:.2f} bits each", "layer": layer}


def kind_of(path: Path) -> Literal["shape", "scene"]:
    """The kind of the field in a .sine file.

    Raises:
        FileNotFoundError, CodecError: as `Container.open`; or the file holds something else.
    """
    kind = Container.open(path).kind
    if kind not in (OCCUPANCY, RADIANCE):
        raise CodecError(f"{path}: holds neither a shape nor a scene, and cannot be viewed. Leave it out")
    return "shape" if kind == OCCUPANCY else "scene"


def refuse_up(path: Path, kind: str, up: Up | None) -> None:
    """Raise ValueError if an axis was given for a scene, which stands as it was captured."""
    if up is not None and kind == "scene":
        raise ValueError(f"{path}: is a scene, for which --up does nothing: leave it out")


def identify_assets(paths: list[Path]) -> list[Asset]:
    """The files to view together.

    Raises:
        FileNotFoundError, ValueError: as `Asset.identify`; or shapes and scenes are mixed, which cannot share a camera.
    """
    assets = [Asset.identify(path) for path in paths]
    if not assets:
        raise ValueError("no files to view: give .sine files, meshes or one folder of results")
    if len({asset.kind == "scene" for asset in assets}) > 1:
        scene = next(asset for asset in assets if asset.kind == "scene")
        raise ValueError(f"{scene.path}: is a scene, which cannot share a camera with shapes. View it by itself")
    return assets


def display_frame(asset: Asset, reference: Asset) -> "Placement":
    """The cube to display a shape in: the reference's if both lie in the same place, else its own.

    The boxes of a field, its original and a Draco mesh of it differ by rounding, and must not be aligned separately.
    """
    own, shared = asset.load().placement, reference.load().placement
    offset = max(abs(a - b) for a, b in zip(own.centre, shared.centre, strict=True))
    same_place = offset < 0.25 * shared.scale and 0.8 < own.scale / shared.scale < 1.25
    return shared if same_place else own
