"""An occupancy field: a coordinate network that classifies points as inside or outside, and its place in space."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.codec.container import OCCUPANCY, Container, pack, read
from sinenerf.codec.file_info import FileInfo, file_info
from sinenerf.codec.tensors import QuantisedTensor, load_tensors, stored_tensors
from sinenerf.common.files import replacing
from sinenerf.factored import FactoredLinear, keep_weights, linear_layers
from sinenerf.networks import count_parameters
from sinenerf.occupancy.architecture import build_network, shapes_of, tensors_of
from sinenerf.occupancy.config import OccupancyConfig
from sinenerf.occupancy.header import header_of, read_header
from sinenerf.occupancy.solid import Placement
from sinenerf.occupancy.surface import extract_surface

if TYPE_CHECKING:
    import trimesh

CHUNK = 2**15  # points evaluated at once; their activations fit a processor's cache


class OccupancyField(nn.Module):
    """Occupancy of any point, in the coordinates of the mesh that it was fitted to.

    field = sinenerf.fit_mesh(mesh, minutes=2)
    inside = field(points) > 0.5
    field.mesh(256).export("out.ply")
    """

    kind: ClassVar[Literal["shape"]] = "shape"

    def __init__(self, config: OccupancyConfig, placement: Placement) -> None:
        super().__init__()
        self.config, self.placement = config, placement
        self.network = build_network(config)
        self.complete = True  # False after an interrupted fit
        self.coded: dict[str, QuantisedTensor] = {}  # the parameters' integers, after training with rounding

    @property
    def parameters_count(self) -> int:
        """Number of trainable parameters."""
        return count_parameters(self)

    def logits(self, cube: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """log(p / (1 - p)) of the occupancy p at points of the cube [-1, 1]^3.

        The result has the network's type and device. It has gradients in training mode or if the points require them;
        otherwise the points are evaluated in chunks, so activations take constant memory.
        """
        cube, like = self.fold(cube), next(self.parameters())
        if torch.is_grad_enabled() and (self.training or cube.requires_grad):
            return self.network(cube.to(like))[..., 0]
        with torch.no_grad():
            chunks = [self.network(chunk.to(like))[..., 0] for chunk in cube.reshape(-1, 3).split(CHUNK)]
        return torch.cat(chunks).reshape(cube.shape[:-1])

    def fold(self, cube: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Points of the cube as the network gets them: on one side of the plane of symmetry, if there is one."""
        return cube if self.placement.mirror is None else self.placement.mirror.fold(cube)

    def forward(self, points: Float[Tensor, "*batch 3"] | Float[np.ndarray, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """Occupancy from 0 (outside) to 1 (inside) at points in the mesh's own coordinates; 0 outside the cube.

        Type, device and gradients of the result are as in `logits`.
        """
        points = points if isinstance(points, Tensor) else torch.from_numpy(np.array(points))
        cube = self._to_cube(points)
        outside = (cube.abs() > 1).any(-1)
        cube = cube.masked_fill(outside[..., None], 0)  # the network would turn infinity into NaN
        logits = self.logits(cube)
        return torch.sigmoid(logits).masked_fill(outside.to(logits.device), 0)

    @torch.no_grad()
    def evaluate(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
        """Occupancy from 0 to 1, as in `forward`, as a float32 array without gradients."""
        return self(points).float().cpu().numpy()

    def _to_cube(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Cube coordinates of points. The centre is subtracted as two float32 parts, which is as exact as float64, a
        type that Apple's GPUs lack."""
        centre = np.asarray(self.placement.centre, np.float32)
        parts = centre, np.asarray(self.placement.centre - centre, np.float32)
        near, rest = (torch.from_numpy(part).to(points.device) for part in parts)
        return (points - near - rest) / self.placement.scale

    def mesh(self, resolution: int = 512, level: float = 0.5, largest_component: bool = False) -> "trimesh.Trimesh":
        """The surface at occupancy `level`; arguments and errors as of `occupancy.surface.extract_surface`."""
        return extract_surface(self.logits, self.placement, resolution, level, largest_component).mesh

    def linear_layers(self) -> dict[str, nn.Linear | FactoredLinear]:
        """Linear and factored layers, named as in the file."""
        return linear_layers(self.network)

    def describe(self) -> FileInfo:
        """Settings, tensors and bytes by part of the field's file."""
        return self.describe_container(Container.parse(self.to_bytes()))

    @classmethod
    def describe_container(cls, container: Container) -> FileInfo:
        """The same for an opened file, without building the network."""
        config, placement = read_header(container)
        mirror = "none" if placement.mirror is None else str(placement.mirror)
        settings = asdict(config) | {"up": placement.up, "mirror": mirror, "pieces": placement.pieces or "all"}
        return file_info(container, "occupancy field", settings, tensors_of(config))

    def to_bytes(self) -> bytes:
        """The field as a .sine file: entropy-coded integers after training with rounding, else float32."""
        stored = stored_tensors(self.network, tensors_of(self.config), self.coded)
        return pack(OCCUPANCY, header_of(self.config, self.placement), stored)

    def save(self, path: str | Path) -> None:
        """Write the field atomically.

        Raises:
            OSError: the folder does not exist, or the disk is full.
        """
        data = self.to_bytes()
        with replacing(Path(path)) as partial:
            partial.write_bytes(data)

    @classmethod
    def load(cls, path: str | Path) -> "OccupancyField":
        """Read a file written by `save`, in evaluation mode with every W cached. Nothing in the file is executed.

        Raises:
            FileNotFoundError: no such file.
            CodecError: (a ValueError) the file holds no occupancy field, is damaged, or comes from a newer version.
        """
        return read(Path(path), cls.of_container)

    @classmethod
    def of_container(cls, container: Container) -> "OccupancyField":
        """The field in an opened .sine file."""
        config, placement = read_header(container)
        tensors = dict(zip(tensors_of(config), container.tensors(shapes_of(config)), strict=True))
        with torch.random.fork_rng(devices=[]):  # the initial parameters are drawn, then replaced
            field = cls(config, placement)
        field.coded = load_tensors(field.network, tensors)
        return keep_weights(field.eval())  # type: ignore[return-value]
