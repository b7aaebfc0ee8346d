"""An occupancy field: a coordinate network that says inside or outside for any point, and where in space it lies."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.activations import Activation
from sinenerf.files import replacing
from sinenerf.layers import LayerKind, LayerSpec, bake
from sinenerf.networks import ScalarMLP, Trunk, count_parameters
from sinenerf.occupancy.labels import Placement

if TYPE_CHECKING:
    import trimesh

FORMAT = "sinenerf occupancy field"
VERSION = 1
CHUNK = 2**15  # points at once: their activations stay within a processor's cache


@dataclass(frozen=True)
class FieldConfig:
    """Architecture of an occupancy field. The paper's is 3-256-256-256-1 with the two square matrices factored."""

    layer: LayerKind = "sine"
    """sine: sin(omega U V^T) / g; low-rank: U V^T; dense: nn.Linear."""
    rank: int = 4
    """Width k of the factors."""
    width: int = 128
    """Neurons of a hidden layer."""
    depth: int = 3
    """Hidden layers; all after the first are factored."""
    omega: float = 30.0
    """Frequency of the sine."""
    spread: float = 10.0
    """Standard deviation, in radians, of the phase omega U V^T at the start."""
    activation: Activation = "gaussian"
    """What stands between the layers."""
    bandwidth: float = 10.0
    """b of gaussian, exp(-(b z)^2 / 2), and of sine, sin(b z)."""
    learn_omega: bool = False
    """Train one omega a layer."""
    learn_gain: bool = False
    """Train one gain a layer."""

    def network(self) -> ScalarMLP:
        """A new network of this architecture.

        Raises:
            ValueError: a size that is not positive, or a rank that does not fit.
        """
        for name in ("rank", "width", "depth", "omega", "spread", "bandwidth"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} is {value}: it must be positive")
        spec = LayerSpec(self.layer, self.rank, self.omega, self.spread, self.learn_omega, self.learn_gain)
        trunk = Trunk(self.width, self.depth, (), ("hidden",), self.activation, self.bandwidth)
        return ScalarMLP(trunk, spec, frequencies=0)


class OccupancyField(nn.Module):
    """Occupancy of any point, in the coordinates of the mesh that it was fitted to.

    field = OccupancyField.fit(mesh, minutes=2)
    inside = field(points) > 0.5
    field.mesh(256).export("out.ply")
    """

    def __init__(self, config: FieldConfig, placement: Placement) -> None:
        super().__init__()
        self.config, self.placement = config, placement
        self.network = config.network()
        self.complete = True  # False after a fit that was interrupted

    @classmethod
    def fit(cls, mesh: "trimesh.Trimesh", **settings: Any) -> "OccupancyField":
        """A field of a mesh. Settings are those of `FieldConfig` and `sinenerf.occupancy.fitting.FitConfig`.

        Raises:
            ValueError: a mesh that is empty, flat, not finite or without volume, or an unknown or impossible setting.
        """
        from sinenerf.occupancy.fitting import fit, split_settings

        return fit(mesh, *split_settings(settings))

    @property
    def parameters_count(self) -> int:
        """Trainable numbers."""
        return count_parameters(self)

    def logits(self, cube: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """log(p / (1 - p)) of the occupancy p, at points of the cube [-1, 1]^3."""
        return self.network(cube)[..., 0]

    def forward(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """Occupancy from 0 (outside) to 1 (inside), at points in the mesh's own coordinates; outside the cube 0."""
        centre = torch.tensor(self.placement.centre, dtype=torch.float64, device=points.device)
        cube = (points.double() - centre) / self.placement.scale
        inside_cube = (cube.abs() <= 1).all(-1)
        return torch.sigmoid(self.logits(cube.float())) * inside_cube

    @torch.no_grad()
    def evaluate(self, cube: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
        """Logits of many points of the cube, in chunks, on the network's device. Bake first for speed."""
        device = next(self.parameters()).device
        values = np.empty(len(cube), dtype=np.float32)
        for start in range(0, len(cube), CHUNK):
            chunk = torch.from_numpy(np.ascontiguousarray(cube[start : start + CHUNK], dtype=np.float32))
            values[start : start + CHUNK] = self.logits(chunk.to(device)).float().cpu().numpy()
        return values

    def mesh(self, resolution: int = 512, level: float = 0.5) -> "trimesh.Trimesh":
        """The surface where the occupancy passes `level`; see `sinenerf.occupancy.meshing.extract`."""
        from sinenerf.occupancy.meshing import extract

        return extract(self, resolution, level).mesh

    def save(self, path: str | Path) -> None:
        """Write the field, whole or not at all: tensors in the safetensors format, architecture and placement as JSON.

        Raises:
            OSError: the folder is not there, or the disk is full.
        """
        from safetensors.torch import save

        about = {"config": asdict(self.config), "placement": asdict(self.placement)}
        header = {"format": FORMAT, "version": str(VERSION), "field": json.dumps(about)}
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        data = save(tensors, metadata=header)
        with replacing(Path(path)) as partial:
            partial.write_bytes(data)

    @classmethod
    def load(cls, path: str | Path) -> "OccupancyField":
        """Read what `save` wrote, baked and ready to be evaluated. Nothing in the file is executed.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is no field, is damaged, or comes from a newer version.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(f"{path}: is not a field of sinenerf, or is damaged ({error})") from None
        if header.get("format") != FORMAT:
            raise ValueError(f"{path}: is not a field of sinenerf. Make one with: sinenerf fit MESH --output {path}")
        if header.get("version") != str(VERSION):
            raise ValueError(f"{path}: is of version {header.get('version')}; this sinenerf reads version {VERSION}")
        try:
            about = json.loads(header["field"])
            place = about["placement"]
            field = cls(FieldConfig(**about["config"]), Placement(tuple(place["centre"]), float(place["scale"])))
            field.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"{path}: the field is damaged ({str(error).splitlines()[0]})") from None
        return bake(field.eval())  # type: ignore[return-value]


load = OccupancyField.load
