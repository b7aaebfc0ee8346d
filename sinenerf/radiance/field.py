"""A radiance field that renders without nerfstudio: the contents of a scene's .sine file."""

from collections.abc import Callable, Sequence
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
from sinenerf.radiance.warps import Points, SampledRays, Warp

if TYPE_CHECKING:
    import trimesh

    from sinenerf.radiance.compiled_networks import CompiledNetworks

Rays = Float[Tensor, "rays 3"]
CHUNK, LARGEST_CHUNK = 4096, 2**28
"""Bounds on the rays in one chunk, and on the values in one layer's features for all samples of these rays."""


class RadianceField(nn.Module):
    """The colour and density of a scene at any point.

    field = sinenerf.load("scene.sine")
    image = field.render(field.capture.home)["rgb"]

    Args:
        far: z in the cube beyond which there is only background; less than 1 only in forward-facing scenes.
        capture: where the photographs were taken from; None during training.
    """

    kind: ClassVar[Literal["scene"]] = "scene"

    def __init__(self, config: RadianceConfig, warp: Warp, far: float = 1.0, capture: Capture | None = None) -> None:
        super().__init__()
        self.config, self.warp, self.far, self.capture = config, warp, far, capture
        self.coarse, self.fine = build_networks(config)
        self.precision: Precision = "auto"
        self.compiled: CompiledNetworks | None = None  # in a training, where they serve
        self.complete = True  # False where fine-tuning was interrupted
        self.coded: dict[str, QuantisedTensor] = {}  # the parameters as integers, after training with quantisation

    @property
    def parameters_count(self) -> int:
        """Number of trainable parameters."""
        return count_parameters(self)

    def _half(self, kind: str) -> bool:
        """Whether to compute in bfloat16 between the encodings and the raw outputs; everything else is in float32."""
        return multiplies_bfloat16(kind) if self.precision == "auto" else self.precision == "bfloat16"

    def query(
        self, network: RadianceMLP | ScalarMLP, positions: Float[Tensor, "rays samples 3"], directions: Rays
    ) -> tuple[Float[Tensor, "rays samples 1"], Float[Tensor, "rays samples 3"] | None]:
        """(density per cube unit; colour in [0, 1], or None for a network without colour) at points of the cube."""
        kind = positions.device.type
        raw_colour, half = None, self._half(kind)
        if self.compiled is not None and self.compiled.serve(positions, half):
            raw, raw_colour = self.compiled.raw(network, positions, directions, half)
        else:
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=half):
                if isinstance(network, ScalarMLP):
                    raw = network(positions)
                else:
                    features = network.embed(positions)
                    raw, raw_colour = network.raw_density(features), network.raw_colour(features, directions)
        return self._density(raw.float()), None if raw_colour is None else torch.sigmoid(raw_colour.float())

    def _density(self, raw: Tensor) -> Tensor:
        if self.config.density_activation == "softplus":
            return F.softplus(raw)
        return torch.exp(raw.clamp(max=12.0))  # a density of exp(12) is opaque

    def density(self, points: Points) -> Float[Tensor, "*batch 1"]:
        """Density of the fine network at points of the cube, per cube unit."""
        return self._density(self.fine.raw_density(self.fine.embed(points)))

    def colour(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Colour in [0, 1] at points of the cube, seen along unit directions in the world."""
        return torch.sigmoid(self.fine.raw_colour(self.fine.embed(points[:, None]), directions))[:, 0]

    def normals(self, points: Points) -> Points:
        """Outward unit normals at world points, in world axes."""
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            raw = self.fine.raw_density(self.fine.embed(self.warp.warp_points(points)))
            (gradient,) = torch.autograd.grad(raw.sum(), points)
        return -F.normalize(gradient, dim=-1)

    @torch.no_grad()
    def render_rays(self, origins: Rays, directions: Rays, normals: bool = False) -> dict[str, Tensor]:
        """Render world rays.

        Returns:
            rgb (rays, 3) in [0, 1]; depth (rays, 1), the world distance at which half of the accumulation is reached;
            accumulation (rays, 1); and, if requested, normals (rays, 3), unit vectors at that depth.
        """
        rays = self.warp.warp_rays(origins, directions)
        _, (_, midpoints, weights, colour) = self.sample(rays, directions)
        assert colour is not None
        depth = rays.distances(median(midpoints, weights))
        rgb = composite(colour, weights, self.config.background)
        outputs = {"rgb": rgb, "depth": depth, "accumulation": weights.sum(-2)}
        if normals:
            outputs["normals"] = self.normals(origins + directions * depth)
        return outputs

    def sample(self, rays: SampledRays, directions: Rays, jitter: bool = False) -> tuple[Samples, Samples]:
        """(samples of the coarse network, samples of the fine network) along rays; coarse weights place the fine ones.

        Args:
            directions: of the rays, in the world.
            jitter: use stratified random sampling, for training.
        """
        config, count = self.config, len(directions)
        merge = config.sampling == "coarse-fine"

        def noise(samples: int) -> Tensor | None:
            return torch.rand(count, samples + 1 if merge else 1, device=directions.device) if jitter else None

        bins = uniform_bins(config.coarse_samples, count, noise(config.coarse_samples)).to(directions.device)
        coarse = self._march(self.coarse, rays, bins, directions)
        weights = coarse.weights.detach()
        bins = histogram_samples(bins, weights, config.fine_samples, merge, noise(config.fine_samples))
        return coarse, self._march(self.fine, rays, bins, directions)

    def _march(self, network: RadianceMLP | ScalarMLP, rays: SampledRays, bins: Tensor, directions: Rays) -> Samples:
        midpoints = (bins[:, 1:] + bins[:, :-1]) / 2
        density, colour = self.query(network, rays.points(midpoints), directions)
        return Samples(bins, midpoints[..., None], weights_of(density, rays.lengths(bins)), colour)

    def render(
        self, camera: Camera, normals: bool = False, check: Callable[[], None] = lambda: None
    ) -> dict[str, Float[Tensor, "height width _"]]:
        """Render the whole image of a camera: the outputs of `render_rays` at each pixel, on the CPU.

        `check` is called before each chunk of rays; an exception it raises stops the rendering.
        """
        device = next(self.parameters()).device
        parts, count = [], camera.width * camera.height
        chunk = max(1, min(CHUNK, LARGEST_CHUNK // self.config.features_per_ray))
        for start in range(0, count, chunk):
            check()
            o, d = camera.rays(start, min(start + chunk, count))
            parts.append(self.render_rays(o.to(device), d.to(device), normals))
        shape = camera.height, camera.width, -1
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
        views: Sequence[Camera] = (),
    ) -> "trimesh.Trimesh":
        """The coloured surface in scene coordinates. Arguments and errors as of `radiance.surface.extract_surface`."""
        with built_once(self):
            return extract_surface(self, resolution, level, largest_component, min_faces, box, visible, progress, views)

    def on_best_device(self) -> "RadianceField":
        """This field, moved to a GPU if one is available, with every W built and kept."""
        return keep_weights(self.to(best_device()))  # type: ignore[return-value]

    def check_writable(self) -> None:
        """Raise CodecError, a ValueError, if no reader would open this field's file, whatever its parameters."""
        check_writable(self.config)
        check_count(RADIANCE, self.parameters_count)

    def linear_layers(self) -> dict[str, nn.Linear | FactoredLinear]:
        """The linear and factored layers, by their names in the file."""
        return linear_layers(self)

    def describe(self) -> FileInfo:
        """The contents of the field's file, and how its bytes are spent."""
        return self.describe_container(Container.parse(self.to_bytes()))

    @classmethod
    def describe_container(cls, container: Container) -> FileInfo:
        """The contents of an opened file, and how its bytes are spent."""
        config, *_ = read_header(container)
        return file_info(container, "radiance field", asdict(config), tensors_of(config))

    def to_bytes(self) -> bytes:
        """The field's .sine file: entropy-coded integers if it was trained with quantisation, else float32. Raises
        ValueError if the field has no capture, or if the format cannot hold it."""
        if self.capture is None:
            raise ValueError("a radiance field without a capture cannot be written")
        stored = stored_tensors(self, tensors_of(self.config), self.coded)
        return pack(RADIANCE, header_of(self.config, self.warp, self.far, self.capture), stored)

    def save(self, path: str | Path) -> None:
        """Write the field to a .sine file atomically.

        Raises:
            OSError: the folder does not exist, or the disk is full.
        """
        with replacing(Path(path)) as partial:
            partial.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> "RadianceField":
        """Read a field that `save` wrote, with every W built and kept. Nothing in the file is executed.

        Raises:
            FileNotFoundError: the file does not exist.
            CodecError: a ValueError: the file holds no radiance field, is damaged, or was written by a newer version.
        """
        return read(Path(path), cls.of_container)

    @classmethod
    def of_container(cls, container: Container) -> "RadianceField":
        """The field in an opened .sine file, with every W built and kept.

        Raises:
            CodecError: the file holds no radiance field, or is damaged.
        """
        with torch.random.fork_rng(devices=[]):  # the initial parameters are drawn at random, then replaced
            field = cls(*read_header(container))
        shapes = {name: tuple(parameter.shape) for name, parameter in field.named_parameters()}
        tensors = dict(zip(shapes, container.tensors(list(shapes.values())), strict=True))
        field.coded = load_tensors(field, tensors)
        return keep_weights(field.eval())  # type: ignore[return-value]
