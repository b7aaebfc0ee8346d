"""The radiance field as a nerfstudio model: sample rays in the cube, query the networks, composite."""

import torch
import torch.nn.functional as F
from nerfstudio.cameras.rays import RayBundle, RaySamples
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.model_components.losses import interlevel_loss
from nerfstudio.model_components.ray_samplers import PDFSampler, UniformSampler
from nerfstudio.model_components.renderers import RGBRenderer
from nerfstudio.models.base_model import Model
from nerfstudio.utils import colormaps
from torch import Tensor

from sinenerf.common.checks import file_size
from sinenerf.common.console import say
from sinenerf.factored import built_once
from sinenerf.plugin.divergence import check_finite, collapse
from sinenerf.plugin.model_config import SineNeRFModelConfig
from sinenerf.plugin.viewer_panel import Panel
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import file_length, overhead
from sinenerf.radiance.image_metrics import image_metrics, psnr
from sinenerf.radiance.volume_rendering import median
from sinenerf.radiance.warps import NDC, Box, CubeRays, Points, Warp
from sinenerf.rounding.by_learned_steps import LearnedStepRounding

COLLAPSE_CHECKS = range(100, 501, 100)
"""Steps at which a collapsed density is looked for."""
PANEL_STEPS = 50
"""Between two updates of the viewer's panel."""


