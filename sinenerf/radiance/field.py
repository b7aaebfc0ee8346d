"""A radiance field that renders by itself: all of a trained scene but nerfstudio. What a .sine file of a NeRF holds."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from sinenerf.codec.container import RADIANCE, Container, check_count, pack, read
from sinenerf.codec.file_info import FileInfo, file_info
from sinenerf.codec.tensors import QuantisedTensor, load_tensors, stored_tensors
from sinenerf.common.files import replacing
from sinenerf.common.hardware import best_device, multiplies_bfloat16
from sinenerf.common.settings import Precision
from sinenerf.factored import FactoredLinear, built_once, keep_weights, linear_layers
from sinenerf.networks import RadianceMLP, ScalarMLP, count_parameters
from sinenerf.radiance.architecture import build_networks, tensors_of
from sinenerf.radiance.cameras import Camera, Capture
from sinenerf.radiance.config import RadianceConfig
from sinenerf.radiance.header import check_writable, header_of, read_header
from sinenerf.radiance.surface import SceneBox, Visible, extract_surface
from sinenerf.radiance.volume_rendering import Samples, composite, histogram_samples, median, uniform_bins, weights_of
from sinenerf.radiance.warps import CubeRays, Points, Warp

if TYPE_CHECKING:
    import trimesh

Rays = Float[Tensor, "rays 3"]
CHUNK, LARGEST_CHUNK = 4096, 2**28
"""Bounds on the rays of one chunk, and on the values of one layer's features for all of its samples."""


class RadianceField(nn.Module):
    """Colour and density of any point of one scene.

    field = sinenerf.load("scene.sine")
    image = field.render(field.capture.home)["rgb"]

    Args:
        far: z of the cube beyond which only background lies; 1 but for forward-facing scenes.
        capture: where the photographs were taken from. None while the field is in training.
    """

    kind: ClassVar[Literal["scene"]] = "scene"

    def __init__(self, config: RadianceConfig, warp: Warp, far: float = 1.0, capture: Capture | None = None) -> None:
        super().__init__()
        self.config, self.warp, self.far, self.capture = config, warp, far, capture
        self.coarse, self.fine = build_networks(config)
        self.precision: Precision = "auto"
        self.complete = True  # False where fine-tuning was interrupted
        self.coded: dict[str, QuantisedTensor] = {}  # the integers behind the numbers, after training with quantisation

    @property
    def parameters_count(self) -> int:
        """Trainable numbers."""
        return count_parameters(self)

    def _autocast(self, kind: str) -> torch.autocast:
        """bfloat16 for what lies between the encodings and the raw outputs; all else stays in float32."""
        half = multiplies_bfloat16(kind) if self.precision == "auto" else self.precision == "bfloat16"
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=half)

    def query(
        self, network: RadianceMLP | ScalarMLP, positions: Float[Tensor, "rays samples 3"], directions: Rays
    ) -> tuple[Float[Tensor, "rays samples 1"], Float[Tensor, "rays samples 3"] | None]:
        """(density in 1 / cube units; colour in [0, 1], or None where the network has none) at points of the cube."""
        if isinstance(network, ScalarMLP):
            with self._autocast(positions.device.type):
                raw = network(positions)
            return self._density(raw.float()), None
        with self._autocast(positions.device.type):
            features = network.embed(positions)
            raw, raw_colour = network.raw_density(features), network.raw_colour(features, directions)
        return self._density(raw.float()), torch.sigmoid(raw_colour.float())

    def _density(self, raw: Tensor) -> Tensor:
        if self.config.density_activation == "softplus":
            return F.softplus(raw)
        return torch.exp(raw.clamp(max=12.0))  # a density of exp(12) is a wall already

    def density(self, points: Points) -> Float[Tensor, "*batch 1"]:
        """Density of the fine network at points of the cube, in 1 / cube units."""
        return self._density(self.fine.raw_density(self.fine.embed(points)))

    def colour(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Colour in [0, 1] at points of the cube, seen along unit directions of the world."""
        return torch.sigmoid(self.fine.raw_colour(self.fine.embed(points[:, None]), directions))[:, 0]

    def normals(self, points: Points) -> Points:
        """Outward unit normals at points of the world, in world axes."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            raw = self.fine.raw_density(self.fine.embed(self.warp.warp_points(points)))
            (gradient,) = torch.autograd.grad(raw.sum(), points)
        return -F.normalize(gradient, dim=-1)

    @torch.no_grad()
    def render_rays(self, origins: Rays, directions: Rays, normals: bool = False) -> dict[str, Tensor]:
        """What rays of the world see.

        Returns:
            rgb (rays, 3) in [0, 1]; depth (rays, 1), the world distance at which half of the accumulation is reached;
            accumulation (rays, 1); and, if wanted, normals (rays, 3) at that depth, unit vectors.
        """
        rays = self.warp.warp_rays(origins, directions)
        _, (_, middles, weights, colour) = self.sample(rays, directions)
        assert colour is not None
        depth = self.warp.world_distance(origins, directions, median(middles, weights), rays)
        rgb = composite(colour, weights, self.config.background)
        outputs = {"rgb": rgb, "depth": depth, "accumulation": weights.sum(-2)}
        if normals:
            outputs["normals"] = self.normals(origins + directions * depth)
        return outputs

    def sample(
        self, rays: CubeRays, directions: Rays, jitter: bool = False, in_world: bool = False
    ) -> tuple[Samples, Samples]:
        """Samples of the coarse network along rays, and those of the fine one, which follow the coarse weights.

        Args:
            rays: in the cube. With in_world, rays of the world with bounds of their own, which may start anywhere: each
                sample is warped by itself, and its density scaled by how far the warp stretches its part of the ray.
            directions: of the rays in the world.
            jitter: stratified random sampling, for training.
        """
        config, count = self.config, len(directions)
        merge = config.sampling == "coarse-fine"

        def noise(samples: int) -> Tensor | None:
            return torch.rand(count, samples + 1 if merge else 1, device=directions.device) if jitter else None

        bins = uniform_bins(config.coarse_samples, count, noise(config.coarse_samples)).to(directions.device)
        coarse = self._march(self.coarse, rays, bins, directions, in_world)
        weights = coarse.weights.detach()
        bins = histogram_samples(bins, weights, config.fine_samples, merge, noise(config.fine_samples))
        return coarse, self._march(self.fine, rays, bins, directions, in_world)

    def _march(
        self, network: RadianceMLP | ScalarMLP, rays: CubeRays, bins: Tensor, directions: Rays, in_world: bool
    ) -> Samples:
        edges = rays.near + bins * (rays.far - rays.near)
        middles = ((edges[:, 1:] + edges[:, :-1]) / 2)[..., None]
        positions = rays.origins[:, None] + rays.directions[:, None] * middles
        if in_world:
            positions = self.warp.warp_points(positions)
        density, colour = self.query(network, positions, directions)
        if in_world:  # densities are per unit of the cube
            ends = self.warp.warp_points(rays.origins[:, None] + rays.directions[:, None] * edges[..., None])
            density = density * (ends.diff(dim=1).norm(dim=-1) / edges.diff().clamp(min=1e-9))[..., None]
        return Samples(bins, middles, weights_of(density, edges), colour)

    def render(
        self, view: Camera, normals: bool = False, check: Callable[[], None] = lambda: None
    ) -> dict[str, Float[Tensor, "height width _"]]:
        """A whole picture, on the CPU: `render_rays` of each pixel.

        `check` is called before each chunk of rays; what it raises ends the rendering.
        """
        device = next(self.parameters()).device
        parts, count = [], view.width * view.height
        chunk = max(1, min(CHUNK, LARGEST_CHUNK // self.config.features_per_ray))
        for start in range(0, count, chunk):
            check()
            o, d = view.rays(start, min(start + chunk, count))
            parts.append(self.render_rays(o.to(device), d.to(device), normals))
        shape = view.height, view.width, -1
        return {name: torch.cat([part[name] for part in parts]).cpu().view(*shape) for name in parts[0]}

    def mesh(
        self,
        resolution: int = 256,
        level: float | None = None,
        largest_component: bool = False,
        min_faces: int = 100,
        box: SceneBox | None = None,
        visible: Visible | None = None,
        progress: bool = False,
    ) -> "trimesh.Trimesh":
        """The coloured surface in scene coordinates; arguments and errors as of `radiance.surface.extract_surface`."""
        with built_once(self):
            return extract_surface(self, resolution, level, largest_component, min_faces, box, visible, progress)

    def on_best_device(self) -> "RadianceField":
        """This field, moved to a GPU if there is one, every W kept."""
        return keep_weights(self.to(best_device()))  # type: ignore[return-value]

    def check_writable(self) -> None:
        """Raise CodecError, a ValueError, where no reader would open the file of this field, whatever its numbers."""
        check_writable(self.config)
        check_count(RADIANCE, self.parameters_count)

    def linear_layers(self) -> dict[str, nn.Linear | FactoredLinear]:
        """Linear and factored layers, named as in the file."""
        return linear_layers(self)

    def describe(self) -> FileInfo:
        """What the field's file holds, and what its bytes are spent on."""
        return self.describe_container(Container.parse(self.to_bytes()))

    @classmethod
    def describe_container(cls, container: Container) -> FileInfo:
        """The same of a file that was opened."""
        config, *_ = read_header(container)
        return file_info(container, "radiance field", asdict(config), tensors_of(config))

    def to_bytes(self) -> bytes:
        """The field as a .sine file: entropy-coded integers where it was trained with quantisation, else float32."""
        if self.capture is None:
            raise ValueError("a radiance field without its capture cannot be written")
        stored = stored_tensors(self, tensors_of(self.config), self.coded)
        return pack(RADIANCE, header_of(self.config, self.warp, self.far, self.capture), stored)

    def save(self, path: str | Path) -> None:
        """Write the field, whole or not at all.

        Raises:
            OSError: the folder is not there, or the disk is full.
        """
        with replacing(Path(path)) as partial:
            partial.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> "RadianceField":
        """Read what `save` wrote, every W built and kept. Nothing in the file is executed.

        Raises:
            FileNotFoundError: no such file.
            CodecError: a ValueError: the file holds no radiance field, is damaged, or comes from a newer version.
        """
        return read(Path(path), cls.of_container)

    @classmethod
    def of_container(cls, container: Container) -> "RadianceField":
        """The field in a .sine file that was opened, every W kept.

        Raises:
            CodecError: it holds no radiance field, or is damaged.
        """
        with torch.random.fork_rng(devices=[]):  # initial numbers are drawn, and replaced
            field = cls(*read_header(container))
        shapes = {name: tuple(parameter.shape) for name, parameter in field.named_parameters()}
        tensors = dict(zip(shapes, container.tensors(list(shapes.values())), strict=True))
        field.coded = load_tensors(field, tensors)
        return keep_weights(field.eval())  # type: ignore[return-value]