class SineNeRFModel(Model):
    """Coarse and fine sampling of one scene, in the cube that its warp makes of it.

    Outputs: rgb, depth (world distance along the ray, median), accumulation, normals (world axes, in [0, 1]).
    """

    config: SineNeRFModelConfig

    def populate_modules(self) -> None:
        super().populate_modules()
        config = self.config
        metadata = self.kwargs.get("metadata") or {}
        self.warp: Warp = NDC(**metadata["ndc"]) if "ndc" in metadata else Box.from_aabb(self.scene_box.aabb)
        try:
            self.field = RadianceField(config.architecture(isinstance(self.warp, NDC)), self.warp, self._far())
            self.quantiser = self._quantiser()
        except ValueError as error:
            raise SystemExit(f"sinenerf: {error}") from None
        self.field.precision = config.precision
        merged = config.sampling == "coarse-fine"
        self.sample_uniform = UniformSampler(config.coarse_samples, single_jitter=not merged)
        self.sample_pdf = PDFSampler(config.fine_samples, include_original=merged, single_jitter=not merged)
        background = "random" if config.background_color == "random" else self.field.config.background
        self.renderer_rgb = RGBRenderer(background_color=background)
        self.reseeded = False
        self.panel = Panel(self.field, self.quantiser)
        self.register_load_state_dict_post_hook(lambda model, _: model.panel.update(model.field, model.quantiser))

    def _far(self) -> float:
        """z of the cube at the scene's far bound."""
        if not isinstance(self.warp, NDC):
            return 1.0
        far = self.scene_box.aabb[0].clone()
        far[:2] = 0
        return float(self.warp.warp_points(far)[2])

    def _quantiser(self) -> LearnedStepRounding | None:
        """Rounding of all numbers, which waits for its turn in the training; None where a run keeps float32."""
        size = file_size(self.field.parameters_count, self.config.bits, self.config.bytes)
        if size is None:
            return None
        self.field.check_writable()
        try:
            return LearnedStepRounding(self.field, size, file_length, overhead(self.field.config))
        except ValueError as error:
            raise ValueError(f"{size} bytes: {error}") from None

    def get_param_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        groups = {"fields": list(self.field.parameters())}
        if self.quantiser is not None:
            values, models = (group["params"] for group in self.quantiser.parameter_groups())
            groups = {"fields": values, "codec": models}
        return groups

    def get_outputs(self, ray_bundle: RayBundle) -> dict[str, Tensor]:
        with built_once(self):
            return self._render(ray_bundle)

    @torch.no_grad()
    def get_outputs_for_camera_ray_bundle(self, camera_ray_bundle: RayBundle) -> dict[str, Tensor]:
        with built_once(self):  # once an image, not once a chunk
            return super().get_outputs_for_camera_ray_bundle(camera_ray_bundle)

    def _render(self, bundle: RayBundle) -> dict[str, Tensor]:
        inside = self._enter_cube(bundle)
        samples = self.sample_uniform(inside)
        coarse, weights = self._march(self.field.coarse, bundle, samples)
        samples_list, weights_list = [samples], [weights]
        samples = self.sample_pdf(inside, samples, weights.detach())
        rgb, weights = self._march(self.field.fine, bundle, samples)
        assert rgb is not None
        samples_list.append(samples)
        weights_list.append(weights)

        outputs = {"rgb": rgb, "accumulation": weights.sum(-2)}
        if self.training:
            if coarse is None:
                outputs["interlevel"] = interlevel_loss(weights_list, samples_list)
            else:
                outputs["rgb_coarse"], outputs["accumulation_coarse"] = coarse, weights_list[0].sum(-2)
            self._latest_weights = weights.detach()
            return outputs
        outputs["depth"] = self._depth(bundle, inside, samples, weights)
        outputs["normals"] = self._normals(bundle, outputs["depth"])
        return outputs

    def _enter_cube(self, bundle: RayBundle) -> RayBundle:
        """The rays inside the cube. Rays that come with bounds of their own (exporters' short ones) stay in the world,
        since they may start anywhere and point anywhere; `_positions` then warps their samples one by one."""
        if bundle.nears is not None:
            return bundle
        rays = self.warp.warp_rays(bundle.origins, bundle.directions)
        return RayBundle(rays.origins, rays.directions, bundle.pixel_area, nears=rays.near, fars=rays.far)

    def _positions(self, bundle: RayBundle, samples: RaySamples) -> Points:
        points = samples.frustums.get_positions()
        return points if bundle.nears is None else self.warp.warp_points(points)

    def _cube_per_world(self, samples: RaySamples) -> Tensor:
        """How much longer each sample's piece of its ray is in the cube, whose units densities have."""
        piece = samples.frustums
        start, end = (self.warp.warp_points(piece.origins + piece.directions * t) for t in (piece.starts, piece.ends))
        return (end - start).norm(dim=-1, keepdim=True) / (piece.ends - piece.starts).clamp(min=1e-9)

    def _march(self, network, bundle: RayBundle, samples: RaySamples) -> tuple[Tensor | None, Tensor]:
        """(colour of each ray, or None where the network has none; weights of its samples)."""
        density, colour = self.field.query(network, self._positions(bundle, samples), bundle.directions)
        if bundle.nears is not None:
            density = density * self._cube_per_world(samples)
        weights = samples.get_weights(density)
        return None if colour is None else self.renderer_rgb(rgb=colour, weights=weights), weights

    def _depth(self, bundle: RayBundle, inside: RayBundle, samples: RaySamples, weights: Tensor) -> Tensor:
        """World distance at which half of the ray's accumulation is reached, (rays, 1)."""
        middle = median((samples.frustums.starts + samples.frustums.ends) / 2, weights)
        if bundle.nears is not None:
            return middle
        rays = CubeRays(inside.origins, inside.directions, inside.nears, inside.fars)
        return self.warp.world_distance(bundle.origins, bundle.directions, middle, rays)

    def _normals(self, bundle: RayBundle, depth: Tensor) -> Tensor:
        """Outward unit normals at the surface, (rays, 3), mapped from [-1, 1] to [0, 1] as nerfstudio shows them."""
        return (1 + self.field.normals(bundle.origins + bundle.directions * depth)) / 2

    def get_metrics_dict(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        truth = self.renderer_rgb.blend_background(batch["image"].to(self.device))
        return {"psnr": psnr(outputs["rgb"].detach(), truth)}

    def get_loss_dict(self, outputs, batch, metrics_dict=None) -> dict[str, Tensor]:
        losses = {"rgb": self._colour_loss(outputs["rgb"], outputs["accumulation"], batch)}
        if "rgb_coarse" in outputs:
            losses["rgb_coarse"] = self._colour_loss(outputs["rgb_coarse"], outputs["accumulation_coarse"], batch)
        if "interlevel" in outputs:
            losses["interlevel"] = outputs["interlevel"]
        check_finite(losses)
        if self.training and self.quantiser is not None and self.quantiser.active:
            losses["rate"] = self.quantiser.penalty()
        return losses

    def _colour_loss(self, colour: Tensor, accumulation: Tensor, batch: dict[str, Tensor]) -> Tensor:
        prediction, truth = self.renderer_rgb.blend_background_for_loss_computation(
            colour, accumulation, batch["image"].to(self.device)
        )
        return F.mse_loss(prediction, truth)

    def get_image_metrics_and_images(self, outputs, batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        truth = self.renderer_rgb.blend_background(batch["image"].to(self.device))
        images = {
            "img": torch.cat([truth, outputs["rgb"]], dim=1),
            "accumulation": colormaps.apply_colormap(outputs["accumulation"]),
            "depth": colormaps.apply_depth_colormap(outputs["depth"], accumulation=outputs["accumulation"]),
            "normals": outputs["normals"],
        }
        return image_metrics(outputs["rgb"], truth), images

    def get_rgba_image(self, outputs: dict[str, Tensor], output_name: str = "rgb") -> Tensor:
        """RGB and true alpha, (height, width, 4)."""
        return torch.cat([outputs[output_name], outputs["accumulation"]], dim=-1)

    def get_training_callbacks(self, attributes: TrainingCallbackAttributes) -> list[TrainingCallback]:
        def watch(step: int) -> None:
            if self.quantiser is not None:
                self.quantiser.after_step()
            if step in COLLAPSE_CHECKS:
                self._watch(step, attributes)

        def quantise(step: int) -> None:
            trainer = attributes.trainer
            if trainer is not None and self.quantiser is not None:
                self.quantiser.before_step(step / trainer.end)

        def show(step: int) -> None:
            self.panel.update(self.field, self.quantiser)

        before = TrainingCallback([TrainingCallbackLocation.BEFORE_TRAIN_ITERATION], quantise)
        after = TrainingCallbackLocation.AFTER_TRAIN_ITERATION
        return [before, TrainingCallback([after], watch), TrainingCallback([after], show, PANEL_STEPS)]

    def _watch(self, step: int, attributes: TrainingCallbackAttributes) -> None:
        """Start once again from other random numbers if the density has collapsed; the second time only say so."""
        trouble = collapse(self._latest_weights)
        if trouble is None:
            return
        if self.reseeded:
            say(f"step {step}: {trouble}, again. Try another --machine.seed, or a lower learning rate")
            return
        say(f"step {step}: {trouble}: starting again from another seed")
        self.reseeded = True
        fresh = RadianceField(self.field.config, self.warp)
        with torch.no_grad():
            values = self.get_param_groups()["fields"]
            for parameter, new in zip(values, fresh.parameters(), strict=True):
                parameter.copy_(new)
        for optimizer in attributes.optimizers.optimizers.values():
            optimizer.state.clear()
            for group in optimizer.param_groups:
                group.pop("step", None)  # SOAP counts there
